/** Answers charts and facets from rollups: a range is covered by days, hours and, at its edges, minutes. */

import { projectKey } from "./audit-index.ts";
import type { AuditTable } from "./audit-table.ts";
import * as Parallel from "./parallel.ts";
import { cutBytes } from "./preview.ts";
import * as RollupBucket from "./rollup-bucket.ts";
import { cover, down, type Piece, type Window } from "./rollup-cover.ts";
import * as RollupTable from "./rollup-table.ts";
import * as Tally from "./rollup-tally.ts";

/** Which rollups are read: of all projects, or of these. */
export interface Reach {
  projects: readonly string[] | null;
}

const scopesOf = ({ projects }: Reach) =>
  projects === null
    ? [{ scope: RollupTable.ALL, project: null }]
    : projects.map((project) => ({ scope: projectKey(project), project }));

/** One value of one dimension, or a class of statuses (`4xx`). */
export interface Condition {
  dimension: Exclude<RollupBucket.Dimension, "project">;
  value: string;
}

export function matcher({ dimension, value }: Condition): (name: string) => boolean {
  if (dimension === "status" && value.endsWith("xx")) return (name) => name[0] === value[0];
  // As rows hold long names.
  const cut =
    dimension === "status"
      ? String(Number(value))
      : cutBytes(value, { user: 96, model: 64, requestType: 32 }[dimension as "user"] ?? 96);
  return (name) => name === cut;
}

export { type Window, windowOf } from "./rollup-cover.ts";

export interface SeriesRequest {
  window: Window;
  stepMs: number;
  reach: Reach;
  /** Groups the points by its values. */
  by: RollupBucket.Dimension | null;
  /** Counts the matching requests only; with `by`, of the same dimension. */
  where: Condition | null;
}

export interface Group {
  value: string | null;
  total: Tally.Tally;
  points: (Tally.Tally | undefined)[];
}

const PIECES_AT_ONCE = 8;

/** @returns the groups, the largest first; `times` are the begins of the steps, aligned to UTC */
export async function series(
  table: AuditTable,
  { window, stepMs, reach, by, where }: SeriesRequest,
): Promise<{ times: number[]; groups: Group[]; queries: number }> {
  const begin = down(window.from, stepMs);
  const times = Array.from(
    { length: Math.ceil((window.to - begin) / stepMs) },
    (_, at) => begin + at * stepMs,
  );
  const groups = new Map<string | null, Group>();
  const groupOf = (value: string | null) => {
    let group = groups.get(value);
    if (group === undefined) {
      group = { value, total: Tally.empty(), points: new Array(times.length).fill(undefined) };
      groups.set(value, group);
    }
    return group;
  };
  const count = (value: string | null, time: number, packed: Tally.Packed) => {
    const group = groupOf(value);
    const at = Math.floor((time - begin) / stepMs);
    group.points[at] ??= Tally.empty();
    Tally.mergePacked(group.points[at], packed);
    Tally.mergePacked(group.total, packed);
  };
  if (by === null) groupOf(null);
  const dimension = where?.dimension ?? by;
  const wanted = where && matcher(where);
  const queries = await eachBucket(
    table,
    window,
    coarsestFor(stepMs),
    reach,
    dimension,
    (bucket, project) => {
      // Of one project, the total is its value.
      if (dimension === null || (dimension === "project" && project !== null)) {
        count(
          by === null ? null : project,
          bucket.time,
          RollupBucket.readTotal(bucket as RollupBucket.StoredBucket),
        );
        return;
      }
      for (const [value, packed] of Object.entries(RollupBucket.decode(bucket)[dimension] ?? {})) {
        if (wanted && !wanted(value)) continue;
        count(by === null ? null : by === "project" ? project : value, bucket.time, packed);
      }
    },
  );
  const ranked = [...groups.values()].sort((a, b) => b.total.requests - a.total.requests);
  return { times, groups: ranked, queries };
}

const coarsestFor = (stepMs: number): RollupTable.Granularity =>
  stepMs % RollupTable.STEP_MS.day === 0
    ? "day"
    : stepMs % RollupTable.STEP_MS.hour === 0
      ? "hour"
      : "minute";

/** The values of each dimension with their tallies over the window. */
export async function facets(
  table: AuditTable,
  window: Window,
  reach: Reach,
  dimensions: readonly RollupBucket.Dimension[],
): Promise<{
  values: Map<RollupBucket.Dimension, Map<string, Tally.Tally>>;
  total: Tally.Tally;
  queries: number;
}> {
  const values = new Map(dimensions.map((name) => [name, new Map<string, Tally.Tally>()]));
  const total = Tally.empty();
  const attributes = new Set<keyof RollupBucket.StoredBucket>(["total"]);
  for (const name of dimensions) attributes.add(name === "user" ? "users" : "dimensions");
  const queries = await eachOf(table, cover(window, "day"), reach, [...attributes], (bucket, project) => {
    Tally.mergePacked(total, RollupBucket.readTotal(bucket as RollupBucket.StoredBucket));
    const decoded = RollupBucket.decode(bucket);
    for (const name of dimensions) {
      const into = values.get(name) as Map<string, Tally.Tally>;
      if (name === "project" && project !== null) {
        Tally.mergePacked(
          RollupBucket.tallyOf(into, project),
          RollupBucket.readTotal(bucket as RollupBucket.StoredBucket),
        );
        continue;
      }
      for (const [value, packed] of Object.entries(decoded[name] ?? {})) {
        Tally.mergePacked(RollupBucket.tallyOf(into, value), packed);
      }
    }
  });
  return { values, total, queries };
}

function eachBucket(
  table: AuditTable,
  window: Window,
  coarsest: RollupTable.Granularity,
  reach: Reach,
  dimension: RollupBucket.Dimension | null,
  each: (bucket: RollupTable.Read, project: string | null) => void,
): Promise<number> {
  const totals = dimension === null || (dimension === "project" && reach.projects !== null);
  const attribute = totals ? "total" : dimension === "user" ? "users" : "dimensions";
  return eachOf(table, cover(window, coarsest), reach, [attribute], each);
}

async function eachOf(
  table: AuditTable,
  pieces: Piece[],
  reach: Reach,
  attributes: readonly (keyof RollupBucket.StoredBucket)[],
  each: (bucket: RollupTable.Read, project: string | null) => void,
): Promise<number> {
  const reads = scopesOf(reach).flatMap(({ scope, project }) =>
    pieces.map(({ granularity, from, to }) => ({ key: { granularity, scope }, project, from, to })),
  );
  const counts = await Parallel.map(reads, PIECES_AT_ONCE, async ({ key, project, from, to }) => {
    const { buckets, queries } = await RollupTable.range(table, key, from, to, attributes);
    for (const bucket of buckets) each(bucket, project);
    return queries;
  });
  return counts.reduce((sum, queries) => sum + queries, 0);
}
