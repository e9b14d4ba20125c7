/** The data path's handle on the uploader's thread. A thread that dies is started again and goes on from its checkpoint. */
import { Worker } from "node:worker_threads";
import type { Logger } from "pino";
import type { CommonConfig } from "./config.ts";
import type { Metrics } from "./metrics.ts";
import type { Watermark } from "./spool-layout.ts";
import type { FromUploader, Progress, ToUploader, UploaderData } from "./uploader.ts";

const RESTART_MS = 1_000;
const MAX_MODELS = 64;

interface Parts {
  writer: string;
  directory: string;
  watermark: Watermark;
  log: Logger;
  metrics: Metrics;
}

export class UploaderThread {
  readonly #data: UploaderData;
  readonly #parts: Parts;
  #worker!: Worker;
  #closing = false;
  #running = false;
  readonly #models = new Set<string>();
  #oldest: number | null = null;
  onProgress: (progress: Progress) => void = () => {};
  onNameTaken: (id: string) => void = () => {};
  /** Resolves when S3 has heard of this writer, or could not be told so at once. */
  readonly introduced: Promise<void>;
  #onIntroduced: () => void = () => {};

  constructor(config: CommonConfig, parts: Parts) {
    this.#parts = parts;
    this.#data = {
      store: {
        bucket: config.AUDIT_BUCKET,
        region: config.AWS_REGION,
        endpoint: config.s3Endpoint,
        connections: config.AUDIT_UPLOAD_CONCURRENCY,
      },
      prefix: config.AUDIT_PREFIX,
      profile: config.PROFILE,
      spoolDirectory: config.SPOOL_DIR,
      writer: parts.writer,
      directory: parts.directory,
      watermark: parts.watermark.shared,
      statementEveryMs: config.AUDIT_STATEMENT_EVERY_MS,
      concurrency: config.AUDIT_UPLOAD_CONCURRENCY,
      recoveryEveryMs: config.SPOOL_RECOVERY_EVERY_MS,
      telemetry: config.telemetry,
      accessLog: config.ACCESS_LOG === "on",
    };
    parts.metrics.sources.spoolAge = () =>
      this.#oldest === null ? 0 : Math.max(0, Date.now() - this.#oldest) / 1000;
    this.introduced = new Promise((done) => {
      this.#onIntroduced = done;
    });
    this.#start();
  }

  /** Asks S3 whether the name is taken; `onNameTaken` tells when it is. */
  probe(id: string, key: string): void {
    this.#send({ kind: "probe", id, key });
  }

  /** Uploads what is on disk, for at most `drainMs`. */
  async close(drainMs: number): Promise<void> {
    this.#closing = true;
    // It has just died and would start again in a moment: what it left waits on disk for the next start.
    if (!this.#running) return;
    const exited = new Promise<void>((done) => this.#worker.once("exit", () => done()));
    this.#send({ kind: "close", drainMs });
    const late = setTimeout(() => void this.#worker.terminate(), drainMs + 2_000);
    await exited;
    clearTimeout(late);
  }

  #start(): void {
    // Bundled as JavaScript for the image, run from its source elsewhere.
    const entry = import.meta.url.endsWith(".ts") ? "./uploader.ts" : "./uploader.js";
    const { log } = this.#parts;
    // The name is the thread's on Linux too: top -H and the bench tell it from the data path by it.
    this.#worker = new Worker(new URL(entry, import.meta.url), { name: "uploader", workerData: this.#data });
    this.#worker.on("message", (message: FromUploader) => this.#receive(message));
    this.#worker.on("error", (error) => log.error({ err: error }, "The uploader's thread failed"));
    this.#running = true;
    this.#worker.on("exit", () => {
      this.#running = false;
      if (this.#closing) return;
      setTimeout(() => {
        if (!this.#closing) this.#start();
      }, RESTART_MS).unref();
    });
  }

  #send(message: ToUploader): void {
    this.#worker.postMessage(message);
  }

  /** Names come from clients and upstreams: beyond a number of them they share one label, or time series grow without end. */
  #modelLabel(name: string): string {
    if (this.#models.has(name)) return name;
    if (this.#models.size >= MAX_MODELS) return "other";
    this.#models.add(name);
    return name;
  }

  #receive(message: FromUploader): void {
    const { log, metrics } = this.#parts;
    switch (message.kind) {
      case "log":
        return log[message.level](message.fields, message.message);
      case "name-taken":
        return this.onNameTaken(message.id);
      case "introduced":
        return this.#onIntroduced();
      case "progress":
        this.#oldest = message.oldest;
        metrics.uploads.inc(message.uploads);
        for (const [reason, count] of Object.entries(message.failures))
          metrics.uploadFailures.inc({ reason }, count);
        for (const [outcome, count] of Object.entries(message.recovered))
          metrics.recovered.inc({ outcome }, count);
        for (const [name, { prompt, completion }] of Object.entries(message.tokens)) {
          const model = this.#modelLabel(name);
          metrics.tokens.inc({ model, direction: "prompt" }, prompt);
          metrics.tokens.inc({ model, direction: "completion" }, completion);
        }
        return this.onProgress(message);
    }
  }
}
