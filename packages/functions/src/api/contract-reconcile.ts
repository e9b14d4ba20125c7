/** Looking at an hour of the trail anew, in place of waiting for the hourly run. */
import { z } from "zod";
import { Instant } from "./contract-audit.ts";

/** The begin of an hour that ended at least 15 minutes ago. */
export const ReconcileRequest = z.strictObject({
  hour: Instant.refine((text) => Date.parse(text) % 3_600_000 === 0, "the begin of an hour"),
});
export type ReconcileRequest = z.input<typeof ReconcileRequest>;
export const Reconcile = z.object({
  hour: z.string(),
  /** `running`: the time ran out; ask again, and it goes on. */
  state: z.enum(["complete", "incomplete", "running"]),
  missing: z.int(),
  /** Objects without a row that were sent to ingest again. */
  requeued: z.int(),
  /** One sentence for people. */
  verdict: z.string().nullable(),
});
export type Reconcile = z.infer<typeof Reconcile>;
