/**
 * A row of the audit table: what a request looks like to those who search. It is a pure function of the stored object
 * and its place in S3, so that the same object gives the same row however often, late or out of order it is ingested.
 */
import { z } from "zod";
import { keysOf } from "./audit-index.ts";
import { OUTCOMES, PROFILES } from "./audit-record.ts";
import { attributeBytes, itemBytes } from "./item-size.ts";
import { cutBytes, promptPreview, responsePreview } from "./preview.ts";
import type { StoredRecord } from "./stored-record.ts";

/** What lists mark a row with. `legacy`: an older writer's object, whose missing fields were filled in. */
export const FLAGS = ["partial", "truncated", "identity_mismatch", "pii", "legacy"] as const;

const Count = z.int().nonnegative();
const short = (max: number) => z.string().transform((value) => cutBytes(value, max));
const Key = z.string().min(1).max(1024);

/** What every index carries; the sizes keep an index row below 1 KB. */
const listed = {
  userId: short(96),
  statusCode: z.int().min(0).max(999),
  /** Milliseconds, to the microsecond. */
  latencyMs: z.number().nonnegative(),
  outcome: z.enum(OUTCOMES),
  profile: z.enum(PROFILES).optional(),
  model: short(64).optional(),
  requestType: short(32).optional(),
  /** True or absent. */
  stream: z.literal(true).optional(),
  promptTokens: Count.optional(),
  completionTokens: Count.optional(),
  costUsd: z.number().nonnegative().optional(),
  timeToFirstTokenMs: z.number().nonnegative().optional(),
  flags: z.array(z.enum(FLAGS)).min(1).optional(),
};

/** Null and unknown count as absent: an attribute that says nothing costs bytes. */
export const AuditRow = z.object({
  id: Key,
  createdAt: Key,
  requestId: Key,
  projectId: short(512),
  ...listed,
  promptPreview: z.string(),
  responsePreview: z.string(),
  auditBucket: z.string().min(1),
  auditObjectKey: Key,
  schemaVersion: z.int().nonnegative(),
  provider: short(16).optional(),
  clientRequestId: short(256).optional(),
  writer: short(128).optional(),
  sequence: z.int().positive().optional(),
  keyId: short(128).optional(),
  teamId: short(128).optional(),
  /** `EMAIL:2:mask PHONE:1:flag` */
  pii: short(256).optional(),
  /** Of profile `console`: what the access was to, and why (`requestType` is the action). */
  accessTarget: short(128).optional(),
  accessProject: short(128).optional(),
  accessReason: short(600).optional(),
  /** Epoch seconds. */
  expiresAt: z.int().positive().optional(),
  userIdPk: Key,
  userIdSk: Key,
  statusPk: Key,
  statusSk: Key,
  latencyPk: Key,
  latencySk: Key,
  /** Of rows whose status is not 200. */
  failurePk: Key.optional(),
  failureSk: Key.optional(),
  requestIdPk: Key.optional(),
});
export type AuditRow = z.infer<typeof AuditRow>;

export const RowOptions = z.object({
  /** Code points of each preview. */
  maxPreviewChars: z.int().nonnegative(),
  /**
   * Bytes that a row should not exceed for the sake of its previews: 3 KB are 3 write units. Previews share what the
   * other attributes leave, and keep at least `MIN_PREVIEW_BYTES` each.
   */
  maxRowBytes: z.int().positive().default(3072),
  /** Days after which DynamoDB may delete the row; the object in S3 has its own life. */
  retentionDays: z.int().positive().optional(),
});
export type RowOptions = z.input<typeof RowOptions>;

const MIN_PREVIEW_BYTES = 256;

/** ElectroDB adds these to each item to know its own again: `__edb_e__` = `audit`, `__edb_v__` = `1`. */
const IDENTIFIER_BYTES = 24;

/** Left free, since AWS states sizes only approximately, and a single byte too many costs a whole unit. */
const MARGIN_BYTES = 16;

