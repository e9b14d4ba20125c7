/** `/team/*`. */
import { randomUUID } from "node:crypto";
import { DeleteTeams, NamedTeam, NewTeam, UpdateTeam } from "@central-llm/core/key-owner";
import { type AdminCall, badRequest, change, notFound, parsed } from "./admin-request.ts";
import { archiveKeys } from "./key-admin.ts";
import { ALL, announce } from "./key-changes.ts";
import { budgetReset } from "./key-columns.ts";
import { insertRow, lockRow, patchRow, type Row, visible } from "./litellm-row.ts";

const TEAMS = "LiteLLM_TeamTable";
const target = (row: Row) => ({
  kind: "team" as const,
  id: String(row.team_id),
  alias: (row.team_alias as string | null) ?? null,
});

export function newTeam(call: AdminCall) {
  const fields = parsed(NewTeam, call.body);
  return change(call, async (client, audit) => {
    const team_id = fields.team_id ?? randomUUID();
    const columns = {
      ...fields,
      team_id,
      models: fields.models ?? [],
      admins: fields.admins ?? [],
      members: fields.members ?? [],
      members_with_roles: fields.members_with_roles ?? [],
      metadata: fields.metadata ?? {},
    };
    const row = await insertRow(client, TEAMS, { ...columns, ...(await budgetReset(client, columns)) }).catch(
      (error) => {
        if (error.code === "23505") throw badRequest(`Team id = ${team_id} already exists.`, "team_id");
        if (error.code === "23503") throw badRequest("It names an organization that does not exist.");
        throw error;
      },
    );
    await announce(client, ALL);
    audit({ action: "team.new", target: target(row), before: null, after: visible(row) });
    return visible(row);
  });
}

async function patchTeam(call: AdminCall, action: string, team_id: string, columns: Row): Promise<Row> {
  return change(call, async (client, audit) => {
    const before = await lockRow(client, TEAMS, ["team_id", team_id]);
    if (!before) throw notFound("The team");
    const row = await patchRow(client, TEAMS, ["team_id", team_id], {
      ...columns,
      ...(await budgetReset(client, columns)),
      updated_at: new Date(),
    });
    if (!row) throw notFound("The team");
    await announce(client, ALL);
    audit({ action, target: target(row), before: visible(before), after: visible(row) });
    return visible(row);
  });
}

export async function updateTeam(call: AdminCall) {
  const { team_id, ...fields } = parsed(UpdateTeam, call.body);
  const columns: Row = { ...fields };
  for (const list of ["models", "admins", "members", "members_with_roles"])
    if (columns[list] === null) columns[list] = [];
  if (columns.metadata === null) columns.metadata = {};
  return { team_id, data: await patchTeam(call, "team.update", team_id, columns) };
}

export const blockTeam = (call: AdminCall) =>
  patchTeam(call, "team.block", parsed(NamedTeam, call.body).team_id, { blocked: true });
export const unblockTeam = (call: AdminCall) =>
  patchTeam(call, "team.unblock", parsed(NamedTeam, call.body).team_id, { blocked: false });

export async function teamInfo(call: AdminCall) {
  const { pool } = call.options.database;
  const team_id = call.query.get("team_id");
  if (!team_id) throw badRequest("Say which team: ?team_id=", "team_id");
  const [team, keys] = await Promise.all([
    pool.query(`SELECT * FROM "${TEAMS}" WHERE team_id = $1`, [team_id]),
    pool.query('SELECT * FROM "LiteLLM_VerificationToken" WHERE team_id = $1 ORDER BY created_at, token', [
      team_id,
    ]),
  ]);
  if (team.rowCount === 0) throw notFound("The team");
  return { team_id, team_info: visible(team.rows[0]), keys: keys.rows.map(visible), team_memberships: [] };
}

/** A team's keys end with it, as in LiteLLM. */
export function deleteTeams(call: AdminCall) {
  const { team_ids } = parsed(DeleteTeams, call.body);
  return change(call, async (client, audit) => {
    const wanted = [...new Set(team_ids)].sort();
    await client.query("DELETE FROM central_llm.limit_state WHERE scope = 'team' AND id = ANY ($1)", [
      wanted,
    ]);
    const keys = await client.query(
      'SELECT token FROM "LiteLLM_VerificationToken" WHERE team_id = ANY ($1) ORDER BY token',
      [wanted],
    );
    const gone = await archiveKeys(
      client,
      keys.rows.map((row) => row.token),
      call.actor.changedBy ?? "master-key",
    );
    for (const row of gone) {
      audit({
        action: "key.delete",
        target: { kind: "key", id: String(row.token), alias: (row.key_alias as string | null) ?? null },
        before: visible(row),
        after: null,
      });
    }
    const teams = await client.query(`DELETE FROM "${TEAMS}" WHERE team_id = ANY ($1) RETURNING *`, [wanted]);
    if (teams.rowCount === 0) throw notFound("None of the teams");
    for (const row of teams.rows)
      audit({ action: "team.delete", target: target(row), before: visible(row), after: null });
    return { deleted_teams: teams.rows.map((row) => row.team_id) };
  });
}
