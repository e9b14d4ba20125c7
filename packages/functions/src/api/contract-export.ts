/** Exports: all matches of a filter as a file, made by a job. */
import { z } from "zod";
import { auditFilter, Instant } from "./contract-audit.ts";

export const EXPORT_STATES = ["queued", "running", "done", "failed", "expired"] as const;
export const EXPORT_FORMATS = ["csv", "jsonl"] as const;

export const ExportRequest = z.strictObject({
  format: z.enum(EXPORT_FORMATS),
  filter: z.strictObject({ ...auditFilter, from: Instant, to: Instant }),
  /** `objects` (JSONL only): the whole records from S3, bodies included. */
  content: z.enum(["rows", "objects"]).default("rows"),
  reason: z.string().trim().min(5).max(500),
});
export type ExportRequest = z.input<typeof ExportRequest>;

export const Export = z.object({
  id: z.string(),
  state: z.enum(EXPORT_STATES),
  format: z.enum(EXPORT_FORMATS),
  content: z.enum(["rows", "objects"]),
  filter: z.record(z.string(), z.unknown()),
  reason: z.string(),
  createdAt: z.string(),
  createdBy: z.string(),
  startedAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
  /** Written so far. */
  rows: z.int(),
  bytes: z.int(),
  /** 0 to 1: the share of the time range that was searched. */
  progress: z.number(),
  attempts: z.int(),
  error: z.string().nullable(),
  /** When the file is deleted. */
  expiresAt: z.string().nullable(),
});
export type Export = z.infer<typeof Export>;
export const ExportParams = z.strictObject({ id: z.string().min(1).max(64) });
/** One's own, newest first. */
export const Exports = z.object({ exports: z.array(Export) });
export type Exports = z.infer<typeof Exports>;
/** Valid for five minutes; each one given out is in the access log. */
export const ExportLink = z.object({ url: z.string(), fileName: z.string(), expiresAt: z.string() });
export type ExportLink = z.infer<typeof ExportLink>;
