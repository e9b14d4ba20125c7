/** `/key/regenerate`. */
import { after, hashKey, keyName, newKey, RegenerateKey, tokenOf } from "@central-llm/core/virtual-key";
import { type AdminCall, badRequest, change, notFound, parsed } from "./admin-request.ts";
import { announce } from "./key-changes.ts";
import {
  actorName,
  budgetReset,
  columnsOf,
  generated,
  KEYS,
  refuseTakenAlias,
  target,
} from "./key-columns.ts";
import { lockRow, patchRow, visible } from "./litellm-row.ts";

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
