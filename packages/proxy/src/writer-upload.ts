/**
 * Takes one writer's records from its spool to S3: builds the objects in the order of their sequence (each holds the hash of
 * the one before), sends many at once, and forgets spool segments once all that is in them is confirmed.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { objectKey } from "@central-llm/core/audit-key";
import { type AuditObject, auditObject } from "./audit-object.ts";
import { type Checkpoint, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { type ObjectStore, StoreError } from "./object-store.ts";
import { type Frame, KIND } from "./spool-frame.ts";
import { segmentName } from "./spool-layout.ts";
import { SegmentReader } from "./spool-reader.ts";
import type { EndMeta } from "./spool-record.ts";

export interface UploadEvents {
  stored(object: AuditObject, meta: EndMeta): void;
  failed(reason: string, message: string, key: string): void;
}

export interface WriterUploadOptions {
  writer: string;
  directory: string;
  /** Of the objects' keys. */
  prefix: string;
  store: ObjectStore;
  slots: Slots;
  events: UploadEvents;
  stop: AbortSignal;
}

interface Entry {
  /** Where the spool is confirmed to, once this and all before it are. */
  checkpoint: Checkpoint;
  completedAt: number;
  confirmed: boolean;
}

const CHECKPOINT_EVERY_MS = 1_000;
const BACK_OFF_MS = { first: 100, most: 10_000 };
/** Objects in flight hold their bytes in memory. */
const MAX_IN_FLIGHT_BYTES = 32 * 1024 * 1024;

export class WriterUpload {
  readonly #writer: string;
  readonly #directory: string;
  readonly #prefix: string;
  readonly #store: ObjectStore;
  readonly #slots: Slots;
  readonly #events: UploadEvents;
  readonly #window: Entry[] = [];
  readonly #stop: AbortSignal;
  #reader: SegmentReader | null = null;
  #closedSize: number | null = null;
  #built: Checkpoint;
  #confirmed: Checkpoint;
  #savedAt = Number.NEGATIVE_INFINITY;
  #saved: Checkpoint;
  #tidying: Promise<void> = Promise.resolve();

  private constructor(options: WriterUploadOptions, checkpoint: Checkpoint) {
    this.#writer = options.writer;
    this.#directory = options.directory;
    this.#prefix = options.prefix;
    this.#store = options.store;
    this.#slots = options.slots;
    this.#events = options.events;
    this.#stop = options.stop;
    this.#built = checkpoint;
    this.#confirmed = checkpoint;
    this.#saved = checkpoint;
  }

  static async open(options: WriterUploadOptions): Promise<WriterUpload> {
    return new WriterUpload(options, await readCheckpoint(options.directory));
  }

  get confirmed(): Checkpoint {
    return this.#confirmed;
  }

  /** Epoch milliseconds at which the oldest record that waits for S3 was completed; null when none waits. */
  get oldest(): number | null {
    return this.#window[0]?.completedAt ?? null;
  }

  get idle(): boolean {
    return this.#window.length === 0;
  }

