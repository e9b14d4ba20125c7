/** `GET /api/series`, `GET /api/facets`: from rollups. */

import { ADMIN_PROJECT, ADMIN_TYPE } from "@central-llm/core/model-traffic";
import { OTHER } from "@central-llm/core/rollup-bucket";
import * as RollupQuery from "@central-llm/core/rollup-query";
import * as RollupTable from "@central-llm/core/rollup-table";
import * as Tally from "@central-llm/core/rollup-tally";
import { type Call, type CallOf, MAX_CHART_DAYS, requireProject, spanOf } from "./call.ts";
import { FACET_FIELDS, INTERVALS } from "./contract-chart.ts";
import { Failure } from "./failure.ts";

const STEP_MS = {
  "1m": 60_000,
  "5m": 300_000,
  "15m": 900_000,
  "1h": 3_600_000,
  "6h": 21_600_000,
  "1d": 86_400_000,
} as const satisfies Record<(typeof INTERVALS)[number], number>;
const MAX_POINTS = 1_500;
const AUTO_POINTS = 120;
/** Finer than an hour, every minute of the range is read. */
const MAX_MINUTES = 3_000;

const span = (
  call: Pick<Call, "receivedAt">,
  query: { from?: string | undefined; to?: string | undefined },
) => {
  const { from, to } = spanOf(query, call.receivedAt, MAX_CHART_DAYS);
  return RollupQuery.windowOf(Date.parse(from), Date.parse(to));
};

/** The person's projects, or the one that was asked for. */
export function reachOf({ person }: Pick<Call, "person">, project: string | undefined): RollupQuery.Reach {
  if (project === undefined) return { projects: person.projects };
  requireProject(person, project);
  return { projects: [project] };
}

/** The gateway's administration is counted in its own project alone: a chart of it is a chart of that. */
const scopeOf = (call: CallOf<"series">): string | undefined =>
  call.query.requestType === ADMIN_TYPE && call.person.projects === null
    ? (call.query.project ?? ADMIN_PROJECT)
    : call.query.project;

export async function asOf({ context }: Pick<Call, "context">): Promise<string | null> {
  const time = await RollupTable.through(context.table);
  return time === null ? null : new Date(time).toISOString();
}

const iso = ({ from, to }: RollupQuery.Window) => ({
  from: new Date(from).toISOString(),
  to: new Date(to).toISOString(),
});

function stepOf(interval: CallOf<"series">["query"]["interval"], { from, to }: RollupQuery.Window) {
  const fits = (name: (typeof INTERVALS)[number]) => (to - from) / STEP_MS[name] <= AUTO_POINTS;
  const chosen = interval === "auto" ? (INTERVALS.find(fits) ?? "1d") : interval;
  const step = STEP_MS[chosen];
  if (
    (to - from) / step > MAX_POINTS ||
    (step < STEP_MS["1h"] && (to - from) / STEP_MS["1m"] > MAX_MINUTES)
  ) {
    throw new Failure("invalid_request", `The range is too long for points of ${chosen}.`, [
      { path: "query.interval", message: "choose a longer one, or `auto`" },
    ]);
  }
  return { chosen, step };
}

/** Rollups have no cross sums: one condition can be met, the first of these. */
const CONDITIONS = ["user", "model", "status", "outcome", "requestType", "profile"] as const;

export async function series(call: CallOf<"series">) {
  const { query } = call;
  const window = span(call, query);
  const { chosen, step } = stepOf(query.interval, window);
  const given = CONDITIONS.filter((name) => query[name] !== undefined);
  const by = query.by ?? null;
  const met = given.find((name) => by === null || by === name);
  const where = met === undefined ? null : { dimension: met, value: query[met] ?? "" };
  const reach = reachOf(call, scopeOf(call));
  const [{ times, groups }, known] = await Promise.all([
    RollupQuery.series(call.context.table, { window, stepMs: step, reach, by, where }),
    asOf(call),
  ]);
  const total = Tally.empty();
  for (const group of groups) Tally.merge(total, group.total);
  const none = Tally.figures(Tally.empty());
  return {
    interval: chosen,
    ...iso(window),
    times: times.map((time) => new Date(time).toISOString()),
    groups: groups
      .filter(({ value }) => value !== OTHER)
      .slice(0, query.groups)
      .map(({ value, total: sum, points }) => ({
        value,
        total: Tally.figures(sum),
        points: Array.from(points, (tally) => (tally ? Tally.figures(tally) : none)),
      })),
    total: Tally.figures(total),
    ignored: given.filter((name) => name !== met),
    asOf: known,
  };
}

export async function facets(call: CallOf<"facets">) {
  const { query } = call;
  const window = span(call, query);
  const fields = query.fields ?? [...FACET_FIELDS];
  const [{ values }, known] = await Promise.all([
    RollupQuery.facets(call.context.table, window, reachOf(call, query.project), fields),
    asOf(call),
  ]);
  const q = query.q?.toLowerCase() ?? "";
  return {
    fields: Object.fromEntries(
      fields.map((field) => [field, ranked(values.get(field) ?? new Map(), q, query.limit)]),
    ),
    ...iso(window),
    asOf: known,
  };
}

/** The most frequent first, then by name. */
export function ranked(values: Map<string, Tally.Tally>, q: string, limit: number) {
  const matching = [...values]
    .filter(([value]) => value !== OTHER && value.toLowerCase().includes(q))
    .sort(([a, x], [b, y]) => y.requests - x.requests || (a < b ? -1 : 1));
  const others = [
    ...matching.slice(limit).map(([, tally]) => tally),
    ...(q === "" ? [values.get(OTHER)] : []),
  ];
  return {
    values: matching.slice(0, limit).map(([value, tally]) => ({ value, ...Tally.figures(tally) })),
    total: matching.length,
    otherRequests: others.reduce((sum, tally) => sum + (tally?.requests ?? 0), 0),
  };
}
