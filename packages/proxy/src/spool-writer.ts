/**
 * The append-only spool of one writer, on the data path's side. Frames are copied at once into a slab; one write at a time
 * takes a whole slab to the segment file (group commit), and fdatasync follows behind, at most one in flight. Nothing here
 * blocks the event loop.
 *
 * Disk full, a backlog over the limit, or a disk that hangs: `append` refuses rather than grow without bound, and nobody is
 * kept waiting (`troubled`). What was accepted is never given up: a failed write goes on from the byte where it stopped.
 */
import { constants } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { SpoolFile } from "./spool-file.ts";
import { frameBound, KIND, type Kind, writeFrame } from "./spool-frame.ts";
import { segmentName, type Watermark } from "./spool-layout.ts";

export interface SpoolOptions {
  /** This writer's own folder. */
  directory: string;
  writer: string;
  segmentBytes: number;
  syncIntervalMs: number;
  /** Bytes on disk and not uploaded yet, above which `append` refuses. */
  maxBytes: number;
  /** `false`: never fdatasync (AUDIT_MODE=async); what is written counts as safe. */
  sync: boolean;
  watermark: Watermark;
  /** Intents of requests still in flight: copied to each new segment, so that an old one can go once it is uploaded. */
  inFlight: () => Iterable<{ meta: string; request: Buffer | null }>;
  /** Called when trouble begins (with its error, if there is one) and with null when it ends. */
  onTrouble: (problem: { message: string; error?: unknown } | null) => void;
}

const SLAB_BYTES = 1024 * 1024;
/** Accepted but not yet written, at most; approached only while the disk hangs or is full. */
const MAX_PENDING_BYTES = 64 * 1024 * 1024;
const RETRY_MS = 250;
/** Frames that nobody waits for lie in memory no longer than this; under load, writes are this far apart. */
const PACE_MS = 1;
/** Frames in one write from which on it counts as load. */
const CROWD = 8;
const NO_SEGMENT = "No new spool segment can be made";
/** A write that takes longer is no longer waited for. */
const HANG_MS = 1_000;

interface Waiter {
  position: number;
  done: () => void;
}

export class SpoolWriter {
  readonly #options: SpoolOptions;
  #file!: SpoolFile;
  #segment = 0;
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #used = 0;
  #spare = Buffer.allocUnsafeSlow(SLAB_BYTES);
  /** A write is due at the end of this turn. */
  #immediate = false;
  #timer: NodeJS.Timeout | null = null;
  #frames = 0;
  /** The last write took so many frames that the next one is not far. */
  #crowded = false;
  #writing = false;
  /** The watchdog's looks at the write in hand. */
  #looks = 0;
  /** Positions count every byte ever appended; they only grow. */
  #appended = 0;
  #written = 0;
  #synced = 0;
  #syncing: Promise<void> | null = null;
  #lastSync = 0;
  #syncTimer: NodeJS.Timeout | null = null;
  #writtenWaiters: Waiter[] = [];
  #syncedWaiters: Waiter[] = [];
  #trouble = false;
  #closing = false;
  /** Bytes in all segment files since the start, heads and copied intents included. */
  #fileBytes = 0;
  readonly #watchdog: NodeJS.Timeout;
  /** Whether the last frame found no room. */
  full = false;
  /** Of `fileBytes`, those that the uploader is done with. */
  confirmedBytes = 0;

