/** One record: its metadata, its content, its proof, its neighbours. */
import { z } from "zod";
import { Instant, Row } from "./contract-audit.ts";

export const RecordParams = z.strictObject({ id: z.string().min(1).max(512) });
/** A client may use an id twice; `receivedAt` of a row then says which one is meant, else the newest. */
export const RecordQuery = z.strictObject({ receivedAt: Instant.optional() });

const Side = z.object({
  bytes: z.int(),
  sha256: z.string().nullable(),
  encoding: z.string().nullable(),
  truncated: z.boolean(),
});

/** The object in S3 without its bodies and headers. */
export const Metadata = z.object({
  schemaVersion: z.int(),
  legacy: z.boolean(),
  clientRequestId: z.string().nullable(),
  completedAt: z.string(),
  /** From receipt until it was first sent to a model; null when it was not, and where the writer did not record it. */
  queueTimeMs: z.number().nullable(),
  error: z.object({ type: z.string(), message: z.string().nullable() }).nullable(),
  identity: z.object({
    method: z.string(),
    keyId: z.string().nullable(),
    keyAlias: z.string().nullable(),
    teamId: z.string().nullable(),
    assertedUser: z.string().nullable(),
    matches: z.boolean().nullable(),
  }),
  http: z.object({
    method: z.string(),
    path: z.string(),
    clientIp: z.string().nullable(),
    userAgent: z.string().nullable(),
  }),
  model: z.object({
    requested: z.string().nullable(),
    served: z.string().nullable(),
    provider: z.string(),
  }),
  usage: z.object({
    promptTokens: z.int(),
    completionTokens: z.int(),
    totalTokens: z.int(),
    source: z.string(),
  }),
  cost: z.object({ usd: z.number(), priceTable: z.string() }).nullable(),
  request: Side,
  response: Side.extend({ chunks: z.int(), complete: z.boolean() }),
  policy: z.object({
    hash: z.string().nullable(),
    pii: z.array(z.object({ entity: z.string(), count: z.int(), action: z.string() })),
  }),
  chain: z.object({ writer: z.string(), sequence: z.int(), previousHash: z.string().nullable() }).nullable(),
});
export type Metadata = z.infer<typeof Metadata>;

export const RecordAnswer = z.object({
  row: Row,
  /** Null when the object cannot be read; `unavailable` says why. */
  metadata: Metadata.nullable(),
  unavailable: z.string().nullable(),
  objectKey: z.string(),
  /** Fields that are hidden from this person, as paths into this answer: `row.promptPreview`, `metadata.http.clientIp`. */
  hidden: z.array(z.string()),
  /** Other rows with the same id. */
  siblings: z.array(Row),
});
export type RecordAnswer = z.infer<typeof RecordAnswer>;

export const BodyRequest = z.strictObject({ reason: z.string().trim().min(5).max(500) });
/** The whole object, as it lies in S3; null when it is larger than an answer may be: then `download` has it. */
export const BodyAnswer = z.object({
  object: z.unknown(),
  bytes: z.int(),
  sha256: z.string(),
  download: z.object({ url: z.string(), expiresAt: z.string() }).nullable(),
  /** The audit record of this view. */
  viewId: z.string(),
});
export type BodyAnswer = z.infer<typeof BodyAnswer>;

const Link = z.object({
  /** `linked`: the hashes agree. `not_found`: the other object was not found near it. `none`: there is none to be. */
  state: z.enum(["linked", "broken", "not_found", "none"]),
  requestId: z.string().nullable(),
});
export const ProofAnswer = z.object({
  /**
   * `sealed`: in a signed digest, and unchanged. `chained`: its neighbours vouch for it, no digest yet. `alone`: nothing
   * refers to it (yet). `broken`: it is not what was recorded. `unknown`: it has no chain, or cannot be read.
   */
  state: z.enum(["sealed", "chained", "alone", "broken", "unknown"]),
  /** One sentence for people. */
  explanation: z.string(),
  /** Of the object's bytes as read now. */
  sha256: z.string().nullable(),
  writer: z.string().nullable(),
  sequence: z.int().nullable(),
  previous: Link,
  next: Link,
  digest: z.object({ key: z.string(), hour: z.string(), signed: z.boolean() }).nullable(),
});
export type ProofAnswer = z.infer<typeof ProofAnswer>;

export const NeighboursQuery = z.strictObject({
  receivedAt: Instant.optional(),
  count: z.coerce.number().int().min(1).max(50).default(5),
});
/** The same user's calls around it: nearest first on both sides. */
export const Neighbours = z.object({ before: z.array(Row), after: z.array(Row) });
export type Neighbours = z.infer<typeof Neighbours>;
