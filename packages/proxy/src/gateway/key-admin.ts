/** `/key/*`: LiteLLM's key management on LiteLLM's own table. A key is in an answer once, when it is made. */
import { randomUUID } from "node:crypto";
import {
  after,
  DeleteKeys,
  GenerateKey,
  hashKey,
  keyName,
  NamedKey,
  newKey,
  RegenerateKey,
  tokenOf,
  UpdateKey,
} from "@central-llm/core/virtual-key";
import type pg from "pg";
import { z } from "zod";
import { type AdminCall, badRequest, change, notFound, parsed, queryOf } from "./admin-request.ts";
import { announce } from "./key-changes.ts";
import { hasTable, insertRow, lockRow, patchRow, type Row, visible } from "./litellm-row.ts";

const KEYS = "LiteLLM_VerificationToken";
const ADMIN = "default_user_id";
const actorName = (call: AdminCall) => call.actor.changedBy ?? call.actor.userId ?? ADMIN;
const text = (value: unknown) => (typeof value === "string" ? value : null);
const target = (row: Row) => ({ kind: "key" as const, id: String(row.token), alias: text(row.key_alias) });

type KeyFields = Omit<z.infer<typeof UpdateKey>, "key">;

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

async function refuseTakenAlias(client: pg.ClientBase, alias: unknown, except: string | null): Promise<void> {
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
const generated = (key: string, row: Row) => {
  const metadata = (row.metadata as Row | null) ?? {};
  const lifted = Object.fromEntries(IN_METADATA.map((name) => [name, metadata[name] ?? null]));
  return { ...lifted, ...visible(row), key, token: row.token, token_id: row.token, key_name: row.key_name };
};

export async function insertKey(client: pg.ClientBase, call: AdminCall, body: GenerateKey) {
  const { key: own, tier, ...fields } = body;
  const template = tier == null ? {} : call.options.tiers[tier];
  if (!template)
    throw badRequest(
      `There is no tier '${tier}'. Tiers: ${Object.keys(call.options.tiers).join(", ")}`,
      "tier",
    );
  // null and absent are the same here: the template fills both.
  const said = Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== null && value !== undefined),
  );
  const wanted: KeyFields = { ...template, ...said };
  const key = own ?? newKey();
  const now = new Date();
  const columns = columnsOf(
    { models: [], ...wanted, metadata: { ...wanted.metadata, ...(tier == null ? {} : { tier }) } },
    null,
    now,
  );
  await refuseTakenAlias(client, columns.key_alias, null);
  const author = actorName(call);
  try {
    const row = await insertRow(client, KEYS, {
      ...columns,
      ...(await budgetReset(client, columns)),
      token: hashKey(key),
      key_name: keyName(key),
      created_at: now,
      updated_at: now,
      created_by: author,
      updated_by: author,
    });
    return { key, row };
  } catch (error) {
    if ((error as { code?: unknown }).code === "23505") throw badRequest("This key exists already.", "key");
    if ((error as { code?: unknown }).code === "23503")
      throw badRequest("It names a budget, organization or project that does not exist.");
    throw error;
  }
}

export function generateKey(call: AdminCall) {
  const body = parsed(GenerateKey, call.body);
  return change(call, async (client, audit) => {
    const { key, row } = await insertKey(client, call, body);
    audit({ action: "key.generate", target: target(row), before: null, after: visible(row) });
    return generated(key, row);
  });
}

async function patchKey(call: AdminCall, action: string, key: string, columnsFor: (before: Row) => Row) {
  return change(call, async (client, audit) => {
    const token = tokenOf(key);
    const before = await lockRow(client, KEYS, ["token", token]);
    if (!before) throw notFound("The key");
    const columns = columnsFor(before);
    if (columns.key_alias !== before.key_alias) await refuseTakenAlias(client, columns.key_alias, token);
    const row = await patchRow(client, KEYS, ["token", token], {
      ...columns,
      ...(await budgetReset(client, columns)),
      updated_at: new Date(),
      updated_by: actorName(call),
    });
    if (!row) throw notFound("The key");
    await announce(client, token);
    audit({ action, target: target(row), before: visible(before), after: visible(row) });
    return visible(row);
  });
}

