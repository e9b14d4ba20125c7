/**
 * Brings a database to what the gateway needs. LiteLLM's tables are created when they are absent and left exactly as they
 * are when LiteLLM made them; all that is ours is in the schema `central_llm`.
 */
import { readFile } from "node:fs/promises";
import { type Database, transaction } from "./database.ts";

/** In their order, each applied once. An applied one is never edited: a change is a new one. */
const MIGRATIONS = ["001-limit-state", "002-admit", "003-settle", "005-admit-lone"];
const LITELLM_TABLES = "litellm-tables";
/** Serialises migrations of processes that start together. */
const LOCK = 7_164_390_020;

/** The columns that our statements name: an older LiteLLM's database may lack some. */
const NEEDED: Record<string, string[]> = {
  LiteLLM_VerificationToken:
    "token key_name key_alias spend expires models aliases metadata permissions user_id team_id organization_id blocked max_parallel_requests tpm_limit rpm_limit max_budget budget_duration budget_reset_at budget_id allowed_routes model_max_budget last_active rotation_count created_at created_by updated_at updated_by".split(
      " ",
    ),
  LiteLLM_DeletedVerificationToken: ["id", "token", "deleted_at", "deleted_by"],
  LiteLLM_UserTable:
    "user_id user_alias user_email user_role teams spend max_budget models metadata max_parallel_requests tpm_limit rpm_limit budget_duration budget_reset_at".split(
      " ",
    ),
  LiteLLM_TeamTable:
    "team_id team_alias members admins members_with_roles spend max_budget models blocked metadata max_parallel_requests tpm_limit rpm_limit budget_duration budget_reset_at".split(
      " ",
    ),
  LiteLLM_BudgetTable: "budget_id max_budget max_parallel_requests tpm_limit rpm_limit budget_duration".split(
    " ",
  ),
  LiteLLM_SpendLogs:
    "request_id call_type api_key spend total_tokens prompt_tokens completion_tokens startTime endTime completionStartTime request_duration_ms model model_id model_group custom_llm_provider api_base user metadata cache_hit request_tags team_id end_user requester_ip_address session_id status".split(
      " ",
    ),
};

const source = (name: string) => readFile(new URL(`./migrations/${name}.sql`, import.meta.url), "utf8");

/**
 * Safe to run from every process at each start.
 * @returns what was done, for the log
 * @throws Error that names the columns that an older LiteLLM's database lacks
 */
export async function migrate(
  database: Database,
): Promise<{ litellmTables: "created" | "found"; applied: string[] }> {
  return transaction(database, async (client) => {
    await client.query("SET LOCAL statement_timeout = '60s'");
    await client.query("SELECT pg_advisory_xact_lock($1)", [LOCK]);
    const known = await client.query(
      `SELECT to_regclass('"LiteLLM_VerificationToken"') IS NOT NULL AS found`,
    );
    const found: boolean = known.rows[0].found;
    if (!found) await client.query(await source(LITELLM_TABLES));

    const columns = await client.query(
      "SELECT table_name, column_name FROM information_schema.columns WHERE table_name = ANY ($1) AND table_schema = ANY (current_schemas(false))",
      [Object.keys(NEEDED)],
    );
    const have = new Set(columns.rows.map((row) => `${row.table_name}.${row.column_name}`));
    const missing = Object.entries(NEEDED).flatMap(([table, names]) =>
      names.map((name) => `${table}.${name}`).filter((name) => !have.has(name)),
    );
    if (missing.length > 0) {
      throw new Error(`This LiteLLM database is too old for the gateway; it lacks ${missing.join(", ")}`);
    }

    await client.query("CREATE SCHEMA IF NOT EXISTS central_llm");
    await client.query(
      "CREATE TABLE IF NOT EXISTS central_llm.migration (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())",
    );
    const done = new Set(
      (await client.query("SELECT name FROM central_llm.migration")).rows.map((row) => row.name),
    );
    const applied = MIGRATIONS.filter((name) => !done.has(name));
    for (const name of applied) {
      await client.query(await source(name));
      await client.query("INSERT INTO central_llm.migration (name) VALUES ($1)", [name]);
    }
    return { litellmTables: found ? "found" : "created", applied };
  });
}
