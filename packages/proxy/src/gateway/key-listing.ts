/** `/key/info` and `/key/list`. */
import { tokenOf } from "@central-llm/core/virtual-key";
import { z } from "zod";
import { type AdminCall, badRequest, notFound, queryOf } from "./admin-request.ts";
import { KEYS } from "./key-columns.ts";
import { visible } from "./litellm-row.ts";

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