  private constructor(options: SpoolOptions) {
    this.#options = options;
    this.#watchdog = setInterval(() => {
      // Counted, not timed: when this process itself stood still, that was one look, and the disk may have answered long since.
      if (this.#writing && ++this.#looks * RETRY_MS > HANG_MS) {
        this.#report({ message: "The spool's disk does not answer" });
      }
    }, RETRY_MS).unref();
  }

  static async open(options: SpoolOptions): Promise<SpoolWriter> {
    const spool = new SpoolWriter(options);
    await mkdir(options.directory, { recursive: true, mode: 0o700 });
    try {
      await spool.#nextSegment();
    } catch (error) {
      // A full disk may be full of what earlier writers left and this process is about to upload: it starts all the same.
      spool.#report({ message: NO_SEGMENT, error });
      spool.#writing = true;
      void spool.#insist(NO_SEGMENT, () => spool.#nextSegment()).then(() => spool.#idle());
    }
    return spool;
  }

  /** Whether the disk refuses or hangs: what is accepted now may not be safe for a while. */
  get troubled(): boolean {
    return this.#trouble;
  }

  /** Bytes accepted and not uploaded yet. */
  get backlogBytes(): number {
    return this.#fileBytes + this.#appended - this.#written - this.confirmedBytes;
  }

  /** Takes a frame. @returns the position behind it, for `whenWritten` and `whenSynced`; null when there is no room */
  append(kind: Kind, meta: string, request: Buffer | null, response: readonly Buffer[]): number | null {
    const bound = frameBound(meta, request, response);
    this.full = this.backlogBytes + bound > this.#options.maxBytes || this.#used + bound > MAX_PENDING_BYTES;
    if (this.full) return null;
    if (this.#used + bound > this.#slab.length) this.#grow(this.#used + bound);
    const end = writeFrame(this.#slab, this.#used, kind, meta, request, response);
    this.#appended += end - this.#used;
    this.#used = end;
    this.#frames++;
    this.#pace();
    return this.#appended;
  }

  /** Calls `done` once everything up to `position` is in the file (it survives this process), or there is trouble. */
  whenWritten(position: number, done: () => void): void {
    if (position <= this.#written || this.#trouble) return done();
    this.#writtenWaiters.push({ position, done });
    this.#hurry();
  }

  /** Calls `done` once everything up to `position` is on the disk (it survives the machine), or there is trouble. */
  whenSynced(position: number, done: () => void): void {
    if (position <= this.#synced || this.#trouble) return done();
    this.#syncedWaiters.push({ position, done });
    if (position > this.#written) this.#hurry();
    else this.#sync();
  }

  /** Writes and syncs what is pending, then closes. @returns whether everything is on disk */
  async close(): Promise<boolean> {
    this.#closing = true;
    await new Promise<void>((done) => this.whenSynced(this.#appended, done));
    clearInterval(this.#watchdog);
    if (this.#syncTimer) clearTimeout(this.#syncTimer);
    await this.#syncing;
    if (this.#trouble) return false;
    await this.#file.close();
    return true;
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#slab.length * 2));
    this.#slab.copy(larger, 0, 0, this.#used);
    this.#slab = larger;
  }

  /** Somebody waits: written after this turn's events, so that requests that arrived together share one write. */
  #hurry(): void {
    if (this.#writing || this.#immediate) return;
    if (this.#crowded) return this.#pace();
    this.#immediate = true;
    setImmediate(flushDue, this);
  }

  /** Nobody waits, or many do: each write costs the data path some 15 µs, however little is in it. */
  #pace(): void {
    if (this.#writing || this.#immediate || this.#timer !== null) return;
    this.#timer = setTimeout(flushDue, PACE_MS, this);
  }

  static flushDue(spool: SpoolWriter): void {
    spool.#immediate = false;
    if (spool.#timer !== null) clearTimeout(spool.#timer);
    spool.#timer = null;
    if (!spool.#writing && spool.#used > 0) void spool.#flush();
  }

  async #flush(): Promise<void> {
    this.#writing = true;
    this.#looks = 0;
    const slab = this.#slab;
    const bytes = this.#used;
    const position = this.#appended;
    this.#slab = this.#spare;
    this.#used = 0;
    this.#crowded = this.#frames >= CROWD;
    this.#frames = 0;
    if (this.#file.bytes >= this.#options.segmentBytes) {
      await this.#insist(NO_SEGMENT, () => this.#rotate());
    }
    let from = 0;
    await this.#insist("The spool cannot be written", async () => {
      while (from < bytes) {
        const written = await this.#file.append(slab, from, bytes - from);
        from += written;
        this.#fileBytes += written;
      }
    });
    this.#written = position;
    // A slab that one huge record made grow is not kept.
    this.#spare = slab.length > SLAB_BYTES * 4 ? Buffer.allocUnsafeSlow(SLAB_BYTES) : slab;
    release(this.#writtenWaiters, position);
    this.#idle();
    this.#sync();
  }

  /** No write is under way any more. */
  #idle(): void {
    this.#writing = false;
    if (this.#writtenWaiters.length > 0) this.#hurry();
    else if (this.#used > 0) this.#pace();
  }

  /** Does it until it succeeds, however long the disk is full. */
  async #insist(message: string, work: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await work();
        if (this.#trouble) {
          this.#trouble = false;
          this.#options.onTrouble(null);
        }
        return;
      } catch (error) {
        this.#report({ message, error });
        await new Promise((resume) => setTimeout(resume, RETRY_MS));
      }
    }
  }

  #report(problem: { message: string; error?: unknown }): void {
    if (!this.#trouble) this.#options.onTrouble(problem);
    this.#trouble = true;
    release(this.#writtenWaiters, Number.POSITIVE_INFINITY);
    release(this.#syncedWaiters, Number.POSITIVE_INFINITY);
  }

  async #rotate(): Promise<void> {
    await this.#syncing;
    const old = this.#file;
    if (this.#options.sync) await old.sync();
    await this.#nextSegment();
    this.#synced = this.#written;
    await old.close();
  }

  /** Makes the next segment with its head and the intents still open; only then does the uploader hear of it. */
  async #nextSegment(): Promise<void> {
    const segment = this.#segment + 1;
    const file = await SpoolFile.open(
      join(this.#options.directory, segmentName(segment)),
      constants.O_CREAT | constants.O_TRUNC | constants.O_RDWR,
    );
    const head = { writer: this.#options.writer, segment, createdAt: new Date().toISOString() };
    try {
      await file.appendFrame(KIND.segment, JSON.stringify(head), null);
      for (const { meta, request } of this.#options.inFlight()) {
        await file.appendFrame(KIND.intent, meta, request);
      }
      if (this.#options.sync) await file.sync();
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#file = file;
    this.#segment = segment;
    this.#fileBytes += file.bytes;
    this.#options.watermark.publish(segment, file.bytes);
  }

  #sync(): void {
    if (this.#syncing || this.#synced >= this.#written) return;
    if (!this.#options.sync) return this.#markSynced(this.#written, this.#segment, this.#file.bytes);
    const wait = this.#lastSync + this.#options.syncIntervalMs - performance.now();
    if (wait <= 0 || this.#syncedWaiters.length > 0 || this.#closing) {
      this.#syncing = this.#syncNow().finally(() => {
        this.#syncing = null;
        this.#sync();
      });
    } else {
      this.#syncTimer ??= setTimeout(() => {
        this.#syncTimer = null;
        this.#sync();
      }, wait);
    }
  }

  async #syncNow(): Promise<void> {
    this.#lastSync = performance.now();
    const [position, segment, bytes] = [this.#written, this.#segment, this.#file.bytes];
    try {
      await this.#file.sync();
      this.#markSynced(position, segment, bytes);
    } catch (error) {
      this.#report({ message: "The spool cannot be synced to disk", error });
      await new Promise((resume) => setTimeout(resume, RETRY_MS));
    }
  }

  #markSynced(position: number, segment: number, bytes: number): void {
    this.#synced = Math.max(this.#synced, position);
    if (segment === this.#segment) this.#options.watermark.publish(segment, bytes);
    release(this.#syncedWaiters, position);
  }
}

const { flushDue } = SpoolWriter;

function release(waiters: Waiter[], position: number): void {
  let count = 0;
  while (count < waiters.length && (waiters[count]?.position ?? 0) <= position) count++;
  if (count === 0) return;
  for (const waiter of waiters.splice(0, count)) waiter.done();
}