  /**
   * Sends what lies between the last call's end and `safe`. Returns when all of it is built and on its way.
   * @throws when a segment is damaged below `safe`
   */
  async advance(safe: { segment: number; bytes: number }): Promise<void> {
    for (;;) {
      this.#reader ??= await SegmentReader.open(this.#directory, this.#built.segment, this.#built.offset);
      const current = this.#built.segment === safe.segment;
      // A segment that is not the current one grows no more.
      if (!current) this.#closedSize ??= await this.#reader.size();
      const limit = current ? safe.bytes : (this.#closedSize ?? 0);
      const frame = await this.#reader.next(limit);
      if (frame === "damaged") {
        throw new Error(
          `Spool segment ${segmentName(this.#built.segment)} is damaged at ${this.#reader.offset}`,
        );
      }
      if (frame !== "short") {
        await this.#take(frame);
      } else {
        if (current || this.#built.segment > safe.segment) break;
        await this.#reader.close();
        this.#reader = null;
        this.#closedSize = null;
        this.#built = { ...this.#built, segment: this.#built.segment + 1, offset: 0 };
        this.#settle();
      }
      if (this.#stop.aborted) break;
    }
  }

  async #take(frame: Frame): Promise<void> {
    const place = { offset: this.#built.offset + frame.bytes, bytes: this.#built.bytes + frame.bytes };
    if (frame.kind !== KIND.end) {
      this.#built = { ...this.#built, ...place };
      this.#settle();
      return;
    }
    const meta = JSON.parse(frame.meta) as EndMeta;
    const { writer, previousHash, sequence } = {
      writer: this.#writer,
      previousHash: this.#built.hash,
      sequence: meta.sequence,
    };
    const object = auditObject(frame, meta, { writer, sequence, previousHash });
    this.#built = {
      ...this.#built,
      ...place,
      sequence,
      hash: object.sha256,
      records: this.#built.records + 1,
    };
    const entry = { checkpoint: this.#built, completedAt: meta.completedAt, confirmed: false };
    this.#window.push(entry);
    await this.#slots.take(object.bytes.length);
    void this.#upload(object, meta).then((stored) => {
      this.#slots.give(object.bytes.length);
      if (!stored) return; // Stopped: the record stays in the spool.
      entry.confirmed = true;
      this.#settle();
    });
  }

  /** Until S3 confirms or the uploader stops. */
  async #upload(object: AuditObject, meta: EndMeta): Promise<boolean> {
    let key = objectKey(this.#prefix, meta.receivedAt, meta.name);
    for (let attempt = 0; !this.#stop.aborted; attempt++) {
      try {
        const as = { writer: this.#writer, sequence: meta.sequence };
        if (
          (await this.#store.put(key, object.bytes, object.sha256, as)) === "exists" &&
          meta.name !== meta.id
        ) {
          // Our own earlier attempt, or somebody else's object under the id that the client chose.
          const there = await this.#store.head(key);
          if (there === null) continue;
          if (there.writer !== this.#writer || there.sequence !== meta.sequence) {
            const own = objectKey(this.#prefix, meta.receivedAt, meta.id);
            if (key !== own) {
              key = own;
              continue;
            }
          }
        }
        this.#events.stored(object, meta);
        return true;
      } catch (error) {
        const { reason, message } =
          error instanceof StoreError ? error : new StoreError("internal", String(error));
        this.#events.failed(reason, message, key);
        const wait = Math.min(BACK_OFF_MS.most, BACK_OFF_MS.first * 2 ** Math.min(attempt, 10));
        await delay(wait * (0.5 + Math.random() / 2), undefined, { signal: this.#stop }).catch(() => {});
      }
    }
    return false;
  }

  /** Moves the confirmed mark over everything that is confirmed without a gap. */
  #settle(): void {
    let count = 0;
    while (this.#window[count]?.confirmed) count++;
    if (count > 0) {
      const last = this.#window[count - 1];
      this.#window.splice(0, count);
      if (last) this.#confirmed = last.checkpoint;
    }
    // Nothing on its way: intents behind the last record are passed too.
    if (this.#window.length === 0) this.#confirmed = this.#built;
  }

  /** Saves the mark, then deletes the segments before it. Call it often; it acts about once a second. */
  tidy(now: boolean): Promise<void> {
    // One at a time: of two, the first to rename takes the other's new checkpoint away.
    const tidied = this.#tidying.then(() => this.#tidy(now));
    this.#tidying = tidied.catch(() => {});
    return tidied;
  }

  async #tidy(now: boolean): Promise<void> {
    const confirmed = this.#confirmed;
    if (confirmed === this.#saved || (!now && performance.now() - this.#savedAt < CHECKPOINT_EVERY_MS))
      return;
    this.#savedAt = performance.now();
    await writeCheckpoint(this.#directory, confirmed);
    for (let segment = this.#saved.segment; segment < confirmed.segment; segment++) {
      await rm(join(this.#directory, segmentName(segment)), { force: true });
    }
    this.#saved = confirmed;
  }

  async close(): Promise<void> {
    try {
      await this.tidy(true);
    } finally {
      await this.#reader?.close();
      this.#reader = null;
    }
  }
}

/** Limits how many objects, and how many bytes of them, are on their way at one time. */
export class Slots {
  readonly #most: number;
  #taken = 0;
  #bytes = 0;
  #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  async take(bytes: number): Promise<void> {
    while (this.#taken >= this.#most || (this.#taken > 0 && this.#bytes + bytes > MAX_IN_FLIGHT_BYTES)) {
      await new Promise<void>((go) => this.#waiting.push(go));
    }
    this.#taken++;
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    this.#taken--;
    this.#bytes -= bytes;
    this.#waiting.shift()?.();
  }
}
