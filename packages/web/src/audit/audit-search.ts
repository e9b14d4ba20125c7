/**
 * What the Audit page's address says: filters, range, order, page, columns. The one store of them: the page reads it,
 * and every control writes it.
 */
import type { AuditQuery, TailQuery } from "@central-llm/functions/api/contract-audit";
import * as z from "zod/mini";
import { PRESET_NAMES, type Range } from "../time-range.ts";
import { COLUMN_NAMES } from "./column-name.ts";
import { FLAGS, keysOf, OUTCOMES, PROFILES } from "./labels.ts";

const Text = z.optional(z.string().check(z.trim(), z.minLength(1), z.maxLength(512)));
const Milliseconds = z.optional(z.string().check(z.regex(/^\d{1,9}(\.\d+)?$/, "a number of milliseconds")));
const Switch = z.optional(z.literal("1"));
/** With a zone: an address means the same everywhere. */
const Instant = z.optional(
  z.string().check(
    z.regex(/^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:?\d\d)$/, "a time with its zone, such as 2026-11-21T10:00:00Z"),
    z.refine((text) => !Number.isNaN(Date.parse(text)), "a time that exists"),
  ),
);

/** The API's filters, by its names. */
export const filterShape = {
  project: Text,
  user: Text,
  status: z.optional(
    z.string().check(z.regex(/^(\d{3}|[1-5]xx)$/, "a status such as 404, or a class such as 4xx")),
  ),
  model: Text,
  outcome: z.optional(z.enum(keysOf(OUTCOMES))),
  profile: z.optional(z.enum(keysOf(PROFILES))),
  requestType: Text,
  flag: z.optional(z.enum(keysOf(FLAGS))),
  stream: z.optional(z.enum(["true", "false"])),
  minLatencyMs: Milliseconds,
  maxLatencyMs: Milliseconds,
  text: z.optional(z.string().check(z.trim(), z.minLength(2, "at least two characters"), z.maxLength(200))),
};

export const rangeShape = {
  last: z.optional(z.enum(PRESET_NAMES)),
  from: Instant,
  to: Instant,
  at: Instant,
};

export const AuditSearch = z.object({
  ...filterShape,
  ...rangeShape,
  requestId: Text,
  sort: z.optional(z.enum(["newest", "slowest"])),
  cursor: z.optional(z.string()),
  limit: z.optional(z.enum(["25", "50", "100", "200"])),
  /** Names of the columns, in the table's order. */
  columns: z.optional(
    z
      .string()
      .check(
        z.refine(
          (list) => list.split(",").every((name) => COLUMN_NAMES.includes(name as never)),
          "known columns",
        ),
      ),
  ),
  density: z.optional(z.enum(["compact", "comfortable"])),
  live: Switch,
  /** The record in the drawer, and when it was received: a client may use an id twice. */
  record: z.optional(z.string()),
  recordAt: Instant,
});
export type AuditSearch = z.infer<typeof AuditSearch>;
export type Filter = Pick<AuditSearch, keyof typeof filterShape>;
export type FilterName = keyof typeof filterShape | "requestId";

const FILTER_NAMES = Object.keys(filterShape) as (keyof typeof filterShape)[];

export const filterOf = (search: AuditSearch): Filter =>
  Object.fromEntries(
    FILTER_NAMES.flatMap((name) => (search[name] === undefined ? [] : [[name, search[name]]])),
  );

export const filtersSet = (search: AuditSearch): FilterName[] =>
  [...FILTER_NAMES, "requestId" as const].filter((name) => search[name] !== undefined);

/** Everything that decides which rows a page of the list holds. */
export const listQuery = (search: AuditSearch, range: Range, previews: boolean): AuditQuery => ({
  ...filterOf(search),
  ...range,
  requestId: search.requestId,
  sort: search.sort,
  cursor: search.cursor,
  limit: search.limit,
  ...(previews ? { previews: "true" as const } : {}),
});

export const tailQuery = (search: AuditSearch): TailQuery => ({ ...filterOf(search), limit: search.limit });

/** A change of what is looked for: pages of the old list and the instant they were pinned to no longer hold. */
export const changed = (search: AuditSearch, change: Partial<AuditSearch>): AuditSearch => ({
  ...search,
  cursor: undefined,
  at: undefined,
  ...change,
});
