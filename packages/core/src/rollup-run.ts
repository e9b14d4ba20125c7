/**
 * Computes rollups from the rows themselves: a minute is always counted anew, an hour is the sum of its minutes and a day of
 * its hours. So nothing is counted twice, whatever is ingested or computed again. Each run takes the last minutes, in which
 * rows still come, and older minutes that ingest has marked. See docs/decisions/rollups.md.
 */
import * as AuditIndex from "./audit-index.ts";
import * as AuditTable from "./audit-table.ts";
import { toListed } from "./listed-row.ts";
import * as ModelTraffic from "./model-traffic.ts";
import * as RollupBucket from "./rollup-bucket.ts";
import * as RollupMark from "./rollup-mark.ts";
import * as RollupTable from "./rollup-table.ts";

const MINUTE_MS = RollupTable.STEP_MS.minute;
/** Ingest marks the minute of a row that is stored this long after its receipt. */
export const LATE_MS = 3 * MINUTE_MS;
/** Longer than that by what storing a row may take with all its retries, and by the time between two runs. */
const OPEN_MINUTES = 6;
/** Where the first run of all begins; older rows need a run with `from`. */
const FIRST_LOOK_MINUTES = 60;
const MAX_MARKS = 500;
/** Marks younger than this wait for the next run: indexes show a row some moments after the table does. */
const SETTLING_MS = 5_000;
/** Rows of a Query. */
const PAGE = 1_000;

export interface RunReport {
  rows: number;
  minutes: number;
  written: number;
  /** All that was to be done is done. */
  complete: boolean;
  /** Epoch milliseconds: of a given window, all before is done. */
  reached?: number;
}

/** @param receivedAt ISO */
export const isLate = (receivedAt: string, now: number) => now - Date.parse(receivedAt) > LATE_MS;
export const minuteOf = (time: number) => time - (time % MINUTE_MS);

/**
 * @param window a range to compute instead (epoch milliseconds, `to` excluded), e.g. what was there before rollups were
 * @param signal ends the run between two hours; the next one goes on
 */
export async function run(
  table: AuditTable.AuditTable,
  now: number,
  {
    window,
    signal,
  }: { window?: { from: number; to: number } | undefined; signal?: AbortSignal | undefined } = {},
): Promise<RunReport> {
  const report: RunReport = { rows: 0, minutes: 0, written: 0, complete: true };
  if (window) {
    for (const [from, to] of hoursOf(minuteOf(window.from), window.to)) {
      if (signal?.aborted) return { ...report, complete: false };
      await compute(table, from, to, report);
      report.reached = to;
    }
    return report;
  }
  const end = minuteOf(now) + MINUTE_MS;
  const known = await RollupTable.through(table);
  const from = Math.min(known ?? end - FIRST_LOOK_MINUTES * MINUTE_MS, end - OPEN_MINUTES * MINUTE_MS);
  for (const [begin, stop] of hoursOf(from, end)) {
    if (signal?.aborted) return { ...report, complete: false };
    await compute(table, begin, stop, report);
    await RollupTable.saveThrough(table, Math.min(stop, now));
  }
  const marks = await RollupMark.list(table, MAX_MARKS, now - SETTLING_MS);
  for (const mark of marks) {
    if (signal?.aborted) return { ...report, complete: false };
    const done = mark.minute >= from && mark.minute < end;
    if (!done) await compute(table, mark.minute, mark.minute + MINUTE_MS, report);
    // A mark that came while this run was on its way may stand for a row that it did not see.
    await RollupMark.remove(table, mark);
  }
  return { ...report, complete: marks.length < MAX_MARKS };
}

/** Pieces of at most an hour. */
function* hoursOf(from: number, to: number): Generator<[number, number]> {
  const { hour } = RollupTable.STEP_MS;
  for (let at = from; at < to; at = at - (at % hour) + hour)
    yield [at, Math.min(at - (at % hour) + hour, to)];
}

