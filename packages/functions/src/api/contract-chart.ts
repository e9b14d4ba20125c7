/**
 * Counts and charts, from rollups: exact to the minute, at most some minutes old (`asOf`). The console's own records and
 * the gateway's administration are not in them (the latter has its own project: `gateway-admin`).
 */
import { z } from "zod";
import { auditFilter, span } from "./contract-audit.ts";

export const FACET_FIELDS = [
  "project",
  "user",
  "model",
  "status",
  "outcome",
  "profile",
  "requestType",
] as const;
export type FacetField = (typeof FACET_FIELDS)[number];

/** Of requests: dollars, tokens, milliseconds. Latencies are null without requests; within 5 % of the true value. */
export const Figures = z.object({
  requests: z.int(),
  /** Status 400 or more, or an outcome other than `completed`. */
  errors: z.int(),
  promptTokens: z.int(),
  completionTokens: z.int(),
  costUsd: z.number(),
  meanMs: z.number().nullable(),
  p50Ms: z.number().nullable(),
  p95Ms: z.number().nullable(),
  p99Ms: z.number().nullable(),
});
export type Figures = z.infer<typeof Figures>;

const rollupFilter = {
  project: auditFilter.project,
  user: auditFilter.user,
  status: auditFilter.status,
  model: auditFilter.model,
  outcome: auditFilter.outcome,
  profile: auditFilter.profile,
  requestType: auditFilter.requestType,
};

export const FacetsQuery = z.strictObject({
  ...span,
  project: auditFilter.project,
  /** `project,user`; all of them when left out. */
  fields: z
    .string()
    .transform((list) => list.split(","))
    .pipe(z.array(z.enum(FACET_FIELDS)).min(1))
    .optional(),
  /** Only values that contain this, in any case. */
  q: z.string().max(100).optional(),
  /** Values of each field, the most frequent first. */
  limit: z.coerce.number().int().min(1).max(1_000).default(50),
});
export type FacetsQuery = z.input<typeof FacetsQuery>;
export const Facets = z.object({
  fields: z.partialRecord(
    z.enum(FACET_FIELDS),
    z.object({
      values: z.array(Figures.extend({ value: z.string() })),
      /** Different values that matched, and requests of those that are not listed. */
      total: z.int(),
      otherRequests: z.int(),
    }),
  ),
  from: z.string(),
  to: z.string(),
  asOf: z.string().nullable(),
});
export type Facets = z.infer<typeof Facets>;

export const INTERVALS = ["1m", "5m", "15m", "1h", "6h", "1d"] as const;
export const SeriesQuery = z.strictObject({
  ...span,
  ...rollupFilter,
  by: z.enum(FACET_FIELDS).optional(),
  /** `auto`: about 60 to 120 points. At most 1,500 points. */
  interval: z.enum(["auto", ...INTERVALS]).default("auto"),
  /** Groups of `by`, the largest first; the rest is not shown. */
  groups: z.coerce.number().int().min(1).max(20).default(8),
});
export type SeriesQuery = z.input<typeof SeriesQuery>;
export const Series = z.object({
  interval: z.enum(INTERVALS),
  from: z.string(),
  to: z.string(),
  /** Start of each interval, oldest first. */
  times: z.array(z.string()),
  /** One without `by` (`value` null). `points[i]` belongs to `times[i]`. */
  groups: z.array(z.object({ value: z.string().nullable(), total: Figures, points: z.array(Figures) })),
  total: Figures,
  /** Filters that the rollups cannot combine with the others: the chart shows more than the list. */
  ignored: z.array(z.string()),
  asOf: z.string().nullable(),
});
export type Series = z.infer<typeof Series>;