/** @throws {z.ZodError} when the record cannot make a row, e.g. because a key would be too long */
export function fromStored(
  record: StoredRecord,
  place: { bucket: string; key: string },
  options: RowOptions,
): AuditRow {
  const { maxPreviewChars, maxRowBytes, retentionDays } = RowOptions.parse(options);
  const { usage } = record;
  const known = {
    requestId: record.requestId,
    projectId: record.projectId,
    userId: record.userId,
    receivedAt: record.receivedAt,
    statusCode: record.statusCode,
    latencyMs: Math.round(record.latencyMs * 1000) / 1000,
    clientRequestId: record.clientRequestId ?? undefined,
  };
  const { receivedAt, ...attributes } = known;
  const row = withoutNulls({
    ...keysOf({ ...known, accessedId: accessedId(record) }),
    ...attributes,
    clientRequestId: record.clientRequestId === record.requestId ? null : record.clientRequestId,
    outcome: record.outcome,
    profile: record.profile,
    model: record.model.served ?? record.model.requested,
    requestType: record.requestType,
    stream: record.http.stream ? (true as const) : null,
    promptTokens: usage.source === "none" ? null : usage.promptTokens,
    completionTokens: usage.source === "none" ? null : usage.completionTokens,
    costUsd: record.cost?.usd,
    timeToFirstTokenMs:
      record.timeToFirstTokenMs === null ? null : Math.round(record.timeToFirstTokenMs * 1000) / 1000,
    flags: flagsOf(record),
    auditBucket: place.bucket,
    auditObjectKey: place.key,
    schemaVersion: record.schemaVersion,
    provider: record.model.provider,
    writer: record.chain?.writer,
    sequence: record.chain?.sequence,
    keyId: record.identity.keyId,
    teamId: record.identity.teamId,
    pii:
      record.policy.pii.map(({ entity, count, action }) => `${entity}:${count}:${action}`).join(" ") || null,
    accessTarget: record.access?.target,
    accessProject: record.access?.projectId,
    accessReason: record.access?.reason,
    expiresAt: retentionDays && Math.floor(Date.parse(receivedAt) / 1000) + retentionDays * 86_400,
  });
  const previews = {
    promptPreview: promptPreview(record.request.body, maxPreviewChars),
    responsePreview: responsePreview(record.response.body, maxPreviewChars),
  };
  return AuditRow.parse({
    ...row,
    ...fitPreviews(previews, maxRowBytes - itemBytes(row) - IDENTIFIER_BYTES - MARGIN_BYTES),
  });
}

const accessedId = ({ access }: StoredRecord) =>
  access?.action === "view_body" ? (access.target ?? undefined) : undefined;

interface Previews {
  promptPreview: string;
  responsePreview: string;
}

/** Both whole when they fit; else each gets half of the room, and what the shorter one leaves goes to the longer. */
function fitPreviews(previews: Previews, roomBytes: number): Previews {
  const names = attributeBytes("promptPreview", "") + attributeBytes("responsePreview", "");
  const room = Math.max(roomBytes - names, 2 * MIN_PREVIEW_BYTES);
  const prompt = Buffer.byteLength(previews.promptPreview);
  const response = Buffer.byteLength(previews.responsePreview);
  if (prompt + response <= room) return previews;
  const half = Math.floor(room / 2);
  return {
    promptPreview: cutBytes(previews.promptPreview, Math.max(half, room - response)),
    responsePreview: cutBytes(previews.responsePreview, Math.max(half, room - prompt)),
  };
}

function flagsOf(record: StoredRecord): (typeof FLAGS)[number][] | null {
  const flags = FLAGS.filter((flag) => {
    if (flag === "partial") return !record.response.complete;
    if (flag === "truncated") return Boolean(record.request.truncated || record.response.truncated);
    if (flag === "identity_mismatch") return record.identity.matches === false;
    if (flag === "pii") return record.policy.pii.length > 0;
    return record.legacy;
  });
  return flags.length > 0 ? flags : null;
}

type WithoutNulls<T> = { [K in keyof T]: Exclude<T[K], null> };

function withoutNulls<T extends Record<string, unknown>>(values: T): WithoutNulls<T> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== null && value !== undefined),
  ) as WithoutNulls<T>;
}
