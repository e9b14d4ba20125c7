/** How a request for a key becomes columns of LiteLLM's table, and a row an answer. */
import { after, type UpdateKey } from "@central-llm/core/virtual-key";
import type pg from "pg";
import type { z } from "zod";
import { type AdminCall, badRequest } from "./admin-request.ts";
import { type Row, visible } from "./litellm-row.ts";

export const KEYS = "LiteLLM_VerificationToken";
const ADMIN = "default_user_id";
export const actorName = (call: AdminCall) => call.actor.changedBy ?? call.actor.userId ?? ADMIN;
const text = (value: unknown) => (typeof value === "string" ? value : null);
export const target = (row: Row) => ({
  kind: "key" as const,
  id: String(row.token),
  alias: text(row.key_alias),
});

export type KeyFields = Omit<z.infer<typeof UpdateKey>, "key">;

/** LiteLLM keeps these in a key's metadata. */
const IN_METADATA = ["model_rpm_limit", "model_tpm_limit", "tags", "soft_budget"] as const;

/** The columns that a request sets; what it does not mention is undefined. */
export function columnsOf(fields: KeyFields, before: Row | null, now: Date): Row {
  const { duration, model_rpm_limit, model_tpm_limit, tags, soft_budget, metadata, ...columns } = fields;
  const inMetadata = { model_rpm_limit, model_tpm_limit, tags, soft_budget };
  const row: Row = { ...columns };
  for (const column of ["models", "allowed_routes"] as const) if (fields[column] === null) row[column] = [];
  for (const column of ["aliases", "config", "permissions", "model_max_budget"] as const) {
    if (fields[column] === null) row[column] = {};
  }
  if (duration !== undefined) {
    row.expires = duration === null || duration === "-1" ? null : after(duration, now);
  }
  if (metadata !== undefined || IN_METADATA.some((name) => inMetadata[name] !== undefined)) {
    const kept = metadata === undefined ? ((before?.metadata as Row | null) ?? {}) : (metadata ?? {});
    const merged: Row = { ...kept };
    for (const name of IN_METADATA) {
      if (inMetadata[name] === null) delete merged[name];
      else if (inMetadata[name] !== undefined) merged[name] = inMetadata[name];
    }
    row.metadata = merged;
  }
  return row;
}

/** When the budget of a key, user or team with these columns next starts anew. */
export async function budgetReset(client: pg.ClientBase, row: Row): Promise<Row> {
  if (row.budget_duration === undefined) return {};
  const result = await client.query(
    "SELECT central_llm.next_reset($1, clock_timestamp() AT TIME ZONE 'UTC') AS at",
    [row.budget_duration],
  );
  return { budget_reset_at: result.rows[0].at };
}

export async function refuseTakenAlias(
  client: pg.ClientBase,
  alias: unknown,
  except: string | null,
): Promise<void> {
  if (typeof alias !== "string") return;
  // Two requests for the same alias at the same time: the second waits here.
  await client.query("SELECT pg_advisory_xact_lock(hashtextextended('key_alias:' || $1, 0))", [alias]);
  const taken = await client.query(
    `SELECT FROM "${KEYS}" WHERE key_alias = $1 AND token IS DISTINCT FROM $2 LIMIT 1`,
    [alias, except],
  );
  if (taken.rowCount)
    throw badRequest(
      `Key with alias '${alias}' already exists. Unique key aliases across all keys are required.`,
      "key_alias",
    );
}

/** What the maker of a key sees; the only answer that holds it. */
export const generated = (key: string, row: Row) => {
  const metadata = (row.metadata as Row | null) ?? {};
  const lifted = Object.fromEntries(IN_METADATA.map((name) => [name, metadata[name] ?? null]));
  return { ...lifted, ...visible(row), key, token: row.token, token_id: row.token, key_name: row.key_name };
};
