/**
 * The uploader's thread: builds audit objects from the spool and puts them into S3, off the data path's event loop. First its own
 * writer's records as they come, beside them those of writers that died.
 */
import { rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { AccessLog } from "./access-log.ts";
import { ObjectStore, type StoreOptions } from "./object-store.ts";
import { recover } from "./recovery.ts";
import { Watermark } from "./spool-layout.ts";
import type { TelemetrySettings } from "./telemetry-settings.ts";
import { claimDeadWriters } from "./writer.ts";
import { WriterStatements } from "./writer-statements.ts";
import { Slots, WriterUpload } from "./writer-upload.ts";

export interface UploaderData {
  store: StoreOptions;
  prefix: string;
  profile: string;
  spoolDirectory: string;
  writer: string;
  directory: string;
  watermark: SharedArrayBuffer;
  statementEveryMs: number;
  concurrency: number;
  /** Between two looks for writers that died. */
  recoveryEveryMs: number;
  telemetry: TelemetrySettings | null;
  /** Whether each request has its line on stdout. */
  accessLog: boolean;
}

export type ToUploader = { kind: "probe"; id: string; key: string } | { kind: "close"; drainMs: number };

export interface Progress {
  kind: "progress";
  confirmedBytes: number;
  confirmedRecords: number;
  /** Epoch milliseconds; null when nothing waits. */
  oldest: number | null;
  uploads: number;
  failures: Record<string, number>;
  recovered: Record<string, number>;
  /** By model: prompt and completion tokens that providers counted. */
  tokens: Record<string, { prompt: number; completion: number }>;
}

export type FromUploader =
  | Progress
  | { kind: "name-taken"; id: string }
  /** S3 has heard of this writer, or could not be told so at once. */
  | { kind: "introduced" }
  | { kind: "log"; level: "info" | "warn" | "error"; message: string; fields: Record<string, unknown> };

const HOUSEKEEPING_MS = 200;
const CLOSE_RETRY_MS = 500;
/** At most one line a reason in this time: S3 away for an hour is not a million lines. */
const LOG_EVERY_MS = 10_000;

const data = workerData as UploaderData;
const port = parentPort as MessagePort;
const send = (message: FromUploader) => port.postMessage(message);
const log = (level: "info" | "warn" | "error", message: string, fields: Record<string, unknown> = {}) =>
  send({ kind: "log", level, message, fields });

const store = new ObjectStore(data.store);
const slots = new Slots(data.concurrency);
const watermark = new Watermark(data.watermark);
const accessLog = data.accessLog ? new AccessLog(`proxy-${data.profile}`) : null;
const telemetry = data.telemetry
  ? await (await import("./gen-ai-telemetry.ts")).startTelemetry(data.telemetry)
  : null;
const stop = new AbortController();
/** No further look for dead writers. */
const ending = new AbortController();
let closing = false;

let delta: Pick<Progress, "uploads" | "failures" | "recovered" | "tokens">;
const lastLogged = new Map<string, number>();
clearDelta();

function clearDelta(): void {
  delta = { uploads: 0, failures: {}, recovered: {}, tokens: {} };
}

function upload(writer: string, directory: string): Promise<WriterUpload> {
  return WriterUpload.open({
    writer,
    directory,
    prefix: data.prefix,
    store,
    slots,
    stop: stop.signal,
    events: {
      stored(object, meta) {
        const { model, usage } = object;
        accessLog?.add(object, meta);
        telemetry?.add(JSON.parse(object.bytes.toString("utf8")));
        delta.uploads++;
        if (writer !== data.writer) delta.recovered[meta.outcome] = (delta.recovered[meta.outcome] ?? 0) + 1;
        if (usage.source !== "provider") return;
        const name = model ?? "unknown";
        delta.tokens[name] ??= { prompt: 0, completion: 0 };
        delta.tokens[name].prompt += usage.promptTokens;
        delta.tokens[name].completion += usage.completionTokens;
      },
      failed(reason, message, key) {
        delta.failures[reason] = (delta.failures[reason] ?? 0) + 1;
        if (performance.now() - (lastLogged.get(reason) ?? Number.NEGATIVE_INFINITY) < LOG_EVERY_MS) return;
        lastLogged.set(reason, performance.now());
        log("warn", "S3 did not confirm an audit object; it stays in the spool and is tried again", {
          reason,
          message,
          key,
        });
      },
    },
  });
}

/** Again and again: a peer on the same disk may die while we live, and what could not be recovered is tried again. */
async function recoverAsTheyDie(): Promise<void> {
  const unlocked = new Set<string>();
  do {
    try {
      await recoverDeadWriters(unlocked);
    } catch (error) {
      complain("The spools of dead writers cannot be looked for", { error: String(error) });
    }
    await delay(data.recoveryEveryMs, undefined, { signal: ending.signal }).catch(() => {});
  } while (!ending.signal.aborted);
}

async function recoverDeadWriters(unlocked: Set<string>): Promise<void> {
  for (const { writer, directory } of await claimDeadWriters(data.spoolDirectory, data.writer, unlocked)) {
    try {
      const { safe, interrupted, tornBytes } = await recover(directory, Date.now());
      log("info", "Recovering the spool of a writer that died", {
        deadWriter: writer,
        interrupted,
        tornBytes,
      });
      if (safe) {
        const dead = await upload(writer, directory);
        await dead.advance(safe);
        while (!dead.idle && !stop.signal.aborted) await delay(20);
        await dead.close();
        if (!dead.idle) return;
        if (!(await closed(statementsOf(writer), dead.confirmed.sequence))) return;
      }
      await rm(directory, { recursive: true });
      log("info", "The spool of a writer that died is uploaded", { deadWriter: writer });
    } catch (error) {
      complain("A dead writer's spool cannot be recovered; it is kept, and tried again", {
        deadWriter: writer,
        error: String(error),
      });
    }
  }
}

const complained = new Set<string>();
/** Once for each trouble, however often it is met. */
function complain(message: string, fields: Record<string, unknown>): void {
  const trouble = JSON.stringify([message, fields]);
  if (complained.has(trouble)) return;
  complained.add(trouble);
  log("error", message, fields);
}

/** A statement that cannot be made is made later; readers see the writer as silent until then. */
function silent(error: unknown): void {
  log("warn", "The writer's statement could not be stored", { error: String(error) });
}

const statementsOf = (writer: string) =>
  new WriterStatements(store, { writer, profile: data.profile, everyMs: data.statementEveryMs });

/** Says the last word, again and again while S3 is away. @returns false when the time to stop came first */
async function closed(statements: WriterStatements, sequence: number): Promise<boolean> {
  while (!stop.signal.aborted) {
    try {
      await statements.closed(sequence);
      return true;
    } catch (error) {
      silent(error);
      await delay(CLOSE_RETRY_MS, undefined, { signal: stop.signal }).catch(() => {});
    }
  }
  return false;
}

async function uploadOwn(): Promise<void> {
  const own = await upload(data.writer, data.directory);
  const statements = statementsOf(data.writer);
  // Before it is given anything to lose: of a writer that nobody has heard of, nobody can say that it fell silent.
  const introduced = statements.open(watermark.sequence).catch(silent);
  void introduced.then(() => send({ kind: "introduced" }));
  // By a timer, not by the loop below: the loop stands still while S3 does.
  const housekeeping = setInterval(() => {
    accessLog?.flush();
    report(own);
    statements.open(watermark.sequence).catch(silent);
    own
      .tidy(false)
      .catch((error: unknown) => log("error", "The checkpoint cannot be saved", { error: String(error) }));
  }, HOUSEKEEPING_MS);
  while (!stop.signal.aborted) {
    const safe = watermark.read();
    // No segment yet: the disk was full at the start.
    if (safe.segment > 0) await own.advance(safe);
    if (!closing) await watermark.changed(safe, HOUSEKEEPING_MS);
    else if (own.idle) break;
    else await delay(10);
  }
  clearInterval(housekeeping);
  accessLog?.flush();
  await own.close();
  report(own);
  if (!own.idle) return; // The next start goes on with it.
  if (await closed(statements, watermark.sequence)) await rm(data.directory, { recursive: true });
}

let reported = "";
function report(own: WriterUpload): void {
  const { bytes, records } = own.confirmed;
  const state = { confirmedBytes: bytes, confirmedRecords: records, oldest: own.oldest };
  const text = JSON.stringify([state, delta]);
  if (text === reported) return;
  send({ kind: "progress", ...state, ...delta });
  clearDelta();
  reported = JSON.stringify([state, delta]);
}

port.on("message", (message: ToUploader) => {
  if (message.kind === "close") {
    closing = true;
    ending.abort();
    setTimeout(() => stop.abort(), message.drainMs).unref();
    return;
  }
  store.head(message.key).then(
    (there) => {
      if (there) send({ kind: "name-taken", id: message.id });
    },
    () => {
      // Not known: the name is tried when the object is stored, where a taken one is seen for certain.
    },
  );
});

const recovery = recoverAsTheyDie();
await uploadOwn();
// Within the time to drain: `stop` ends it too.
await recovery;
await Promise.all([store.close(), telemetry?.close()]);
port.close();