/** Answers what was sent, with the key's hash in place of the key. */
export async function updateKey(call: AdminCall) {
  const { key, ...fields } = parsed(UpdateKey, call.body);
  const row = await patchKey(call, "key.update", key, (before) => columnsOf(fields, before, new Date()));
  return {
    ...fields,
    ...(fields.duration === undefined ? {} : { expires: row.expires }),
    key: row.token,
    token: row.token,
  };
}

export const blockKey = (call: AdminCall) =>
  patchKey(call, "key.block", parsed(NamedKey, call.body).key, () => ({ blocked: true }));
export const unblockKey = (call: AdminCall) =>
  patchKey(call, "key.unblock", parsed(NamedKey, call.body).key, () => ({ blocked: false }));

/** LiteLLM's mappings of JWT claims to keys hold on to the keys' rows. */
export async function dropMappings(client: pg.ClientBase, tokens: string[]): Promise<void> {
  const table = "LiteLLM_JWTKeyMapping";
  if (await hasTable(client, table))
    await client.query(`DELETE FROM "${table}" WHERE token = ANY ($1)`, [tokens]);
}

/** Moves keys to LiteLLM's archive of deleted keys and forgets their counters. */
export async function archiveKeys(client: pg.ClientBase, tokens: string[], by: string): Promise<Row[]> {
  await client.query("DELETE FROM central_llm.limit_state WHERE scope = 'api_key' AND id = ANY ($1)", [
    tokens,
  ]);
  await client.query("DELETE FROM central_llm.retired_key WHERE active_token = ANY ($1)", [tokens]);
  await dropMappings(client, tokens);
  const gone = await client.query(`DELETE FROM "${KEYS}" WHERE token = ANY ($1) RETURNING *`, [tokens]);
  const archive = await client.query(
    `SELECT column_name AS name FROM information_schema.columns
     WHERE table_name = 'LiteLLM_DeletedVerificationToken' AND table_schema = ANY (current_schemas(false))`,
  );
  const kept = new Set(archive.rows.map((row) => row.name));
  for (const row of gone.rows) {
    const columns = Object.fromEntries(Object.entries(row).filter(([name]) => kept.has(name)));
    await insertRow(client, "LiteLLM_DeletedVerificationToken", {
      ...columns,
      id: randomUUID(),
      deleted_at: new Date(),
      deleted_by: by,
    });
    await announce(client, row.token);
  }
  return gone.rows;
}

export function deleteKeys(call: AdminCall) {
  const { keys, key_aliases } = parsed(DeleteKeys, call.body);
  return change(call, async (client, audit) => {
    const named = await client.query(
      `SELECT token, key_alias FROM "${KEYS}" WHERE token = ANY ($1) OR key_alias = ANY ($2) ORDER BY token FOR UPDATE`,
      [(keys ?? []).map(tokenOf), key_aliases ?? []],
    );
    if (named.rowCount === 0) throw notFound("None of the keys");
    const gone = await archiveKeys(
      client,
      named.rows.map((row) => row.token),
      actorName(call),
    );
    for (const row of gone)
      audit({ action: "key.delete", target: target(row), before: visible(row), after: null });
    return {
      deleted_keys: gone.map((row) => (key_aliases?.length ? (row.key_alias ?? row.token) : row.token)),
    };
  });
}

export async function keyInfo(call: AdminCall) {
  const asked = call.query.get("key");
  const token = asked ? tokenOf(asked) : call.actor.keyId;
  if (token === null) throw badRequest("Say which key: ?key=", "key");
  // A key's holder may look at that key alone, and cannot tell others from those that do not exist.
  if (call.actor.kind === "key" && token !== call.actor.keyId) throw notFound("The key");
  const result = await call.options.database.pool.query(`SELECT * FROM "${KEYS}" WHERE token = $1`, [token]);
  if (result.rowCount === 0) throw notFound("The key");
  const { token: _, ...info } = visible(result.rows[0]);
  return { key: token, info };
}

