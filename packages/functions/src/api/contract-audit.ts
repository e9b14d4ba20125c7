/** The audit trail: lists and live tail. */
import { OUTCOMES, PROFILES } from "@central-llm/core/audit-record";
import { FLAGS } from "@central-llm/core/audit-row";
import { z } from "zod";

/** ISO 8601 with a zone; answers have UTC with milliseconds. */
export const Instant = z.iso.datetime({ offset: true });
const Name = z.string().trim().min(1).max(512);
const Milliseconds = z.coerce.number().nonnegative().max(999_999_999);

/** What narrows a list, a chart or an export down. One value each, all must match. */
export const auditFilter = {
  project: Name.optional(),
  user: Name.optional(),
  /** `404`, or a class: `4xx`. */
  status: z
    .string()
    .regex(/^(\d{3}|[1-5]xx)$/, "a status such as 404, or a class such as 4xx")
    .optional(),
  model: Name.optional(),
  outcome: z.enum(OUTCOMES).optional(),
  /**
   * Without it, the console's own records (`console`) are left out. The administration of the gateway's keys is found by
   * `requestType=admin` or `project=gateway-admin` alone.
   */
  profile: z.enum(PROFILES).optional(),
  requestType: Name.optional(),
  flag: z.enum(FLAGS).optional(),
  stream: z.enum(["true", "false"]).optional(),
  minLatencyMs: Milliseconds.optional(),
  maxLatencyMs: Milliseconds.optional(),
  /** Anywhere in the previews, in any case. Needs `preview.read`. */
  text: z.string().trim().min(2).max(200).optional(),
};

/** Rows received at `from` or later and before `to`; the last 24 hours when left out. Pages need the same ones again. */
export const span = { from: Instant.optional(), to: Instant.optional() };

export const AuditQuery = z.strictObject({
  ...auditFilter,
  ...span,
  requestId: z.string().trim().min(1).max(128).optional(),
  /** `slowest` needs `project`, and at most 31 days. */
  sort: z.enum(["newest", "slowest"]).default("newest"),
  cursor: z.string().max(800).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  /** Fills in the previews (`preview.read`). */
  previews: z.enum(["true", "false"]).default("false"),
});
export type AuditQuery = z.input<typeof AuditQuery>;

export const Row = z.object({
  requestId: z.string(),
  receivedAt: z.string(),
  projectId: z.string(),
  userId: z.string(),
  /** 0: not recorded. */
  statusCode: z.int(),
  outcome: z.enum(OUTCOMES),
  profile: z.enum(PROFILES).nullable(),
  model: z.string().nullable(),
  requestType: z.string().nullable(),
  stream: z.boolean(),
  latencyMs: z.number(),
  timeToFirstTokenMs: z.number().nullable(),
  promptTokens: z.int().nullable(),
  completionTokens: z.int().nullable(),
  costUsd: z.number().nullable(),
  flags: z.array(z.enum(FLAGS)),
  /** Null when not asked for, or hidden from this person. */
  promptPreview: z.string().nullable(),
  responsePreview: z.string().nullable(),
});
export type Row = z.infer<typeof Row>;

export const AuditPage = z.object({
  rows: z.array(Row),
  /** Null at the end of the list. */
  nextCursor: z.string().nullable(),
  /** Every match received since then is in this page or one before it; null for `slowest`. */
  searchedUntil: z.string().nullable(),
  /** The page was cut off by its bound on work, not by the end of the list: "searched until …, go on?" */
  partial: z.boolean(),
  from: z.string(),
  to: z.string(),
  /** What the page cost. */
  work: z.object({ examined: z.int(), queries: z.int() }),
});
export type AuditPage = z.infer<typeof AuditPage>;

/**
 * Short poll, every two seconds or so: rows received since. Rows of the last seconds come again, since late ones may be
 * among them; tell them apart by `requestId`.
 */
export const TailQuery = z.strictObject({
  ...auditFilter,
  /** `resume` of the answer before; left out in the first call, which gives the latest rows. */
  since: Instant.optional(),
  limit: z.coerce.number().int().min(1).max(200).default(100),
});
export type TailQuery = z.input<typeof TailQuery>;
export const Tail = z.object({
  rows: z.array(Row),
  resume: z.string(),
  /** More came than fit; the oldest of them are left out. */
  skipped: z.boolean(),
});
export type Tail = z.infer<typeof Tail>;
