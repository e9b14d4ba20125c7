/** Who looked at what: the console's own audit records. */
import { ACCESS_ACTIONS } from "@central-llm/core/audit-record";
import { z } from "zod";
import { span } from "./contract-audit.ts";

export const AccessEntry = z.object({
  /** Of the audit record of this access: `/api/audit/{id}`. */
  requestId: z.string(),
  at: z.string(),
  userId: z.string(),
  action: z.enum(ACCESS_ACTIONS),
  /** The record, export, key or project that it was about. */
  target: z.string().nullable(),
  projectId: z.string().nullable(),
  reason: z.string().nullable(),
  statusCode: z.int(),
});
export type AccessEntry = z.infer<typeof AccessEntry>;

/** Newest first; at most 100, `more` when there were more. */
export const Views = z.object({ views: z.array(AccessEntry), more: z.boolean() });
export type Views = z.infer<typeof Views>;

export const AccessQuery = z.strictObject({
  ...span,
  user: z.string().trim().min(1).max(512).optional(),
  action: z.enum(ACCESS_ACTIONS).optional(),
  cursor: z.string().max(800).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});
export type AccessQuery = z.input<typeof AccessQuery>;
export const AccessPage = z.object({
  entries: z.array(AccessEntry),
  nextCursor: z.string().nullable(),
  searchedUntil: z.string().nullable(),
  partial: z.boolean(),
  from: z.string(),
  to: z.string(),
});
export type AccessPage = z.infer<typeof AccessPage>;
