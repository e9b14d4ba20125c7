/** `/key/*`: LiteLLM's key management on LiteLLM's own table. A key is in an answer once, when it is made. */
import { randomUUID } from "node:crypto";
import {
  DeleteKeys,
  GenerateKey,
  hashKey,
  keyName,
  NamedKey,
  newKey,
  tokenOf,
  UpdateKey,
} from "@central-llm/core/virtual-key";
import type pg from "pg";
import { type AdminCall, badRequest, change, notFound, parsed } from "./admin-request.ts";
import { announce } from "./key-changes.ts";
import {
  actorName,
  budgetReset,
  columnsOf,
  generated,
  KEYS,
  type KeyFields,
  refuseTakenAlias,
  target,
} from "./key-columns.ts";
import { hasTable, insertRow, lockRow, patchRow, type Row, visible } from "./litellm-row.ts";

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
