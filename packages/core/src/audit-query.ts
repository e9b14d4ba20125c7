/**
 * Finds rows: by project, user, status, status class, latency within a project, all of them, newest first (or slowest
 * first), page by page, by key conditions alone. A page costs a bounded number of queries: it may come back short, with
 * `searchedUntil` and a cursor to go on. How: docs/decisions/audit-table.md.
 */
import { z } from "zod";
import * as Cursor from "./audit-cursor.ts";
import * as AuditIndex from "./audit-index.ts";
import * as AuditRanges from "./audit-ranges.ts";
import type { AuditTable, Item } from "./audit-table.ts";
import * as IndexPartition from "./index-partition.ts";
import { type ListedRow, toListed } from "./listed-row.ts";
import * as SortedMerge from "./sorted-merge.ts";
import * as TimeBuckets from "./time-buckets.ts";

/** ISO 8601 with a zone; kept as UTC with milliseconds. */
const Instant = z.iso.datetime({ offset: true }).transform((text) => new Date(text).toISOString());
const Name = z.string().min(1).max(512);
/** Rows received at `from` or later, and before `to`. */
const span = { from: Instant, to: Instant };

/** "Slowest" has to look at every day of its range. */
export const MAX_SLOWEST_DAYS = 31;
const MAX_DAYS = 3_700;
export const MAX_PROJECTS = 20;

const spanDays = (from: string, to: string) => (Date.parse(to) - Date.parse(from)) / 86_400_000;

export const AuditQuery = z
  .discriminatedUnion("by", [
    z.strictObject({ by: z.literal("project"), projectId: Name, ...span }),
    /** Of a person who is bound to some projects. */
    z.strictObject({
      by: z.literal("projects"),
      projectIds: z.array(Name).min(1).max(MAX_PROJECTS),
      ...span,
    }),
    z.strictObject({ by: z.literal("user"), userId: Name, ...span }),
    /** 0 finds rows whose status was not recorded. */
    z.strictObject({ by: z.literal("status"), statusCode: z.int().min(0).max(999), ...span }),
    /** 4 stands for 400 to 499. */
    z.strictObject({ by: z.literal("statusClass"), statusClass: z.int().min(1).max(5), ...span }),
    z.strictObject({ by: z.literal("slowest"), projectId: Name, ...span }),
    z.strictObject({ by: z.literal("all"), ...span }),
  ])
  .refine(({ from, to }) => from < to, "`from` must be before `to`")
  .refine(({ from, to }) => spanDays(from, to) <= MAX_DAYS, "a query covers at most ten years")
  .refine(
    ({ by, from, to }) => by !== "slowest" || spanDays(from, to) <= MAX_SLOWEST_DAYS,
    `"slowest" covers at most ${MAX_SLOWEST_DAYS} days: choose a shorter range`,
  );
export type AuditQuery = z.infer<typeof AuditQuery>;

export const PageOptions = z.object({
  limit: z.int().min(1).max(500).default(50),
  cursor: z.string().nullish(),
  /** Gives the rows beyond `limit`, too, that its queries brought. */
  surplus: z.boolean().default(false),
  /** Previews, where the rows come from the base table. */
  previews: z.boolean().default(true),
  /** DynamoDB queries: no round over the partitions is begun that would pass them, but the first always is. */
  maxQueries: z.int().positive().default(60),
});
export type PageOptions = z.input<typeof PageOptions>;

export interface Page {
  rows: ListedRow[];
  /** Null at the end of the list. A page with a cursor may hold fewer rows than asked for, even none. */
  cursor: string | null;
  /** Every match received since then has been returned, in this page or before it; null for `slowest`. */
  searchedUntil: string | null;
  /** DynamoDB queries that this page took. */
  queries: number;
}

/**
 * @throws {z.ZodError} when query or options are not valid
 * @throws {Cursor.CursorError} when the cursor is not one of this query
 */
export async function page(table: AuditTable, input: AuditQuery, options: PageOptions = {}): Promise<Page> {
  const query = AuditQuery.parse(input);
  const { limit, cursor, maxQueries, previews, surplus } = PageOptions.parse(options);
  const start = cursor ? Cursor.decode(query, cursor) : null;
  const budget: SortedMerge.Budget = { spent: 0, allowed: maxQueries };
  const { entries, rest } =
    query.by === "slowest"
      ? await slowest(table, query, limit, start, budget)
      : await newest(table, query, { limit, surplus, brief: !previews }, start, budget);
  return {
    rows: entries.map(({ item }) => toListed(item)),
    cursor: rest === null ? null : Cursor.encode(query, rest),
    searchedUntil: query.by === "slowest" ? null : (rest?.split("#", 1)[0] ?? query.from),
    queries: budget.spent,
  };
}

