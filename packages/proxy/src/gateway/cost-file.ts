/** What one UTC day cost, as CSV: made from the day's spend rows alone, so that the same rows give the same bytes. */
import { stringify } from "csv-stringify/sync";
import type pg from "pg";

const DAY_MS = 86_400_000;
/** A request counts on the day it began; what runs over midnight, or waits for PostgreSQL, is booked after its day. */
const OPEN_FOR_MS = DAY_MS;
/** What a day's statement may take: a busy day has millions of rows. */
export const TIMEOUT_MS = 300_000;

/** `2026-11-21`, in UTC. */
export const dayOf = (epochMs: number) => new Date(epochMs).toISOString().slice(0, 10);
export const nextDay = (day: string) => dayOf(Date.parse(day) + DAY_MS);
/** After this nothing changes the day's file any more. Epoch milliseconds. */
export const closesAt = (day: string) => Date.parse(day) + DAY_MS + OPEN_FOR_MS;
export const keyOf = (day: string) => `daily/${day.slice(0, 4)}/${day.slice(5, 7)}/${day}.csv`;

/** Columns that name, and columns that add up. Dollars are decimal, exact to 10 digits behind the point. */
const GROUPS = {
  key_hash: "api_key",
  user_id: `"user"`,
  team_id: "team_id",
  model: "coalesce(nullif(model_group, ''), model)",
  provider: "custom_llm_provider",
  price_table: "metadata ->> 'price_table'",
};
const SUMS = {
  requests: "count(*)",
  failed_requests: "count(*) FILTER (WHERE status = 'failure')",
  prompt_tokens: "sum(prompt_tokens)",
  completion_tokens: "sum(completion_tokens)",
  total_tokens: "sum(total_tokens)",
  // As decimals: a sum of floats depends on the order of the rows.
  spend_usd: "trim_scale(round(sum(spend::numeric), 10))",
};
const COLUMNS = ["day", ...Object.keys(GROUPS), ...Object.keys(SUMS)];

const places = Object.keys(GROUPS).map((_, at) => at + 1);
const QUERY = `SELECT ${Object.entries(GROUPS)
  .map(([name, column]) => `coalesce(${column}, '') COLLATE "C" AS ${name}`)
  .join(", ")},
  ${Object.entries(SUMS)
    .map(([name, sum]) => `(${sum})::text AS ${name}`)
    .join(", ")}
  FROM "LiteLLM_SpendLogs" WHERE "startTime" >= $1::timestamp AND "startTime" < $2::timestamp
  GROUP BY ${places.join(", ")} ORDER BY ${places.join(", ")}`;

/** The first day with a spend row; null when there is none. */
export async function firstDay(client: pg.ClientBase): Promise<string | null> {
  const { rows } = await client.query<{ day: string | null }>(
    `SELECT to_char(min("startTime"), 'YYYY-MM-DD') AS day FROM "LiteLLM_SpendLogs"`,
  );
  return rows[0]?.day ?? null;
}

/** A heading, and a line for each key, user, team, model, provider and price table; a day without requests has the heading alone. */
export async function content(client: pg.ClientBase, day: string): Promise<string> {
  const { rows } = await client.query<Record<string, string>>(QUERY, [day, nextDay(day)]);
  return stringify(
    // Ids are given by callers: a leading = + - @ would make a spreadsheet run the cell.
    [COLUMNS, ...rows.map((row) => COLUMNS.map((name) => (name === "day" ? day : row[name])))],
    { escape_formulas: true },
  );
}
