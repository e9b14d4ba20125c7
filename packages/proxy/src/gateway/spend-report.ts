/** What was spent, from "LiteLLM_SpendLogs": LiteLLM's reports, and the four of seed 004 §8.4. Dollars and tokens. */
import type pg from "pg";

type Rows = Record<string, unknown>[];
type Pool = Pick<pg.Pool, "query">;

/** Days, in UTC; `to` is included. */
export interface Period {
  from: Date;
  to: Date;
}

const TOTALS = `count(*) AS requests, sum(prompt_tokens)::bigint AS prompt_tokens, sum(completion_tokens)::bigint AS completion_tokens,
  sum(total_tokens)::bigint AS total_tokens, round(sum(spend)::numeric, 10)::float8 AS spend,
  count(*) FILTER (WHERE status = 'failure') AS failed_requests`;
const IN_PERIOD = `"startTime" >= $1 AND "startTime" < $2`;
const bounds = ({ from, to }: Period) => [from.toISOString(), to.toISOString()];

/** Column of the spend rows by what they are added up. */
const GROUPS = {
  key: "api_key",
  user: `nullif("user", '')`,
  team: "team_id",
  customer: "end_user",
  model: "coalesce(nullif(model_group, ''), model)",
  provider: "custom_llm_provider",
  day: `to_char("startTime", 'YYYY-MM-DD')`,
} as const;
export type Group = keyof typeof GROUPS;
export const GROUP_NAMES = Object.keys(GROUPS) as Group[];

/** Totals by any of these, the largest spend first; days in their order. Each row has a column of each group's name. */
export async function totals(pool: Pool, period: Period, groups: readonly Group[]): Promise<Rows> {
  const columns = groups.map((group) => `${GROUPS[group]} AS "${group}"`).join(", ");
  const by = groups.map((_, at) => at + 1).join(", ");
  const order = groups.includes("day") ? `"day", spend DESC` : `spend DESC, 1`;
  const result = await pool.query(
    `SELECT ${columns}, ${TOTALS} FROM "LiteLLM_SpendLogs" WHERE ${IN_PERIOD} GROUP BY ${by} ORDER BY ${order}`,
    bounds(period),
  );
  return result.rows;
}

const last = (days: number, now: Date): Period => ({
  from: new Date(now.getTime() - days * 86_400_000),
  to: now,
});

/** Seed 004 §8.4: total spend by user, last 30 days. */
export async function spendByUser(pool: Pool, now: Date): Promise<Rows> {
  const rows = await totals(pool, last(30, now), ["user"]);
  return rows.map(({ user, spend, requests, total_tokens }) => ({ user, spend, requests, total_tokens }));
}

/** Seed 004 §8.4: requests and tokens by model, last 7 days. */
export async function requestsByModel(pool: Pool, now: Date): Promise<Rows> {
  const rows = await totals(pool, last(7, now), ["model"]);
  rows.sort((a, b) => Number(b.requests) - Number(a.requests));
  return rows.map(({ model, requests, prompt_tokens, completion_tokens, total_tokens }) => ({
    model,
    requests,
    prompt_tokens,
    completion_tokens,
    total_tokens,
  }));
}

/** Seed 004 §8.4: keys that have used more than a share (0.8) of their budget. */
export async function keysNearBudget(pool: Pool, share = 0.8): Promise<Rows> {
  const result = await pool.query(
    `SELECT k.token AS key, k.key_name, k.key_alias, k.user_id AS user, k.team_id AS team, k.spend,
       coalesce(k.max_budget, b.max_budget) AS max_budget, k.budget_reset_at,
       CASE WHEN coalesce(k.max_budget, b.max_budget) > 0 THEN k.spend / coalesce(k.max_budget, b.max_budget) ELSE 1 END AS used
     FROM "LiteLLM_VerificationToken" k LEFT JOIN "LiteLLM_BudgetTable" b ON b.budget_id = k.budget_id
     WHERE k.spend > $1 * coalesce(k.max_budget, b.max_budget) ORDER BY used DESC, k.token`,
    [share],
  );
  return result.rows;
}

/** Seed 004 §8.4: users who were active in the last 24 hours, with their requests. */
export async function activeUsers(pool: Pool, now: Date): Promise<{ active_users: number; users: Rows }> {
  const rows = (await totals(pool, last(1, now), ["user"])).filter((row) => row.user !== null);
  return {
    active_users: rows.length,
    users: rows.map(({ user, requests, total_tokens, spend }) => ({ user, requests, total_tokens, spend })),
  };
}

export interface SpendLogFilter {
  api_key?: string | undefined;
  user_id?: string | undefined;
  request_id?: string | undefined;
}

const LOGS_AT_MOST = 10_000;