/** Minutes of one hour, then that hour and its day, of every scope that has rows in them. */
async function compute(
  table: AuditTable.AuditTable,
  from: number,
  to: number,
  report: RunReport,
): Promise<void> {
  const minutes = new Map<string, RollupTable.BucketKey & { bucket: RollupBucket.Bucket }>();
  const bucketOf = (scope: RollupTable.Scope, time: number) => {
    const name = `${time}\n${scope}`;
    let known = minutes.get(name);
    if (known === undefined) {
      known = { granularity: "minute", scope, time, bucket: RollupBucket.empty() };
      minutes.set(name, known);
    }
    return known.bucket;
  };
  await eachRow(table, from, to, (item) => {
    const row = toListed(item);
    // Looking at the trail is not traffic.
    if (row.profile === "console") return;
    report.rows++;
    const minute = minuteOf(Date.parse(row.receivedAt));
    // Nor is administration; it is counted in its own project alone.
    if (ModelTraffic.isModelTraffic(row)) RollupBucket.add(bucketOf(RollupTable.ALL, minute), row, "all");
    RollupBucket.add(bucketOf(row.id, minute), row, "project");
  });
  report.minutes += Math.round((to - from) / MINUTE_MS);
  const stored = [...minutes.values()].map(({ bucket, ...key }) => ({
    ...key,
    stored: RollupBucket.store(bucket),
  }));
  report.written += await RollupTable.putChanged(table, stored);
  const scopes = new Set([...minutes.values()].map(({ scope }) => scope));
  for (const [granularity, parts] of [
    ["hour", "minute"],
    ["day", "hour"],
  ] as const) {
    const step = RollupTable.STEP_MS[granularity];
    const time = from - (from % step);
    const sums = await Promise.all(
      [...scopes].map(async (scope) => ({
        granularity,
        scope,
        time,
        stored: await sum(table, scope, parts, time, step),
      })),
    );
    report.written += await RollupTable.putChanged(table, sums);
  }
}

async function sum(
  table: AuditTable.AuditTable,
  scope: RollupTable.Scope,
  granularity: RollupTable.Granularity,
  time: number,
  lengthMs: number,
): Promise<RollupBucket.StoredBucket> {
  const key = { granularity, scope };
  const all = ["total", "dimensions", "users"] as const;
  const { buckets } = await RollupTable.range(table, key, time, time + lengthMs, all, true);
  const bucket = RollupBucket.empty();
  for (const part of buckets) RollupBucket.mergeStored(bucket, part as RollupBucket.StoredBucket);
  return RollupBucket.store(bucket);
}

/** Every row received in the time, in no order: of each shard and status that the day has, exactly that range. */
async function eachRow(
  table: AuditTable.AuditTable,
  from: number,
  to: number,
  each: (item: AuditTable.Item) => void,
): Promise<void> {
  const [lower, upper] = [new Date(from).toISOString(), new Date(to).toISOString()];
  const shards = Array.from({ length: AuditIndex.SHARDS }, (_, shard) => shard);
  await Promise.all(
    shards.map(async (shard) => {
      const partition = AuditIndex.statusPartition(lower.slice(0, 10), shard);
      let below = "999#~";
      for (;;) {
        const next = await AuditTable.readRange(table, "status", {
          partition,
          low: "0",
          high: below,
          limit: 1,
        });
        if (next.items[0] === undefined) return;
        const status = String(next.items[0].statusSk).slice(0, "000#".length);
        const low = status + lower;
        let high = status + upper;
        for (let more = true; more; ) {
          const page = await AuditTable.readRange(table, "status", { partition, low, high, limit: PAGE });
          for (const item of page.items) if (String(item.statusSk) < high) each(item);
          high = String(page.items.at(-1)?.statusSk ?? low);
          more = page.more;
        }
        below = status;
      }
    }),
  );
}
