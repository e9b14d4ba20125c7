/**
 * Export jobs: one item each in the audit table, `id` = `export#<owner>`, so that nobody finds another's. The item says how far
 * the file is, so that a job outlives the function that works on it.
 */
import { GetCommand, PutCommand, QueryCommand } from "@aws-sdk/lib-dynamodb";
import { z } from "zod";
import { Search } from "./audit-search.ts";
import type { AuditTable } from "./audit-table.ts";
import { newRequestId, requestIdTime } from "./request-id.ts";

/** Days for which file and job are kept; the bucket's lifecycle deletes the file. */
export const KEPT_DAYS = 7;
/** A worker that says nothing for this long is dead: longer than a function can run. */
const LEASE_MS = 16 * 60_000;

const Count = z.int().nonnegative();

/** How far the file is: everything before `cursor` is in the parts. */
export const Checkpoint = z.object({
  cursor: z.string().nullable(),
  uploadId: z.string().nullable(),
  parts: z.array(z.object({ number: z.int().positive(), etag: z.string() })),
  rows: Count,
  bytes: Count,
  searchedUntil: z.string().nullable(),
});
export type Checkpoint = z.infer<typeof Checkpoint>;

export const ExportJob = z.object({
  jobId: z.string(),
  owner: z.string().min(1),
  ownerName: z.string(),
  state: z.enum(["queued", "running", "done", "failed"]),
  format: z.enum(["csv", "jsonl"]),
  content: z.enum(["rows", "objects"]),
  search: Search,
  /** The filter as the person gave it. */
  asked: z.record(z.string(), z.unknown()),
  reason: z.string(),
  startedAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
  attempts: Count,
  error: z.string().nullable(),
  checkpoint: Checkpoint,
  /** What has been written, the unfinished part included. */
  progress: z.object({ rows: Count, bytes: Count, searchedUntil: z.string().nullable() }),
  /** Epoch milliseconds until which a worker holds it. */
  leaseUntil: Count,
  /** Epoch seconds: DynamoDB deletes the job. */
  expiresAt: z.int().positive(),
});
export type ExportJob = z.infer<typeof ExportJob>;

export const FRESH: Checkpoint = {
  cursor: null,
  uploadId: null,
  parts: [],
  rows: 0,
  bytes: 0,
  searchedUntil: null,
};

export const createdAt = (jobId: string) => new Date(requestIdTime(jobId) ?? 0).toISOString();
const keyOf = (owner: string, jobId: string) => ({
  id: `export#${owner}`,
  createdAt: `${createdAt(jobId)}#${jobId}`,
});
const Item = (job: ExportJob) => ({ ...keyOf(job.owner, job.jobId), ...ExportJob.parse(job) });

export type Wanted = Pick<
  ExportJob,
  "owner" | "ownerName" | "format" | "content" | "search" | "asked" | "reason"
>;

export async function create({ client, tableName }: AuditTable, wanted: Wanted): Promise<ExportJob> {
  const { id: jobId, receivedAt } = newRequestId();
  const job: ExportJob = {
    ...wanted,
    jobId,
    state: "queued",
    startedAt: null,
    finishedAt: null,
    attempts: 0,
    error: null,
    checkpoint: FRESH,
    progress: { rows: 0, bytes: 0, searchedUntil: null },
    leaseUntil: 0,
    expiresAt: Math.floor(receivedAt / 1000) + KEPT_DAYS * 86_400,
  };
  await client.send(new PutCommand({ TableName: tableName, Item: Item(job) }));
  return job;
}

export async function get(
  { client, tableName }: AuditTable,
  owner: string,
  jobId: string,
): Promise<ExportJob | null> {
  if (requestIdTime(jobId) === null) return null;
  const { Item } = await client.send(
    new GetCommand({ TableName: tableName, Key: keyOf(owner, jobId), ConsistentRead: true }),
  );
  return Item === undefined ? null : ExportJob.parse(Item);
}

/** Newest first. */
export async function list(
  { client, tableName }: AuditTable,
  owner: string,
  limit: number,
): Promise<ExportJob[]> {
  const { Items = [] } = await client.send(
    new QueryCommand({
      TableName: tableName,
      KeyConditionExpression: "id = :id",
      ExpressionAttributeValues: { ":id": `export#${owner}` },
      ScanIndexForward: false,
      Limit: limit,
      ConsistentRead: true,
    }),
  );
  return Items.map((item) => ExportJob.parse(item));
}

/** Takes a job that waits, or whose worker is dead. @returns null when it is not to be taken */
export async function claim(
  table: AuditTable,
  owner: string,
  jobId: string,
  now: number,
): Promise<ExportJob | null> {
  const job = await get(table, owner, jobId);
  if (job === null) return null;
  const claimed: ExportJob = {
    ...job,
    state: "running",
    startedAt: job.startedAt ?? new Date(now).toISOString(),
    attempts: job.attempts + 1,
    error: null,
    leaseUntil: now + LEASE_MS,
  };
  const taken = await change(
    table,
    claimed,
    "#state = :queued OR (#state = :running AND leaseUntil < :now)",
    {
      ":queued": "queued",
      ":running": "running",
      ":now": now,
    },
  );
  return taken ? claimed : null;
}

/** A worker's own change: refused when the job has another worker now, or is gone. */
export const save = (table: AuditTable, job: ExportJob) =>
  change(table, job, "#state = :running AND attempts = :attempts", {
    ":running": "running",
    ":attempts": job.attempts,
  });

/** A failed job from its last checkpoint. @returns whether it was one */
export const retry = (table: AuditTable, job: ExportJob) =>
  change(table, { ...job, state: "queued", error: null, finishedAt: null }, "#state = :failed", {
    ":failed": "failed",
  });

async function change(
  { client, tableName }: AuditTable,
  job: ExportJob,
  condition: string,
  values: Record<string, unknown>,
): Promise<boolean> {
  try {
    await client.send(
      new PutCommand({
        TableName: tableName,
        Item: Item(job),
        ConditionExpression: condition,
        ExpressionAttributeNames: { "#state": "state" },
        ExpressionAttributeValues: values,
      }),
    );
    return true;
  } catch (error) {
    if ((error as Error).name === "ConditionalCheckFailedException") return false;
    throw error;
  }
}
