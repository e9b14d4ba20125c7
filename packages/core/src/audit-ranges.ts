/**
 * In which ranges of the table and its indexes the rows of a query lie: of one bucket of time, each in order of time, no row
 * in two of them. Why so: docs/decisions/audit-table.md.
 */
import * as AuditIndex from "./audit-index.ts";
import type { AuditQuery } from "./audit-query.ts";
import type { Item, SortedIndex } from "./audit-table.ts";
import * as TimeBuckets from "./time-buckets.ts";

export interface Range {
  index: SortedIndex;
  partition: string;
  /** What stands before the position in the sort key, e.g. `404#`. */
  prefix?: string;
  /** Drops rows that the range holds beside the wanted ones. */
  accept?: (item: Item) => boolean;
}

export type TimeQuery = Exclude<AuditQuery, { by: "slowest" }>;

const shards = Array.from({ length: AuditIndex.SHARDS }, (_, shard) => shard);

/** Partitions among which the rows of one bucket of time are spread: each answers with its own newest. */
export function shardsOf(query: AuditQuery): number {
  if (query.by === "project") return 1;
  if (query.by === "projects") return new Set(query.projectIds).size;
  return AuditIndex.SHARDS;
}

/** Queries that one round over a bucket of time takes; `slowest` asks all its days at once. */
export function queriesARound(query: AuditQuery): number {
  if (query.by !== "slowest") return ofBucket(query, "").length;
  return TimeBuckets.days(query.from, query.to).length * AuditIndex.SHARDS;
}

/** @param bucket the day or month; lists by project have none */
export function ofBucket(query: TimeQuery, bucket: string): Range[] {
  switch (query.by) {
    case "project":
      return [{ index: "project", partition: AuditIndex.projectKey(query.projectId) }];
    case "projects":
      return [...new Set(query.projectIds.map(AuditIndex.projectKey))].map((partition) => ({
        index: "project",
        partition,
      }));
    case "user":
      return shards.map((shard) => ({
        index: "user",
        partition: AuditIndex.userPartition(query.userId, bucket, shard),
      }));
    case "status":
      return ofStatus(query.statusCode, bucket);
    case "statusClass":
      return ofClass(query.statusClass, bucket);
    case "all":
      return [...ofStatus(200, bucket), ...failures("4xx", bucket), ...failures("other", bucket)];
  }
}

function ofStatus(statusCode: number, day: string): Range[] {
  const prefix = `${AuditIndex.statusText(statusCode)}#`;
  return shards.map((shard) => ({
    index: "status",
    partition: AuditIndex.statusPartition(day, shard),
    prefix,
  }));
}

function failures(group: AuditIndex.FailureGroup, day: string, accept?: Range["accept"]): Range[] {
  return shards.map((shard) => ({
    index: "failure",
    partition: AuditIndex.failurePartition(group, day, shard),
    ...(accept && { accept }),
  }));
}

/** 5 is nearly all of `other`; the classes beside it are next to never given, and are picked out. */
function ofClass(statusClass: number, day: string): Range[] {
  if (statusClass === 4) return failures("4xx", day);
  const isOfClass = ({ statusCode }: Item) => Math.floor(Number(statusCode) / 100) === statusClass;
  const others = failures("other", day, isOfClass);
  return statusClass === 2 ? [...ofStatus(200, day), ...others] : others;
}