interface Found {
  entries: IndexPartition.Entry[];
  rest: string | null;
}

/** Failures are few; a wide round does not read as many of them as of the rest. */
const MOST_FAILURES = 80;

/** Rows to read at a time of each range: of shards what they hold of a page, and four standard deviations more. */
function chunkOf(query: AuditRanges.TimeQuery, { index }: AuditRanges.Range, limit: number): number {
  if (query.by === "project" || query.by === "projects") return limit;
  const ofShard = Math.ceil(limit / AuditIndex.SHARDS + 1.75 * Math.sqrt(limit));
  const most = query.by === "all" && index === "failure" ? MOST_FAILURES : limit;
  return Math.min(ofShard, limit, most);
}

/** Empty buckets passed in a row double how many are asked at once, up to this. */
const MAX_BUCKETS_AT_ONCE = 8;

async function newest(
  table: AuditTable,
  query: AuditRanges.TimeQuery,
  { limit, surplus, brief }: { limit: number; surplus: boolean; brief: boolean },
  start: string | null,
  budget: SortedMerge.Budget,
): Promise<Found> {
  const end = start !== null && start < query.to ? start : query.to;
  const buckets = bucketsOf(query, end);
  const entries: IndexPartition.Entry[] = [];
  const round = AuditRanges.queriesARound(query);
  let width = 1;
  for (let i = 0; i < buckets.length; i += width) {
    if (i > 0) {
      const affordable = Math.floor((budget.allowed - budget.spent) / round);
      if (affordable < 1) return { entries, rest: buckets[i]?.upper ?? null };
      width = entries.length === 0 ? Math.min(width * 2, MAX_BUCKETS_AT_ONCE, affordable) : 1;
    }
    const group = buckets.slice(i, i + width);
    const sources = group.flatMap(({ name, lower, upper }) =>
      AuditRanges.ofBucket(query, name).map((range) =>
        IndexPartition.source(table, range, { lower, upper, chunk: chunkOf(query, range, limit), brief }),
      ),
    );
    const taken = await SortedMerge.take(sources, limit - entries.length, budget, surplus);
    entries.push(...taken.rows);
    if (taken.rest !== null) return { entries, rest: taken.rest };
    if (entries.length >= limit) {
      const last = entries.at(-1)?.position ?? null;
      return { entries, rest: i + width < buckets.length ? last : null };
    }
  }
  return { entries, rest: null };
}

function bucketsOf(query: AuditRanges.TimeQuery, end: string): TimeBuckets.Bucket[] {
  if (query.by === "project" || query.by === "projects") return [{ name: "", lower: query.from, upper: end }];
  return query.by === "user" ? TimeBuckets.months(query.from, end) : TimeBuckets.days(query.from, end);
}

/** Above every latency key: digits, `.` and `#` come before `~`. */
const ABOVE = "~";

/** All days at once, since the slowest may be in any. Rows of the edge days are held against the clock one by one. */
async function slowest(
  table: AuditTable,
  query: Extract<AuditQuery, { by: "slowest" }>,
  limit: number,
  start: string | null,
  budget: SortedMerge.Budget,
): Promise<Found> {
  const days = TimeBuckets.days(query.from, query.to);
  const inTime = (item: Item) => item.createdAt >= query.from && item.createdAt < query.to;
  const partitions = days.flatMap(({ name }) =>
    Array.from({ length: AuditIndex.SHARDS }, (_, shard) =>
      AuditIndex.latencyPartition(query.projectId, name, shard),
    ),
  );
  const chunk = Math.min(limit, Math.max(10, Math.ceil((4 * limit) / partitions.length)));
  const bounds = { lower: "0", upper: start ?? ABOVE, chunk };
  const sources = partitions.map((partition) =>
    IndexPartition.source(table, { index: "latency", partition, accept: inTime }, bounds),
  );
  // Nothing can be handed out before every partition was asked once; the edge days may need a second look.
  budget.allowed = Math.max(budget.allowed, 2 * partitions.length);
  const { rows, rest } = await SortedMerge.take(sources, limit, budget);
  return { entries: rows, rest };
}
