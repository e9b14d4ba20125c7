/**
 * What is known of each hour's completeness, kept in the audit bucket beside the trail:
 * `reconcile/YYYY/MM/DD/HH/<time>.json`, a new object for each run, the last one counts.
 */
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import * as Parallel from "./parallel.ts";
import { reconcile, type Source, State } from "./reconcile.ts";
import type { Report } from "./reconcile-report.ts";

export const LEDGER_PREFIX = "reconcile";
const HOUR_MS = 3_600_000;
/** An hour is looked at when its last records had time to arrive and be ingested. */
const SETTLED_MS = 15 * 60_000;
/** An hour that is not complete is looked at again, each time the function runs, for so long. */
const LOOK_BACK_HOURS = 48;

export type Entry = { kind: "report"; report: Report } | { kind: "state"; state: State };

export interface Ledger {
  latest(hour: number): Promise<Entry | null>;
  save(hour: number, entry: Entry): Promise<void>;
}

const folder = (hour: number) => {
  const iso = new Date(hour).toISOString();
  return `${LEDGER_PREFIX}/${iso.slice(0, 10).replaceAll("-", "/")}/${iso.slice(11, 13)}/`;
};

export function ledger(s3: S3Client, bucket: string): Ledger {
  return {
    async latest(hour) {
      let last: string | undefined;
      let ContinuationToken: string | undefined;
      do {
        const page = await s3.send(
          new ListObjectsV2Command({ Bucket: bucket, Prefix: folder(hour), ContinuationToken }),
        );
        last = page.Contents?.at(-1)?.Key ?? last;
        ContinuationToken = page.NextContinuationToken;
      } while (ContinuationToken !== undefined);
      if (last === undefined) return null;
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: last }));
      const entry = JSON.parse((await Body?.transformToString()) ?? "") as Entry;
      return entry.kind === "state" ? { kind: "state", state: State.parse(entry.state) } : entry;
    },
    async save(hour, entry) {
      await s3.send(
        new PutObjectCommand({
          Bucket: bucket,
          Key: `${folder(hour)}${Date.now()}.json`,
          Body: JSON.stringify(entry),
          ContentType: "application/json",
          IfNoneMatch: "*",
        }),
      );
    },
  };
}

/** Entries read at a time. */
const READS_AT_ONCE = 16;
/** The folder of a UTC day. */
const dayFolder = (day: number) =>
  `${LEDGER_PREFIX}/${new Date(day).toISOString().slice(0, 10).replaceAll("-", "/")}/`;
const DAY_MS = 24 * HOUR_MS;

/**
 * The last entry of each hour that has one, by the hour's begin: a list a day and a read an hour.
 * @param from epoch milliseconds, whole hours; `to` is excluded
 */
export async function hours(
  s3: S3Client,
  bucket: string,
  from: number,
  to: number,
): Promise<Map<number, Entry>> {
  const last = new Map<number, string>();
  const days = Array.from(
    { length: Math.ceil((to - (from - (from % DAY_MS))) / DAY_MS) },
    (_, at) => from - (from % DAY_MS) + at * DAY_MS,
  );
  await Parallel.map(days, READS_AT_ONCE, async (day) => {
    let ContinuationToken: string | undefined;
    do {
      const page = await s3.send(
        new ListObjectsV2Command({ Bucket: bucket, Prefix: dayFolder(day), ContinuationToken }),
      );
      for (const { Key = "" } of page.Contents ?? []) {
        const hour = day + Number(Key.slice(dayFolder(day).length).split("/", 1)[0]) * HOUR_MS;
        if (hour >= from && hour < to) last.set(hour, Key);
      }
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
  });
  const entries = await Parallel.map([...last], READS_AT_ONCE, async ([hour, Key]) => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
    return [hour, JSON.parse((await Body?.transformToString()) ?? "") as Entry] as const;
  });
  return new Map(entries);
}

export interface HourResult {
  hour: string;
  /** Null when the time ran out; the next run goes on with it. */
  report: Report | null;
}

/**
 * Reconciles the settled hours of the last two days that are not known to be complete, oldest first.
 * @param signal ends it between two slices; the state is saved
 */
export async function reconcileHours(
  source: Source,
  book: Ledger,
  now: number,
  signal: AbortSignal,
): Promise<HourResult[]> {
  const results: HourResult[] = [];
  const newest = settledUntil(now) / HOUR_MS - 1;
  for (let number = newest - LOOK_BACK_HOURS + 1; number <= newest && !signal.aborted; number++) {
    const hour = number * HOUR_MS;
    const entry = await book.latest(hour);
    if (entry?.kind === "report" && entry.report.complete) continue;
    const report = await reconcileFrom(entry, source, book, hour, now, signal);
    results.push({ hour: new Date(hour).toISOString(), report });
  }
  return results;
}

/** The end of the hours that are settled: later ones may still get records. Epoch milliseconds. */
export const settledUntil = (now: number) => Math.floor((now - SETTLED_MS) / HOUR_MS) * HOUR_MS;

/**
 * Looks at one settled hour, also at one that was found complete.
 * @returns null when `signal` ended it; the next call goes on with it
 */
export async function reconcileHour(
  source: Source,
  book: Ledger,
  hour: number,
  now: number,
  signal: AbortSignal,
): Promise<Report | null> {
  return reconcileFrom(await book.latest(hour), source, book, hour, now, signal);
}

async function reconcileFrom(
  entry: Entry | null,
  source: Source,
  book: Ledger,
  hour: number,
  now: number,
  signal: AbortSignal,
): Promise<Report | null> {
  let state: State | undefined;
  const report = await reconcile(
    source,
    { from: hour, to: hour + HOUR_MS },
    {
      now,
      signal,
      ...(entry?.kind === "state" ? { resume: entry.state } : {}),
      ...(entry?.kind === "report" ? { sentBefore: new Set(entry.report.missingRows.keys) } : {}),
      onProgress: (reached) => {
        state = reached;
      },
    },
  );
  if (report) await book.save(hour, { kind: "report", report });
  else if (state) await book.save(hour, { kind: "state", state });
  return report;
}