/** Spend rows, newest first, at most 10,000. */
export async function spendLogs(pool: Pool, filter: SpendLogFilter, period: Period | null): Promise<Rows> {
  const values: unknown[] = [];
  const where: string[] = [];
  const add = (text: string, value: unknown) => {
    values.push(value);
    where.push(text.replace("?", `$${values.length}`));
  };
  if (filter.api_key !== undefined) add("api_key = ?", filter.api_key);
  if (filter.user_id !== undefined) add(`"user" = ?`, filter.user_id);
  if (filter.request_id !== undefined) add("request_id = ?", filter.request_id);
  if (period) {
    add(`"startTime" >= ?`, period.from.toISOString());
    add(`"startTime" < ?`, period.to.toISOString());
  }
  const condition = where.length ? `WHERE ${where.join(" AND ")}` : "";
  const result = await pool.query(
    `SELECT * FROM "LiteLLM_SpendLogs" ${condition} ORDER BY "startTime" DESC, request_id DESC LIMIT ${LOGS_AT_MOST}`,
    values,
  );
  return result.rows;
}

/** LiteLLM's `summarize`: one entry a day, with what each user and model spent. */
export async function spendByDay(pool: Pool, period: Period, filter: SpendLogFilter): Promise<Rows> {
  const result = await pool.query(
    `SELECT to_char("startTime", 'YYYY-MM-DD') AS day, api_key, "user", ${GROUPS.model} AS model, sum(spend) AS spend
     FROM "LiteLLM_SpendLogs" WHERE ${IN_PERIOD} AND ($3::text IS NULL OR api_key = $3) AND ($4::text IS NULL OR "user" = $4)
     GROUP BY 1, 2, 3, 4 ORDER BY 1`,
    [...bounds(period), filter.api_key ?? null, filter.user_id ?? null],
  );
  const days = Map.groupBy(result.rows, (row) => row.day as string);
  return [...days].map(([startTime, rows]) => {
    const sumBy = (name: string) => {
      const sums: Record<string, number> = {};
      for (const row of rows) sums[row[name]] = (sums[row[name]] ?? 0) + row.spend;
      return sums;
    };
    const spend = rows.reduce((sum, row) => sum + row.spend, 0);
    return { startTime, spend, users: sumBy("user"), models: sumBy("model"), api_keys: sumBy("api_key") };
  });
}

const metrics = (rows: Rows) => {
  const sum = (name: string) => rows.reduce((total, row) => total + Number(row[name] ?? 0), 0);
  const [api_requests, failed_requests] = [sum("requests"), sum("failed_requests")];
  return {
    spend: sum("spend"),
    prompt_tokens: sum("prompt_tokens"),
    completion_tokens: sum("completion_tokens"),
    total_tokens: sum("total_tokens"),
    api_requests,
    successful_requests: api_requests - failed_requests,
    failed_requests,
  };
};

/** LiteLLM's `/user/daily/activity`: a page of days, newest first, each broken down by model, provider and key. */
export async function dailyActivity(
  pool: Pool,
  period: Period,
  userId: string | null,
  page: number,
  size: number,
) {
  const result = await pool.query(
    `SELECT to_char("startTime", 'YYYY-MM-DD') AS day, ${GROUPS.model} AS model, custom_llm_provider AS provider, api_key AS key, ${TOTALS}
     FROM "LiteLLM_SpendLogs" WHERE ${IN_PERIOD} AND ($3::text IS NULL OR "user" = $3) GROUP BY 1, 2, 3, 4 ORDER BY 1 DESC`,
    [...bounds(period), userId],
  );
  const days = [...Map.groupBy(result.rows as Rows, (row) => String(row.day))];
  const breakdown = (rows: Rows, name: string) =>
    Object.fromEntries(
      [...Map.groupBy(rows, (row) => String(row[name] ?? ""))].map(([id, part]) => [
        id,
        { metrics: metrics(part), metadata: {} },
      ]),
    );
  const all = metrics(result.rows);
  return {
    results: days.slice((page - 1) * size, page * size).map(([date, rows]) => ({
      date,
      metrics: metrics(rows),
      breakdown: {
        models: breakdown(rows, "model"),
        providers: breakdown(rows, "provider"),
        api_keys: breakdown(rows, "key"),
      },
    })),
    metadata: {
      total_spend: all.spend,
      total_prompt_tokens: all.prompt_tokens,
      total_completion_tokens: all.completion_tokens,
      total_tokens: all.total_tokens,
      total_api_requests: all.api_requests,
      total_successful_requests: all.successful_requests,
      total_failed_requests: all.failed_requests,
      page,
      total_pages: Math.ceil(days.length / size),
      has_more: days.length > page * size,
    },
  };
}
