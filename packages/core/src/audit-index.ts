/**
 * Where a row lies: the values of the table's and the indexes' keys. Reader and writer compose them here and nowhere
 * else. Why they look like this, and what they may cost: docs/decisions/audit-table.md.
 */
import { hash } from "node:crypto";
import { requestIdTime } from "./request-id.ts";

/** Each index spreads a partition's writes over this many, so that none takes over 1,000 units a second. */
export const SHARDS = 4;

/** Longest project or user, and longest request id, that a key holds whole: an index row must stay below 1 KB. */
const MAX_NAME_BYTES = 96;
const MAX_REQUEST_ID_BYTES = 128;

export function shardOf(requestId: string): number {
  return hash("sha1", requestId, "buffer").readUInt32BE() % SHARDS;
}

/** A name as keys hold it: itself, or when too long its beginning and a hash, so that it stays findable and distinct. */
function keyName(name: string, maxBytes: number): string {
  if (Buffer.byteLength(name) <= maxBytes) return name;
  const head = Buffer.from(name)
    .subarray(0, maxBytes - 17)
    .toString()
    .replace(/\ufffd$/, "");
  return `${head}~${hash("sha256", name).slice(0, 16)}`;
}

/** A request id as keys hold it. ASCII only, since DynamoDB orders by bytes and JavaScript by UTF-16 units. */
export function keyRequestId(requestId: string): string {
  const ascii = requestId.replace(/[^\x21-\x7e]/g, "_");
  return ascii === requestId
    ? keyName(requestId, MAX_REQUEST_ID_BYTES)
    : `${keyName(ascii, MAX_REQUEST_ID_BYTES - 17).slice(0, MAX_REQUEST_ID_BYTES - 17)}~${hash("sha256", requestId).slice(0, 16)}`;
}

export const projectKey = (projectId: string) => `project#${keyName(projectId, MAX_NAME_BYTES)}`;

/** `<ISO ms>#<requestId>`: the base table's sort key, and the place of a row in every list by time. */
export const timeKey = (receivedAt: string, requestId: string) => `${receivedAt}#${keyRequestId(requestId)}`;

export const userPartition = (userId: string, month: string, shard: number) =>
  `${keyName(userId, MAX_NAME_BYTES)}#${month}#${shard}`;

export const statusPartition = (day: string, shard: number) => `${day}#${shard}`;

/** Three digits, so that text order is number order; 0 stands for "not recorded". */
export const statusText = (statusCode: number) => String(statusCode).padStart(3, "0");

/** Rows that are no 200 stand a second time under one of these, by time alone: see docs/decisions/audit-table.md. */
export const FAILURE_GROUPS = ["4xx", "other"] as const;
export type FailureGroup = (typeof FAILURE_GROUPS)[number];

/** Null for a 200. What was not recorded (0) and every status outside of 400 to 499 is `other`. */
export function failureGroup(statusCode: number): FailureGroup | null {
  if (statusCode === 200) return null;
  return statusCode >= 400 && statusCode <= 499 ? "4xx" : "other";
}

export const failurePartition = (group: FailureGroup, day: string, shard: number) =>
  `${group}#${day}#${shard}`;

export const latencyPartition = (projectId: string, day: string, shard: number) =>
  `${keyName(projectId, MAX_NAME_BYTES)}#${day}#${shard}`;

const MAX_LATENCY_MS = 999_999_999.999;

/** Milliseconds with three decimals, zero-padded so that text order is number order (11 days at most). */
export const latencyText = (latencyMs: number) =>
  Math.min(Math.max(latencyMs, 0), MAX_LATENCY_MS).toFixed(3).padStart(13, "0");

/** Whether the id alone says when the request came, and so in which day and shard its row lies. */
export function isDerivable(requestId: string, receivedAt: string): boolean {
  return requestIdTime(requestId) === Date.parse(receivedAt);
}

export interface KeySource {
  projectId: string;
  userId: string;
  requestId: string;
  /** ISO 8601, UTC, milliseconds. */
  receivedAt: string;
  statusCode: number;
  latencyMs: number;
  clientRequestId?: string | undefined;
  /** The record that this one is an access to. */
  accessedId?: string | undefined;
}

/** Entry of the sparse index under which the accesses to a record are found. A request id holds no `#`. */
export const accessKey = (requestId: string) => `access#${keyName(keyRequestId(requestId), 96)}`;

/** All keys of a row. */
export function keysOf(row: KeySource) {
  const shard = shardOf(row.requestId);
  const day = row.receivedAt.slice(0, 10);
  const createdAt = timeKey(row.receivedAt, row.requestId);
  const lookUp = isDerivable(row.requestId, row.receivedAt) ? row.clientRequestId : row.requestId;
  const group = failureGroup(row.statusCode);
  const sparse = row.accessedId === undefined ? lookUp && keyRequestId(lookUp) : accessKey(row.accessedId);
  return {
    id: projectKey(row.projectId),
    createdAt,
    userIdPk: userPartition(row.userId, day.slice(0, 7), shard),
    userIdSk: createdAt,
    statusPk: statusPartition(day, shard),
    statusSk: `${statusText(row.statusCode)}#${createdAt}`,
    latencyPk: latencyPartition(row.projectId, day, shard),
    latencySk: `${latencyText(row.latencyMs)}#${createdAt}`,
    ...(group === null ? {} : { failurePk: failurePartition(group, day, shard), failureSk: createdAt }),
    ...(sparse === undefined ? {} : { requestIdPk: sparse }),
  };
}
