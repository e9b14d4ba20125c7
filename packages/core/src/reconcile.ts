/**
 * Is the trail of a window complete? Held against each other: the objects in S3, the rows in DynamoDB, and what the writers say
 * of their sequences. Missing rows are sent to ingest again; missing objects and gaps are named.
 *
 * Works in slices of five minutes and keeps one slice in memory, so a day of any size takes the same room. The state after
 * each slice is plain JSON: a run that was cut off goes on from it.
 *
 * Names that carry their time (our UUIDv7s) are compared slice by slice. Client-chosen names carry none: each is looked up on the
 * other side by itself, and counts to the window in which its object was stored.
 */
import { z } from "zod";
import { type Report, report, type Said } from "./reconcile-report.ts";
import { requestIdTime } from "./request-id.ts";
import { SequenceSet } from "./sequence-set.ts";
import type { WriterStatement } from "./writer-statement.ts";

const SLICE_MS = 5 * 60_000;
/** Records are numbered when they end and lie where they began: a request may take this long. */
const LONGEST_REQUEST_MS = 20 * 60_000;
/** An object may come to S3 this much after its request, while S3 or the disk's owner was away. */
const LATEST_UPLOAD_MS = 2 * 24 * 60 * 60_000;
/** Findings that are listed; beyond them they are only counted. */
const MAX_LISTED = 1_000;

export interface RowRef {
  requestId: string;
  receivedAt: string;
  writer?: string | undefined;
  sequence?: number | undefined;
}

export interface ObjectRef {
  requestId: string;
  key: string;
  /** Epoch milliseconds. */
  storedAt: number;
}

/** What `reconcile` reads and does; `reconcile-source.ts` is the one on AWS. Times are epoch milliseconds, `to` excluded. */
export interface Source {
  /** In any order. */
  rows(from: number, to: number): AsyncIterable<RowRef>;
  /** Objects of ours by their names' time. */
  timedObjects(from: number, to: number): AsyncIterable<ObjectRef>;
  /** All objects of a UTC day (`YYYY-MM-DD`) but those that `timedObjects` gives for that day. */
  otherObjects(day: string): AsyncIterable<ObjectRef>;
  hasRow(requestId: string): Promise<boolean>;
  hasObject(row: RowRef): Promise<boolean>;
  /** Of each writer's statements in the time, at least the last before each of `marks` and the last of all. */
  statements(from: number, to: number, marks: readonly number[]): AsyncIterable<WriterStatement>;
  /** The writer and number that the object was stored with; null when it is gone or of an older writer. */
  chainOf(key: string): Promise<{ writer: string; sequence: number } | null>;
  requeue(keys: readonly string[]): Promise<void>;
}

const Ranges = z.array(z.tuple([z.int(), z.int()]));
const Time = z.int().nonnegative();

export const State = z.object({
  version: z.literal(1),
  from: Time,
  to: Time,
  /** Where to go on; behind `to` come the client-chosen names and the writers. */
  next: Time,
  objects: z.int(),
  rows: z.int(),
  requeued: z.int(),
  missingRows: z.object({ count: z.int(), keys: z.array(z.string()) }),
  missingObjects: z.object({ count: z.int(), requestIds: z.array(z.string()) }),
  /** Of each writer: all numbers seen, and the least and greatest of rows within the window. */
  writers: z.record(
    z.string(),
    z.object({ seen: Ranges, first: z.int().nullable(), last: z.int().nullable() }),
  ),
});
export type State = z.infer<typeof State>;

export interface Options {
  /** Find only; send nothing to ingest. */
  dryRun?: boolean;
  /** Keys that an earlier run sent to ingest: one that cannot become a row shall not be a new dead letter at every run. */
  sentBefore?: ReadonlySet<string>;
  resume?: State;
  /** Called after each slice with the state to go on from. */
  onProgress?: (state: State) => void | Promise<void>;
  signal?: AbortSignal;
  now?: number;
}

