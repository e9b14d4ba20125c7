/**
 * The audit's end on the data path: intents and ends go to the spool; a worker thread takes them to S3. Sequence numbers are
 * given here, one per record, also to a record that finds no room: the gap tells of it.
 */
import { setTimeout as delay } from "node:timers/promises";
import { isSafeRequestId, objectKey } from "@central-llm/core/audit-key";
import type { Logger } from "pino";
import type { CommonConfig } from "./config.ts";
import type { Metrics } from "./metrics.ts";
import { type Openable, OpenList } from "./open-list.ts";
import { KIND } from "./spool-frame.ts";
import { Watermark } from "./spool-layout.ts";
import type { EndPart, RequestPart } from "./spool-record.ts";
import { SpoolWriter } from "./spool-writer.ts";
import { UploaderThread } from "./uploader-thread.ts";
import { newWriter } from "./writer.ts";

/** Client-chosen names seen lately by this process; older ones are caught when they are looked up in S3. */
const REMEMBERED_NAMES = 50_000;
const NOTHING: readonly Buffer[] = [];
/** How long a start waits for S3 to hear of the new writer. Without S3 it goes on: what it is asked waits in the spool. */
const INTRODUCTION_MS = 3_000;

/** A request between its intent and its end. */
export interface Open extends Openable {
  id: string;
  name: string;
  /** JSON of the request part, without the closing brace. */
  meta: string;
  /** What the audit keeps of the request's body. */
  request: Buffer | null;
  /** Of the intent in the spool; null when there was no room. */
  position: number | null;
}

export class Capture {
  readonly #config: CommonConfig;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #spool: SpoolWriter;
  readonly #uploader: UploaderThread;
  readonly #watermark: Watermark;
  readonly #open: OpenList<Open>;
  readonly #names = new Set<string>();
  #sequence = 0;
  /** Records that found room in the spool. */
  #appended = 0;
  #pending: (() => void)[] = [];
  readonly writer: string;

  private constructor(
    config: CommonConfig,
    metrics: Metrics,
    log: Logger,
    parts: { writer: string; spool: SpoolWriter; uploader: UploaderThread; watermark: Watermark },
    open: OpenList<Open>,
  ) {
    this.#config = config;
    this.#metrics = metrics;
    this.#log = log;
    this.writer = parts.writer;
    this.#spool = parts.spool;
    this.#uploader = parts.uploader;
    this.#watermark = parts.watermark;
    this.#open = open;
  }

  /** Null while telemetry is off. */
  get telemetry(): CommonConfig["telemetry"] {
    return this.#config.telemetry;
  }

  static async start(config: CommonConfig, metrics: Metrics, log: Logger): Promise<Capture> {
    const { writer, directory } = await newWriter(config.SPOOL_DIR, config.writerName);
    const watermark = new Watermark();
    const open = new OpenList<Open>();
    const spool = await SpoolWriter.open({
      directory,
      writer,
      segmentBytes: config.SPOOL_SEGMENT_BYTES,
      syncIntervalMs: config.SPOOL_SYNC_INTERVAL_MS,
      maxBytes: config.SPOOL_MAX_BYTES,
      sync: config.AUDIT_MODE !== "async",
      watermark,
      inFlight: function* () {
        for (const { meta, request } of open) yield { meta: `${meta}}`, request };
      },
      onTrouble(problem) {
        metrics.spoolTrouble.set(problem ? 1 : 0);
        if (problem) log.error({ err: problem.error }, problem.message);
        else log.warn("The spool can be written again");
      },
    });
    const uploader = new UploaderThread(config, { writer, directory, watermark, log, metrics });
    const capture = new Capture(config, metrics, log, { writer, spool, uploader, watermark }, open);
    let confirmedRecords = 0;
    uploader.onProgress = (progress) => {
      spool.confirmedBytes = progress.confirmedBytes;
      confirmedRecords = progress.confirmedRecords;
    };
    metrics.sources.spoolBytes = () => spool.backlogBytes;
    metrics.sources.spoolDepth = () => capture.#appended - confirmedRecords;
    uploader.onNameTaken = (id) => {
      for (const taken of open) if (taken.id === id) taken.name = id;
    };
    await Promise.race([uploader.introduced, delay(INTRODUCTION_MS, undefined, { ref: false })]);
    return capture;
  }

