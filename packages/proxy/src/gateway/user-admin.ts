/** `/user/*`, with the deletion of everything that is somebody's (GDPR article 17) and a receipt for it. */
import { randomUUID } from "node:crypto";
import { DeleteUsers, NewUser, UpdateUser } from "@central-llm/core/key-owner";
import { type AdminCall, badRequest, change, notFound, parsed } from "./admin-request.ts";
import { type Erasure, erase } from "./erasure.ts";
import { insertKey } from "./key-admin.ts";
import { ALL, announce } from "./key-changes.ts";
import { budgetReset } from "./key-columns.ts";
import { insertRow, lockRow, patchRow, type Row, visible } from "./litellm-row.ts";

const USERS = "LiteLLM_UserTable";
const target = (row: Row) => ({
  kind: "user" as const,
  id: String(row.user_id),
  alias: (row.user_alias as string | null) ?? null,
});

export function newUser(call: AdminCall) {
  const { auto_create_key, duration, key_alias, team_id, tier, ...fields } = parsed(NewUser, call.body);
  return change(call, async (client, audit) => {
    const user_id = fields.user_id ?? randomUUID();
    const columns = {
      ...fields,
      user_id,
      models: fields.models ?? [],
      teams: fields.teams ?? [],
      metadata: fields.metadata ?? {},
    };
    const row = await insertRow(client, USERS, { ...columns, ...(await budgetReset(client, columns)) }).catch(
      (error) => {
        if (error.code === "23505") throw badRequest(`User with id ${user_id} already exists.`, "user_id");
        throw error;
      },
    );
    audit({ action: "user.new", target: target(row), before: null, after: visible(row) });
    if (!auto_create_key) return { ...visible(row), key: null, token: null };
    const made = await insertKey(client, call, { user_id, duration, key_alias, team_id, tier });
    audit({
      action: "key.generate",
      target: { kind: "key", id: String(made.row.token), alias: key_alias ?? null },
      before: null,
      after: visible(made.row),
    });
    return {
      ...visible(row),
      key: made.key,
      token: made.row.token,
      key_name: made.row.key_name,
      expires: made.row.expires,
    };
  });
}

export function updateUser(call: AdminCall) {
  const { user_id, ...fields } = parsed(UpdateUser, call.body);
  return change(call, async (client, audit) => {
    const before = await lockRow(client, USERS, ["user_id", user_id]);
    if (!before) throw notFound("The user");
    const columns: Row = { ...fields };
    for (const list of ["models", "teams"]) if (columns[list] === null) columns[list] = [];
    if (columns.metadata === null) columns.metadata = {};
    const row = await patchRow(client, USERS, ["user_id", user_id], {
      ...columns,
      ...(await budgetReset(client, columns)),
      updated_at: new Date(),
    });
    if (!row) throw notFound("The user");
    await announce(client, ALL);
    audit({ action: "user.update", target: target(row), before: visible(before), after: visible(row) });
    return { user_id, data: visible(row) };
  });
}

export async function userInfo(call: AdminCall) {
  const { pool } = call.options.database;
  const asked = call.query.get("user_id") ?? call.actor.userId;
  if (!asked) throw badRequest("Say which user: ?user_id=", "user_id");
  if (call.actor.kind === "key" && asked !== call.actor.userId) throw notFound("The user");
  const [user, keys, teams] = await Promise.all([
    pool.query(`SELECT * FROM "${USERS}" WHERE user_id = $1`, [asked]),
    pool.query('SELECT * FROM "LiteLLM_VerificationToken" WHERE user_id = $1 ORDER BY created_at, token', [
      asked,
    ]),
    pool.query(
      `SELECT t.* FROM "LiteLLM_TeamTable" t WHERE $1 = ANY (t.members) OR $1 = ANY (t.admins)
       OR t.members_with_roles @> jsonb_build_array(jsonb_build_object('user_id', $1::text)) ORDER BY t.team_id`,
      [asked],
    ),
  ]);
  if (user.rowCount === 0 && keys.rowCount === 0) throw notFound("The user");
  return {
    user_id: asked,
    user_info: user.rows[0] ? visible(user.rows[0]) : null,
    keys: keys.rows.map(visible),
    teams: teams.rows.map(visible),
  };
}

/**
 * Deletes users with their keys (also the archived ones), spend rows and places in teams. The audit of this action names
 * the user by hash, and holds no row of what was deleted.
 */
export function deleteUsers(call: AdminCall) {
  const { user_ids } = parsed(DeleteUsers, call.body);
  return change(call, async (client, audit) => {
    const receipts: Erasure[] = [];
    for (const userId of [...new Set(user_ids)].sort()) {
      const done = await erase(client, userId, call.actor.changedBy ?? call.actor.userId ?? "master-key");
      if (!done) continue;
      receipts.push(done.erasure);
      for (const token of done.tokens) await announce(client, token);
      audit({
        action: "user.delete",
        target: { kind: "user", id: `sha256:${done.erasure.subject}`, alias: null },
        before: null,
        after: { ...done.erasure },
      });
    }
    if (receipts.length === 0) throw notFound("None of the users");
    return { deleted_users: receipts.length, receipts };
  });
}
