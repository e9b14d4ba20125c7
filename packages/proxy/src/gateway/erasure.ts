/** The deletion of everything that is somebody's (GDPR article 17), and the receipt for it. */
import { createHash, randomUUID } from "node:crypto";
import type pg from "pg";
import { dropMappings } from "./key-admin.ts";
import { hasTable } from "./litellm-row.ts";

export interface Erasure {
  receipt_id: string;
  /** sha256 (hex) of the user's id: whoever knows the id can match it, nobody can read it. */
  subject: string;
  erased_at: string;
  erased_by: string;
  counts: Record<string, number>;
}

/** Tables of LiteLLM's that name users, where it made them; ours need nothing of them. */
const OTHER_TRACES = [
  ["LiteLLM_TeamMembership", "user_id"],
  ["LiteLLM_OrganizationMembership", "user_id"],
  ["LiteLLM_InvitationLink", "user_id"],
  ["LiteLLM_InvitationLink", "created_by"],
  ["LiteLLM_InvitationLink", "updated_by"],
  ["LiteLLM_DailyUserSpend", "user_id"],
] as const;

export async function erase(
  client: pg.ClientBase,
  userId: string,
  by: string,
): Promise<{ erasure: Erasure; tokens: string[] } | null> {
  const keys = await client.query(
    'SELECT token FROM "LiteLLM_VerificationToken" WHERE user_id = $1 ORDER BY token',
    [userId],
  );
  const tokens: string[] = keys.rows.map((row) => row.token);
  await client.query(
    "SELECT FROM central_llm.limit_state WHERE scope IN ('api_key', 'user') AND id = ANY ($1) ORDER BY scope, id FOR UPDATE",
    [[...tokens, userId]],
  );
  const count = async (text: string, values: unknown[]) => (await client.query(text, values)).rowCount ?? 0;
  const archived = await client.query(
    'SELECT token FROM "LiteLLM_DeletedVerificationToken" WHERE user_id = $1',
    [userId],
  );
  const everyToken = [...tokens, ...archived.rows.map((row) => row.token)];
  const retired = await client.query(
    "SELECT token FROM central_llm.retired_key WHERE active_token = ANY ($1)",
    [everyToken],
  );
  everyToken.push(...retired.rows.map((row) => row.token));
  await dropMappings(client, tokens);
  const counts = {
    spend_rows: await count('DELETE FROM "LiteLLM_SpendLogs" WHERE "user" = $1 OR api_key = ANY ($2)', [
      userId,
      everyToken,
    ]),
    keys: await count('DELETE FROM "LiteLLM_VerificationToken" WHERE token = ANY ($1)', [tokens]),
    deleted_keys: await count('DELETE FROM "LiteLLM_DeletedVerificationToken" WHERE user_id = $1', [userId]),
    team_places: await count(
      `UPDATE "LiteLLM_TeamTable" SET members = array_remove(members, $1), admins = array_remove(admins, $1),
         members_with_roles = CASE WHEN jsonb_typeof(members_with_roles) = 'array' THEN
           coalesce((SELECT jsonb_agg(m) FROM jsonb_array_elements(members_with_roles) m WHERE m ->> 'user_id' IS DISTINCT FROM $1), '[]')
           ELSE members_with_roles END
       WHERE $1 = ANY (members) OR $1 = ANY (admins) OR members_with_roles @> jsonb_build_array(jsonb_build_object('user_id', $1::text))`,
      [userId],
    ),
    users: 0,
  };
  await client.query("DELETE FROM central_llm.retired_key WHERE active_token = ANY ($1)", [everyToken]);
  await client.query(
    "DELETE FROM central_llm.limit_state WHERE scope IN ('api_key', 'user') AND id = ANY ($1)",
    [[...tokens, userId]],
  );
  for (const [table, column] of OTHER_TRACES) {
    if (await hasTable(client, table))
      await client.query(`DELETE FROM "${table}" WHERE "${column}" = $1`, [userId]);
  }
  counts.users = await count(`DELETE FROM "LiteLLM_UserTable" WHERE user_id = $1`, [userId]);
  if (Object.values(counts).every((n) => n === 0)) return null;
  const erasure = {
    receipt_id: randomUUID(),
    subject: createHash("sha256").update(userId).digest("hex"),
    erased_at: new Date().toISOString(),
    erased_by: by,
    counts,
  };
  await client.query(
    "INSERT INTO central_llm.erasure_receipt (id, subject, erased_at, erased_by, counts) VALUES ($1, $2, $3, $4, $5)",
    [erasure.receipt_id, erasure.subject, erasure.erased_at, erasure.erased_by, JSON.stringify(counts)],
  );
  return { erasure, tokens };
}
