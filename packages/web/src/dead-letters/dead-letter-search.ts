/** What the dead letters' address says; their reasons in words. */
import type { DeadLetter } from "@central-llm/functions/api/contract-dead-letter";
import * as z from "zod/mini";
import { keysOf } from "../audit/labels.ts";

export const REASONS: Record<DeadLetter["reason"], string> = {
  malformed_json: "Not JSON",
  schema: "Not an audit record",
  missing_object: "Object not found",
  too_large: "Too large",
  throttled: "Table throttled",
  access_denied: "Access denied",
  unknown: "Unknown",
};

export const DeadLetterSearch = z.object({
  reason: z.optional(z.enum(keysOf(REASONS))),
  /** Of the objects' keys. */
  prefix: z.optional(z.string().check(z.maxLength(1024))),
});
export type DeadLetterSearch = z.infer<typeof DeadLetterSearch>;