/** @returns the report, or null when `signal` ended it; the last state given to `onProgress` goes on from there */
export async function reconcile(
  source: Source,
  window: { from: number; to: number },
  options: Options = {},
): Promise<Report | null> {
  const state = options.resume ?? fresh(window);
  const writers = new Map(
    Object.entries(state.writers).map(([name, { seen, ...edges }]) => [
      name,
      { ...edges, seen: new SequenceSet(seen) },
    ]),
  );
  const save = async () => {
    state.writers = Object.fromEntries(
      [...writers].map(([name, { seen, ...edges }]) => [
        name,
        { ...edges, seen: seen.ranges.map(([a, b]) => [a, b]) },
      ]),
    );
    await options.onProgress?.(structuredClone(state));
  };
  const note = ({ writer: name, sequence }: Partial<Chained>, inWindow = true) => {
    if (name === undefined || sequence === undefined) return;
    let writer = writers.get(name);
    if (writer === undefined) {
      writer = { first: null, last: null, seen: new SequenceSet() };
      writers.set(name, writer);
    }
    writer.seen.add(sequence);
    if (!inWindow) return;
    writer.first = Math.min(writer.first ?? sequence, sequence);
    writer.last = Math.max(writer.last ?? sequence, sequence);
  };

  while (state.next < state.to) {
    if (options.signal?.aborted) return null;
    const end = Math.min(state.next + SLICE_MS, state.to);
    await reconcileSlice(source, state, end, note, options);
    state.next = end;
    await save();
  }
  if (options.signal?.aborted) return null;
  await reconcileNamed(source, state, note, options);
  for (const [from, to] of [
    [state.from - LONGEST_REQUEST_MS, state.from],
    [state.to, state.to + LONGEST_REQUEST_MS],
  ] as const) {
    for await (const row of source.rows(from, to)) note(row, false);
  }
  return report(state, writers, await statementsOf(source, state), options.now ?? Date.now());
}

function fresh({ from, to }: { from: number; to: number }): State {
  const none = { objects: 0, rows: 0, requeued: 0 };
  const missing = { missingRows: { count: 0, keys: [] }, missingObjects: { count: 0, requestIds: [] } };
  return { version: 1, from, to, next: from, ...none, ...missing, writers: {} };
}

async function reconcileSlice(
  source: Source,
  state: State,
  end: number,
  note: Note,
  options: Options,
): Promise<void> {
  const unmatched = new Map<string, string>();
  for await (const { requestId, key } of source.timedObjects(state.next, end)) unmatched.set(requestId, key);
  state.objects += unmatched.size;
  for await (const row of source.rows(state.next, end)) {
    state.rows++;
    note(row);
    const timed = requestIdTime(row.requestId) === Date.parse(row.receivedAt);
    if (timed ? unmatched.delete(row.requestId) : await source.hasObject(row)) continue;
    state.missingObjects.count++;
    if (state.missingObjects.requestIds.length < MAX_LISTED)
      state.missingObjects.requestIds.push(row.requestId);
  }
  // A row whose time differs from its name's (another writer's UUIDv7) lies in another slice.
  const keys: string[] = [];
  for (const [requestId, key] of unmatched) if (!(await source.hasRow(requestId))) keys.push(key);
  await missingRows(source, state, keys, note, options);
}

/** Objects whose names say no time: each is asked for in the table. */
async function reconcileNamed(source: Source, state: State, note: Note, options: Options): Promise<void> {
  const firstDay = state.from - LATEST_UPLOAD_MS;
  for (let day = firstDay - (firstDay % DAY_MS); day < state.to; day += DAY_MS) {
    for await (const { requestId, key, storedAt } of source.otherObjects(
      new Date(day).toISOString().slice(0, 10),
    )) {
      if (storedAt < state.from || storedAt >= state.to) continue;
      state.objects++;
      if (!(await source.hasRow(requestId))) await missingRows(source, state, [key], note, options);
    }
  }
}

const DAY_MS = 24 * 60 * 60_000;

interface Chained {
  writer: string | undefined;
  sequence: number | undefined;
}
type Note = (chained: Partial<Chained>) => void;

async function missingRows(
  source: Source,
  state: State,
  keys: readonly string[],
  note: Note,
  options: Options,
): Promise<void> {
  if (keys.length === 0) return;
  state.missingRows.count += keys.length;
  state.missingRows.keys.push(...keys.slice(0, MAX_LISTED - state.missingRows.keys.length));
  // The object is there: its number is not a gap.
  for (const key of keys) note((await source.chainOf(key)) ?? {});
  const fresh = keys.filter((key) => !options.sentBefore?.has(key));
  if (options.dryRun || fresh.length === 0) return;
  await source.requeue(fresh);
  state.requeued += fresh.length;
}

async function statementsOf(source: Source, { from, to }: State): Promise<Map<string, Said>> {
  const said = new Map<string, Said>();
  for await (const statement of source.statements(from - DAY_MS, to + DAY_MS, [from, to])) {
    const at = Date.parse(statement.at);
    const known = said.get(statement.writer) ?? { before: null, within: null, last: statement };
    if (at < from) known.before = Math.max(known.before ?? 0, statement.sequence);
    else if (at < to) known.within = Math.max(known.within ?? 0, statement.sequence);
    // The last word stays the last, also where its writer's clock had been stepped back before it.
    if (known.last.state === "open" && (statement.state === "closed" || statement.at >= known.last.at))
      known.last = statement;
    said.set(statement.writer, known);
  }
  return said;
}
