/**
 * Rollups in the audit table, beside the rows: `id` = `rollup#<granularity>#<scope>#<period>`, `createdAt` = the bucket's
 * begin. They carry none of the indexes' keys, so that no list meets them. Why so: docs/decisions/rollups.md.
 */
import { BatchGetCommand, GetCommand, PutCommand, QueryCommand } from "@aws-sdk/lib-dynamodb";
import * as AuditTable from "./audit-table.ts";
import * as Parallel from "./parallel.ts";
import type { StoredBucket } from "./rollup-bucket.ts";

export const GRANULARITIES = ["minute", "hour", "day"] as const;
export type Granularity = (typeof GRANULARITIES)[number];
export const STEP_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;
/** Characters of the ISO time that name a period: the buckets of a day, a month, a year share a partition. */
const PERIOD_LENGTH = { minute: 10, hour: 7, day: 4 } as const;
const NEXT_PERIOD = {
  minute: (date: Date) => date.setUTCDate(date.getUTCDate() + 1),
  hour: (date: Date) => date.setUTCMonth(date.getUTCMonth() + 1),
  day: (date: Date) => date.setUTCFullYear(date.getUTCFullYear() + 1),
} as const;

/** All projects, or the key of one (`project#…`, as rows have it). */
export type Scope = string;
export const ALL: Scope = "all";

export interface BucketKey {
  granularity: Granularity;
  scope: Scope;
  /** Epoch milliseconds of its begin. */
  time: number;
}

const iso = (time: number) => new Date(time).toISOString();
const partition = (granularity: Granularity, scope: Scope, time: number) =>
  `rollup#${granularity}#${scope}#${iso(time).slice(0, PERIOD_LENGTH[granularity])}`;
const keyOf = ({ granularity, scope, time }: BucketKey) => ({
  id: partition(granularity, scope, time),
  createdAt: iso(time),
});

type Attribute = keyof StoredBucket;
export type Read = Partial<StoredBucket> & { time: number };

/** The buckets of a scope that begin at `from` or later and before `to`, with these attributes alone. */
export async function range(
  { client, tableName }: AuditTable.AuditTable,
  { granularity, scope }: Omit<BucketKey, "time">,
  from: number,
  to: number,
  attributes: readonly Attribute[],
  consistent = false,
): Promise<{ buckets: Read[]; queries: number }> {
  const starts: number[] = [];
  for (let at = from; at < to; ) {
    starts.push(at);
    const next = new Date(iso(at).slice(0, PERIOD_LENGTH[granularity]));
    NEXT_PERIOD[granularity](next);
    at = next.getTime();
  }
  let queries = 0;
  const read = await Parallel.map(starts, 8, async (start) => {
    const buckets: Read[] = [];
    let ExclusiveStartKey: Record<string, unknown> | undefined;
    do {
      queries++;
      const page = await client.send(
        new QueryCommand({
          TableName: tableName,
          KeyConditionExpression: "id = :id AND createdAt BETWEEN :from AND :to",
          ExpressionAttributeValues: {
            ":id": partition(granularity, scope, start),
            ":from": iso(from),
            ":to": iso(to - 1),
          },
          ProjectionExpression: ["createdAt", ...attributes.map((name) => `#${name}`)].join(", "),
          ...(attributes.length > 0 && {
            ExpressionAttributeNames: Object.fromEntries(attributes.map((name) => [`#${name}`, name])),
          }),
          ConsistentRead: consistent,
          ExclusiveStartKey,
        }),
      );
      for (const { createdAt, ...stored } of page.Items ?? []) {
        buckets.push({ ...(stored as Partial<StoredBucket>), time: Date.parse(createdAt) });
      }
      ExclusiveStartKey = page.LastEvaluatedKey;
    } while (ExclusiveStartKey !== undefined);
    return buckets;
  });
  return { buckets: read.flat(), queries };
}

/** DynamoDB's limit of a BatchGetItem. */
const BATCH = 100;

/** Writes the buckets that are not there as they are. @returns how many were written */
export async function putChanged(
  table: AuditTable.AuditTable,
  buckets: readonly (BucketKey & { stored: StoredBucket })[],
): Promise<number> {
  const { client, tableName } = table;
  let written = 0;
  for (let at = 0; at < buckets.length; at += BATCH) {
    const batch = buckets.slice(at, at + BATCH);
    const known = new Map<string, StoredBucket>();
    const { Responses } = await client.send(
      new BatchGetCommand({ RequestItems: { [tableName]: { Keys: batch.map(keyOf) } } }),
    );
    for (const item of Responses?.[tableName] ?? [])
      known.set(`${item.id}\n${item.createdAt}`, item as StoredBucket);
    const changed = batch.flatMap(({ stored, ...key }) => {
      const { id, createdAt } = keyOf(key);
      return isSame(known.get(`${id}\n${createdAt}`), stored) ? [] : [{ id, createdAt, ...stored }];
    });
    written += changed.length;
    await AuditTable.putItems(table, changed);
  }
  return written;
}

const isSame = (known: StoredBucket | undefined, next: StoredBucket) =>
  known !== undefined &&
  known.total === next.total &&
  Buffer.compare(known.dimensions, next.dimensions) === 0 &&
  Buffer.compare(known.users, next.users) === 0;

const STATE = { id: "rollup#state", createdAt: "minute" };

/** Rollups are made of all rows received before this (epoch milliseconds); null before the first run. */
export async function through({ client, tableName }: AuditTable.AuditTable): Promise<number | null> {
  const { Item } = await client.send(new GetCommand({ TableName: tableName, Key: STATE }));
  return Item === undefined ? null : Number(Item.through);
}

export async function saveThrough({ client, tableName }: AuditTable.AuditTable, time: number): Promise<void> {
  await client.send(new PutCommand({ TableName: tableName, Item: { ...STATE, through: time } }));
}
