/**
 * Makes the digests that are due, one for each hour, oldest first. Lists the days whose objects may still have come in, takes
 * those that S3 stored in the hour, and stores their names and hashes part by part: one part is in memory, and a run that is cut
 * off goes on behind its last one.
 */
import { HOUR_MS, SETTLED_MS, type WriterHead } from "./digest.ts";
import type { Signer } from "./digest-envelope.ts";
import {
  latest,
  type Progress,
  progressOf,
  type StoredDigest,
  saveProgress,
  store,
} from "./digest-ledger.ts";
import { type DigestEntry, encode, PART_ENTRIES } from "./digest-part.ts";
import * as Parallel from "./parallel.ts";
import type { ListedObject, TrailStore } from "./trail-store.ts";

export interface DigestOptions {
  /** Of the audit objects' keys, e.g. `logs`. */
  prefix: string;
  /** Objects of this many days before the hour are looked for: a proxy without S3 holds its records that long. */
  lookBackDays: number;
  now: number;
  /** Ends the run between two requests; the next run goes on. */
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** Objects in a part; for tests. */
  partEntries?: number;
}

export interface HourDigest {
  from: string;
  to: string;
  /** Null when the time ran out before the hour's end was reached. */
  objects: number | null;
}

const DAY_MS = 24 * HOUR_MS;
/** Requests for fingerprints at a time. */
const WIDTH = 32;
/** Keys looked at between two savings, also when none of them is of the hour. */
const SAVE_EVERY_KEYS = 50_000;

/** @throws what S3 and the signer throw; nothing that was stored before is lost by it */
export async function digestHours(
  trail: TrailStore,
  signer: Signer,
  options: DigestOptions,
): Promise<HourDigest[]> {
  const made: HourDigest[] = [];
  while (!options.signal?.aborted) {
    const previous = await latest(trail, options.now);
    const period = nextPeriod(previous, options.now);
    if (period === null) break;
    const progress = await collect(trail, period, options);
    const hour = { from: new Date(period.from).toISOString(), to: new Date(period.to).toISOString() };
    made.push({ ...hour, objects: progress?.objects ?? null });
    if (progress === null) break;
    const { objects, bytes, parts, writers } = progress;
    const digest = {
      schemaVersion: 1 as const,
      bucket: trail.bucket,
      prefix: options.prefix,
      period: hour,
      madeAt: new Date(options.now).toISOString(),
      number: (previous?.digest.number ?? 0) + 1,
      previous: previous && { key: previous.key, sha256: previous.sha256 },
      objects,
      bytes,
      parts,
      writers,
    };
    // Another run was faster: its digest is of the same hour, and the next one continues it.
    if (!(await store(trail, digest, signer))) made.pop();
  }
  return made;
}

/** Hours that are settled and not digested yet; 1 before the first digest. */
export async function hoursBehind(trail: TrailStore, now: number): Promise<number> {
  const previous = await latest(trail, now);
  const settled = Math.floor((now - SETTLED_MS) / HOUR_MS) * HOUR_MS;
  return previous === null ? 1 : Math.max(0, (settled - Date.parse(previous.digest.period.to)) / HOUR_MS);
}

function nextPeriod(previous: StoredDigest | null, now: number): { from: number; to: number } | null {
  const settled = Math.floor((now - SETTLED_MS) / HOUR_MS) * HOUR_MS;
  // What was there before the first digest is in it.
  if (previous === null) return { from: 0, to: settled };
  const from = Date.parse(previous.digest.period.to);
  return from + HOUR_MS > settled ? null : { from, to: from + HOUR_MS };
}

async function collect(
  trail: TrailStore,
  period: { from: number; to: number },
  { prefix, lookBackDays, signal, onProgress, partEntries = PART_ENTRIES }: DigestOptions,
): Promise<Progress | null> {
  const none = { after: "", objects: 0, bytes: 0, parts: [], writers: [] };
  const state: Progress = (await progressOf(trail, period.from)) ?? { schemaVersion: 1, ...period, ...none };
  // Begun before its hour's end was moved? Only by hand; the parts would be another period's.
  if (state.to !== period.to) throw new Error(`The progress of ${period.from} belongs to another period`);
  const writers = new Map(state.writers.map((head) => [head.writer, head]));
  let entries: DigestEntry[] = [];
  let batch: ListedObject[] = [];
  let looked = 0;

  async function take(): Promise<void> {
    for (const entry of await Parallel.map(batch, WIDTH, (object) => entryOf(trail, object))) {
      if (entry === null) continue;
      entries.push(entry);
      noteWriter(writers, entry);
    }
    batch = [];
  }
  /** Stores what is collected: all keys up to `after` are done then. */
  async function flush(after: string): Promise<void> {
    if (entries.length > 0) {
      const { part, bytes } = encode(period.from, entries);
      await trail.add(part.key, bytes, "application/gzip");
      state.parts.push(part);
      state.objects += entries.length;
      state.bytes += entries.reduce((sum, entry) => sum + entry.bytes, 0);
      entries = [];
    }
    state.after = after;
    state.writers = [...writers.values()];
    looked = 0;
    await saveProgress(trail, state);
    onProgress?.(structuredClone(state));
  }

  for await (const object of candidates(trail, prefix, period, lookBackDays, state.after)) {
    if (signal?.aborted) return null;
    looked++;
    if (object.storedAt !== null && object.storedAt >= period.from && object.storedAt < period.to) {
      batch.push(object);
      if (batch.length >= 4 * WIDTH || entries.length + batch.length >= partEntries) await take();
    }
    if (entries.length >= partEntries || looked >= SAVE_EVERY_KEYS) {
      await take();
      await flush(object.key);
    }
  }
  if (signal?.aborted) return null;
  await take();
  if (entries.length > 0) await flush(entries.at(-1)?.key ?? state.after);
  return { ...state, writers: [...writers.values()] };
}

/** In the order of their keys: the first digest looks at everything, each later one at the days that may still grow. */
async function* candidates(
  trail: TrailStore,
  prefix: string,
  { from, to }: { from: number; to: number },
  lookBackDays: number,
  after: string,
): AsyncGenerator<ListedObject> {
  if (from === 0) {
    yield* trail.list(`${prefix}/`, after || undefined);
    return;
  }
  const firstDay = from - (from % DAY_MS) - lookBackDays * DAY_MS;
  // A day more than the hour's: a proxy's clock may be ahead of S3's around midnight.
  for (let day = firstDay; day <= to + DAY_MS; day += DAY_MS) {
    const folder = `${prefix}/${new Date(day).toISOString().slice(0, 10).replaceAll("-", "/")}/`;
    if (`${folder}\u{10ffff}` <= after) continue;
    yield* trail.list(folder, after > folder ? after : undefined);
  }
}

async function entryOf(trail: TrailStore, { key, storedAt }: ListedObject): Promise<DigestEntry | null> {
  const fingerprint = await trail.fingerprint(key);
  return fingerprint && { key, ...fingerprint, storedAt: new Date(storedAt ?? 0).toISOString() };
}

function noteWriter(writers: Map<string, WriterHead>, { writer, sequence, sha256 }: DigestEntry): void {
  if (writer === undefined || sequence === undefined) return;
  const known = writers.get(writer);
  if (known === undefined) {
    writers.set(writer, { writer, objects: 1, first: sequence, last: sequence, head: sha256 });
    return;
  }
  known.objects++;
  known.first = Math.min(known.first, sequence);
  if (sequence > known.last) Object.assign(known, { last: sequence, head: sha256 });
}