const ListQuery = z.object({
  page: z.coerce.number().int().min(1).default(1),
  size: z.coerce.number().int().min(1).max(100).default(10),
  sort_order: z.enum(["asc", "desc"]).default("desc"),
  return_full_object: z.stringbool().default(false),
  user_id: z.string().optional(),
  team_id: z.string().optional(),
  organization_id: z.string().optional(),
  key_alias: z.string().optional(),
});

export async function listKeys(call: AdminCall) {
  const { page, size, sort_order, return_full_object, ...filters } = queryOf(ListQuery, call);
  const given = Object.entries(filters).filter(([, value]) => value !== undefined);
  const where = given.length
    ? `WHERE ${given.map(([name], at) => `${name} = $${at + 1}`).join(" AND ")}`
    : "";
  const values = given.map(([, value]) => value);
  const { pool } = call.options.database;
  const total = await pool.query(`SELECT count(*) AS n FROM "${KEYS}" ${where}`, values);
  const rows = await pool.query(
    `SELECT * FROM "${KEYS}" ${where} ORDER BY created_at ${sort_order} NULLS LAST, token LIMIT ${size} OFFSET ${(page - 1) * size}`,
    values,
  );
  const count = Number(total.rows[0].n);
  return {
    keys: rows.rows.map((row) => (return_full_object ? visible(row) : row.token)),
    total_count: count,
    current_page: page,
    total_pages: Math.ceil(count / size),
  };
}

/**
 * A new key in place of the old one, with its spend, counters and requests in flight: rotation is no way round a limit.
 * With a grace period, both keys are the same key until it ends.
 */
export function regenerateKey(call: AdminCall) {
  const { key: named, new_key, grace_period, ...fields } = parsed(RegenerateKey, call.body);
  const asked = call.key ?? named;
  if (!asked) throw badRequest("Say which key.", "key");
  return change(call, async (client, audit) => {
    const old = tokenOf(asked);
    // Counters first, as everybody locks them; the primary key changes, so nobody can hold the row as it was.
    await client.query("SELECT FROM central_llm.limit_state WHERE scope = 'api_key' AND id = $1 FOR UPDATE", [
      old,
    ]);
    const before = await lockRow(client, KEYS, ["token", old]);
    if (!before) throw notFound("The key");
    const key = new_key ?? newKey();
    const token = hashKey(key);
    const now = new Date();
    const columns = columnsOf(fields, before, now);
    if (columns.key_alias !== undefined) await refuseTakenAlias(client, columns.key_alias, old);
    const row = await patchRow(client, KEYS, ["token", old], {
      ...columns,
      ...(await budgetReset(client, columns)),
      token,
      key_name: keyName(key),
      rotation_count: Number(before.rotation_count ?? 0) + 1,
      updated_at: now,
      updated_by: actorName(call),
    });
    if (!row) throw notFound("The key");
    await client.query("UPDATE central_llm.limit_state SET id = $2 WHERE scope = 'api_key' AND id = $1", [
      old,
      token,
    ]);
    await client.query(
      "UPDATE central_llm.reservation SET ids = array_replace(ids, $1, $2) WHERE $1 = ANY (ids)",
      [old, token],
    );
    await client.query("UPDATE central_llm.retired_key SET active_token = $2 WHERE active_token = $1", [
      old,
      token,
    ]);
    await client.query(
      "INSERT INTO central_llm.retired_key (token, active_token, revoke_at) VALUES ($1, $2, $3)",
      [old, token, (grace_period == null ? now : after(grace_period, now)).toISOString()],
    );
    await announce(client, old);
    audit({ action: "key.regenerate", target: target(row), before: visible(before), after: visible(row) });
    return generated(key, row);
  });
}
