/**
 * The audit record, version 1: one JSON object per request in S3, written once and never changed.
 * This schema is the writer's contract. Readers of stored objects go through `stored-record.ts`, which also takes
 * what older writers left.
 */
import { z } from "zod";

export const SCHEMA_VERSION = 1;

/** How a request ended. `interrupted`: the writer died before the answer did, so only the question is known. */
export const OUTCOMES = [
  "completed",
  "client_error",
  "blocked",
  "rate_limited",
  "upstream_error",
  "client_aborted",
  "interrupted",
] as const;

/** `console`: not a model call, but somebody's access to the trail through the console (`access`). */
export const PROFILES = ["central", "gateway", "console"] as const;

export const ACCESS_ACTIONS = [
  "search",
  "tail",
  "view_body",
  "export",
  "download_export",
  "replay",
  "create_key",
  "change_key",
  "rotate_key",
  "block_key",
  "unblock_key",
] as const;

const Headers = z.record(z.string(), z.string());
const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, "a sha256 in lower-case hex");
const Bytes = z.int().nonnegative();
const Milliseconds = z.number().nonnegative();

/**
 * One side of the exchange. `body` is the JSON as sent; text that is not JSON is a string; bytes that are not UTF-8
 * are base64 (see `encoding`); a body over AUDIT_MAX_BODY_BYTES is cut to that size and kept as a string
 * (`truncated`). `bytes` and `sha256` are always those of the whole body as it was on the wire.
 */
const side = {
  headers: Headers,
  body: z.unknown(),
  encoding: z.enum(["json", "text", "base64"]).optional(),
  bytes: Bytes,
  sha256: Sha256.nullable().optional(),
  truncated: z.boolean().optional(),
};

export const AuditRecord = z.object({
  schemaVersion: z.literal(SCHEMA_VERSION),
  requestId: z.string().regex(/^[A-Za-z0-9._-]{1,128}$/),
  clientRequestId: z.string().nullable(),
  profile: z.enum(PROFILES),
  projectId: z.string().min(1),
  userId: z.string().min(1),
  requestType: z.string().min(1),
  identity: z.object({
    /** `oidc`: a person, signed in at the console. */
    method: z.enum(["api-key", "virtual-key", "oidc", "none"]),
    keyId: z.string().nullable(),
    keyAlias: z.string().nullable(),
    teamId: z.string().nullable(),
    /** Who the caller says it is (`x-llm-user`, or `user` in the body). */
    assertedUser: z.string().nullable(),
    /** Whether that is who the key belongs to; null when nothing could be compared. */
    matches: z.boolean().nullable(),
  }),
  receivedAt: z.iso.datetime({ precision: 3 }),
  completedAt: z.iso.datetime({ precision: 3 }),
  latencyMs: Milliseconds,
  /**
   * From receipt until it was first sent to a model: reading the body, limits, the filter, waiting. With retries and fallbacks, the
   * first of them. Null when no model was sent it, or nobody knows; absent in objects of earlier writers.
   */
  queueTimeMs: Milliseconds.nullable().optional(),
  /** From receipt, as is the latency. */
  timeToFirstTokenMs: Milliseconds.nullable(),
  /** The status that the client got; 499 when it had gone before one was sent. */
  statusCode: z.int().min(100).max(599),
  outcome: z.enum(OUTCOMES),
  error: z.object({ type: z.string(), message: z.string() }).nullable(),
  http: z.object({
    method: z.string(),
    path: z.string(),
    clientIp: z.string().nullable(),
    userAgent: z.string().nullable(),
    stream: z.boolean(),
  }),
  model: z.object({
    requested: z.string().nullable(),
    served: z.string().nullable(),
    provider: z.string(),
  }),
  usage: z.object({
    promptTokens: z.int().nonnegative(),
    completionTokens: z.int().nonnegative(),
    totalTokens: z.int().nonnegative(),
    source: z.enum(["provider", "estimated", "none"]),
  }),
  cost: z.object({ usd: z.number().nonnegative(), priceTable: z.string() }).nullable(),
  request: z.object(side),
  response: z.object({ ...side, chunks: z.int().nonnegative(), complete: z.boolean() }),
  policy: z.object({
    hash: Sha256.nullable(),
    pii: z.array(
      z.object({
        entity: z.string(),
        count: z.int().positive(),
        action: z.enum(["block", "mask", "flag"]),
      }),
    ),
  }),
  /** Only of profile `console`: what was looked at or done, and why. */
  access: z
    .object({
      action: z.enum(ACCESS_ACTIONS),
      /** The record, export, key or project that it was about. */
      target: z.string().nullable(),
      projectId: z.string().nullable(),
      reason: z.string().nullable(),
    })
    .optional(),
  /**
   * The trace that the call belongs to (W3C Trace Context), where a client sent one or telemetry is on. `spanId` is that of the
   * proxy's own span, null while telemetry is off; `sampled` says whether it was exported.
   */
  trace: z
    .object({
      traceId: z.string().regex(/^[0-9a-f]{32}$/),
      spanId: z
        .string()
        .regex(/^[0-9a-f]{16}$/)
        .nullable(),
      parentSpanId: z
        .string()
        .regex(/^[0-9a-f]{16}$/)
        .nullable(),
      sampled: z.boolean(),
    })
    .optional(),
  chain: z.object({
    /** `<task>-<boot>`: one life of one proxy process. */
    writer: z.string().min(1),
    /** 1, 2, 3 … without a gap for each writer. */
    sequence: z.int().positive(),
    /** sha256 of the bytes of this writer's previous object; null for its first. */
    previousHash: Sha256.nullable(),
  }),
});
export type AuditRecord = z.infer<typeof AuditRecord>;
export type Outcome = AuditRecord["outcome"];
export type Profile = AuditRecord["profile"];
