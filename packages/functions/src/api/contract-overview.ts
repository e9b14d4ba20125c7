/** The state of the platform at a glance, completeness of a window, budgets. */
import { z } from "zod";
import { Instant, span } from "./contract-audit.ts";
import { Figures } from "./contract-chart.ts";

export const Budget = z.object({
  kind: z.literal("key"),
  id: z.string(),
  name: z.string(),
  userId: z.string().nullable(),
  teamId: z.string().nullable(),
  spendUsd: z.number(),
  maxBudgetUsd: z.number(),
  /** Share of the budget: 1 is all of it. */
  used: z.number(),
  resetsAt: z.string().nullable(),
});
export type Budget = z.infer<typeof Budget>;
/** The fullest first. */
export const Budgets = z.object({ budgets: z.array(Budget) });
export type Budgets = z.infer<typeof Budgets>;

const Top = z.array(Figures.extend({ value: z.string() }));

export const OverviewQuery = z.strictObject(span);
export type OverviewQuery = z.input<typeof OverviewQuery>;
export const Overview = z.object({
  from: z.string(),
  to: z.string(),
  asOf: z.string().nullable(),
  health: z.object({
    state: z.enum(["ok", "warning", "critical"]),
    /** The worst first; each one sentence for people. */
    findings: z.array(
      z.object({
        code: z.enum([
          "ingest_behind",
          "dead_letters",
          "audit_missing",
          "writers_silent",
          "not_reconciled",
          "chain_old",
          "chain_broken",
          "rollups_old",
        ]),
        severity: z.enum(["warning", "critical"]),
        message: z.string(),
      }),
    ),
  }),
  ingest: z.object({
    /** Objects that wait for their row. */
    waiting: z.int(),
    newestRowAt: z.string().nullable(),
    /** 0 when nothing waits, else at most this. */
    lagMs: z.number().nullable(),
  }),
  deadLetters: z.object({ count: z.int(), oldestAt: z.string().nullable() }),
  trail: z.object({
    /** The end of the last hour that was reconciled, and the sum of the last two days' findings. */
    reconciledUntil: z.string().nullable(),
    missing: z.int(),
    silentWriters: z.int(),
    incompleteHours: z.int(),
  }),
  /** Null while no digest has been made. */
  chain: z.object({ lastDigestAt: z.string(), ageMs: z.number() }).nullable(),
  totals: Figures,
  /** The span of the same length before. */
  before: Figures,
  top: z.object({ project: Top, user: Top, model: Top }),
});
export type Overview = z.infer<typeof Overview>;

export const CompletenessQuery = z.strictObject({ from: Instant, to: Instant });
export type CompletenessQuery = z.input<typeof CompletenessQuery>;
export const Completeness = z.object({
  from: z.string(),
  to: z.string(),
  /** `unknown`: an hour of it has not been checked yet (hours are, some 20 minutes after their end), or it is over 31 days. */
  state: z.enum(["complete", "incomplete", "unknown"]),
  missing: z.int(),
  /** One sentence for people. */
  explanation: z.string(),
  /** Every hour that the window touches. */
  hours: z.array(
    z.object({
      hour: z.string(),
      state: z.enum(["complete", "incomplete", "running", "unchecked"]),
      missing: z.int(),
      verdict: z.string().nullable(),
    }),
  ),
});
export type Completeness = z.infer<typeof Completeness>;