  /** Whether new requests can be written ahead. */
  get healthy(): boolean {
    return !this.#spool.troubled && !this.#spool.full;
  }

  /**
   * The name that the request's object shall have. A client's id is taken when it is safe and, as far as this process
   * knows, free; S3 is asked while the upstream works.
   */
  claimName(clientRequestId: string | null, id: string): string {
    if (clientRequestId === null || !isSafeRequestId(clientRequestId) || this.#names.has(clientRequestId))
      return id;
    if (this.#names.size >= REMEMBERED_NAMES) {
      const [oldest] = this.#names;
      if (oldest !== undefined) this.#names.delete(oldest);
    }
    this.#names.add(clientRequestId);
    return clientRequestId;
  }

  /** Writes the intent. */
  begin(part: RequestPart, request: Buffer | null): Open {
    const meta = JSON.stringify(part).slice(0, -1);
    const position = this.#spool.append(KIND.intent, `${meta}}`, request, NOTHING);
    const open: Open = { id: part.id, name: part.name, meta, request, position, slot: -1 };
    this.#open.add(open);
    if (part.name !== part.id) {
      this.#uploader.probe(part.id, objectKey(this.#config.AUDIT_PREFIX, part.receivedAt, part.name));
    }
    return open;
  }

  /**
   * Calls `go` when the request may be forwarded: at once in mode async, with its intent in the file in mode spool, with it on
   * the disk in mode strict. Mode strict calls `refuse` instead when the intent cannot be stored; the others go on unprotected.
   */
  whenProtected({ position }: Open, go: () => void, refuse: () => void): void {
    const mode = this.#config.AUDIT_MODE;
    if (position === null) return mode === "strict" ? refuse() : this.#unprotected(go);
    if (mode === "async") return go();
    if (mode === "strict") {
      return this.#spool.whenSynced(position, () => (this.#spool.troubled ? refuse() : go()));
    }
    this.#spool.whenWritten(position, () => (this.#spool.troubled ? this.#unprotected(go) : go()));
  }

  #unprotected(go: () => void): void {
    this.#metrics.unprotected.inc();
    go();
  }

  /** Writes the end of a request that had an intent. */
  end(open: Open, part: Omit<EndPart, "sequence">, response: readonly Buffer[]): void {
    this.#open.delete(open);
    this.#append(open.meta, open.name, open.request, part, response);
    this.#settle();
  }

  /** Writes a request that was refused before it had an intent. */
  refused(
    request: RequestPart,
    body: Buffer | null,
    part: Omit<EndPart, "sequence">,
    response: readonly Buffer[],
  ) {
    this.#append(JSON.stringify(request).slice(0, -1), request.name, body, part, response);
  }

  #append(
    meta: string,
    name: string,
    request: Buffer | null,
    part: Omit<EndPart, "sequence">,
    response: readonly Buffer[],
  ): void {
    const rest = JSON.stringify({ ...part, name, sequence: ++this.#sequence });
    this.#watermark.sequence = this.#sequence;
    const position = this.#spool.append(KIND.end, `${meta},${rest.slice(1)}`, request, response);
    if (position !== null) {
      this.#appended++;
      return;
    }
    this.#metrics.lost.inc();
    this.#log.error(
      { sequence: this.#sequence },
      "No room in the spool: this record is lost, the gap stays visible",
    );
  }

  #settle(): void {
    if (this.#open.size > 0) return;
    for (const done of this.#pending.splice(0)) done();
  }

  /** Resolves when no request is open. */
  idle(): Promise<void> {
    return this.#open.size === 0 ? Promise.resolve() : new Promise((done) => this.#pending.push(done));
  }

  /** Syncs the spool and gives the uploader `drainMs` to empty it; the rest waits on disk for the next start. */
  async close(drainMs: number): Promise<void> {
    await this.#spool.close();
    await this.#uploader.close(drainMs);
  }
}
