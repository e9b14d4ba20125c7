/** `/spend/*`, `/global/spend/report`, `/user/daily/activity` and the reports of seed 004 §8.4. */
import { tokenOf } from "@central-llm/core/virtual-key";
import { z } from "zod";
import { type AdminCall, badRequest, queryOf } from "./admin-request.ts";
import * as SpendReport from "./spend-report.ts";

const DAY_MS = 86_400_000;
const Day = z.iso.date();
const Dates = { start_date: Day.optional(), end_date: Day.optional() };

/** Whole UTC days, the last one included; by default the last 30 days. */
function period(query: {
  start_date?: string | undefined;
  end_date?: string | undefined;
}): SpendReport.Period {
  const to = query.end_date ? new Date(Date.parse(query.end_date) + DAY_MS) : new Date(Date.now() + DAY_MS);
  const from = query.start_date ? new Date(query.start_date) : new Date(to.getTime() - 30 * DAY_MS);
  if (from >= to) throw badRequest("start_date is after end_date", "start_date");
  return { from, to };
}

const Logs = z.object({
  ...Dates,
  api_key: z.string().optional(),
  user_id: z.string().optional(),
  request_id: z.string().optional(),
  summarize: z.stringbool().default(true),
});

export async function spendLogs(call: AdminCall) {
  const { api_key, user_id, request_id, summarize, ...dates } = queryOf(Logs, call);
  const { pool } = call.options.database;
  const filter = { api_key: api_key === undefined ? undefined : tokenOf(api_key), user_id, request_id };
  const dated = dates.start_date !== undefined || dates.end_date !== undefined;
  // As in LiteLLM: dates give sums by day, unless `summarize=false` asks for the rows.
  if (dated && summarize) return SpendReport.spendByDay(pool, period(dates), filter);
  return SpendReport.spendLogs(pool, filter, dated ? period(dates) : null);
}

const Report = z.object({
  ...Dates,
  group_by: z.enum(["team", "customer", "api_key"]).default("team"),
});
const GROUP = { team: "team", customer: "customer", api_key: "key" } as const;

/** One entry a day, each with the group's totals. */
export async function globalReport(call: AdminCall) {
  const { group_by, ...dates } = queryOf(Report, call);
  const rows = await SpendReport.totals(call.options.database.pool, period(dates), [
    "day",
    GROUP[group_by],
    "model",
  ]);
  const days = Map.groupBy(rows, (row) => String(row.day));
  return [...days].map(([group_by_day, inDay]) => ({
    group_by_day,
    [`${group_by}s`]: [...Map.groupBy(inDay, (row) => row[GROUP[group_by]])].map(([name, parts]) => ({
      [group_by === "team" ? "team_name" : group_by]: name,
      total_spend: parts.reduce((sum, row) => sum + Number(row.spend), 0),
      metadata: parts.map(({ model, spend, total_tokens, requests }) => ({
        model,
        spend,
        total_tokens,
        api_requests: requests,
      })),
    })),
  }));
}

const Totals = z.object({
  ...Dates,
  group_by: z
    .string()
    .default("user")
    .transform((list) => list.split(","))
    .pipe(z.array(z.enum(SpendReport.GROUP_NAMES as [SpendReport.Group, ...SpendReport.Group[]])).min(1)),
});

/** Totals by any of key, user, team, customer, model, provider and day: `?group_by=user,day`. */
export async function spendReport(call: AdminCall) {
  const { group_by, ...dates } = queryOf(Totals, call);
  return SpendReport.totals(call.options.database.pool, period(dates), [...new Set(group_by)]);
}

const Activity = z.object({
  ...Dates,
  user_id: z.string().optional(),
  page: z.coerce.number().int().min(1).default(1),
  page_size: z.coerce.number().int().min(1).max(1_000).default(50),
});

/** A key's holder sees its own user's activity alone. */
export function dailyActivity(call: AdminCall) {
  const { user_id, page, page_size, ...dates } = queryOf(Activity, call);
  const who = call.actor.kind === "key" ? (call.actor.userId ?? "") : (user_id ?? null);
  return SpendReport.dailyActivity(call.options.database.pool, period(dates), who, page, page_size);
}

export const spendByUser = (call: AdminCall) =>
  SpendReport.spendByUser(call.options.database.pool, new Date());
export const requestsByModel = (call: AdminCall) =>
  SpendReport.requestsByModel(call.options.database.pool, new Date());
export const keysNearBudget = (call: AdminCall) => SpendReport.keysNearBudget(call.options.database.pool);
export const activeUsers = (call: AdminCall) =>
  SpendReport.activeUsers(call.options.database.pool, new Date());
