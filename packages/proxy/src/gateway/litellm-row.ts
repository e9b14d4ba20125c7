/** Rows of LiteLLM's tables, written by column name. Names come from this code, never from a client. */
import type pg from "pg";

export type Row = Record<string, unknown>;
export type Table =
  | "LiteLLM_VerificationToken"
  | "LiteLLM_DeletedVerificationToken"
  | "LiteLLM_UserTable"
  | "LiteLLM_TeamTable";

const JSON_COLUMNS = new Set([
  "aliases",
  "config",
  "permissions",
  "metadata",
  "model_max_budget",
  "model_spend",
  "members_with_roles",
]);

const stored = ([column, value]: [string, unknown]) => {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  return JSON_COLUMNS.has(column) ? JSON.stringify(value) : value;
};
const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
const defined = (columns: Row) => Object.entries(columns).filter(([, value]) => value !== undefined);

export async function insertRow(client: pg.ClientBase, table: Table, columns: Row): Promise<Row> {
  const entries = defined(columns);
  const names = entries.map(([name]) => quoted(name)).join(", ");
  const places = entries.map((_, at) => `$${at + 1}`).join(", ");
  const result = await client.query(
    `INSERT INTO ${quoted(table)} (${names}) VALUES (${places}) RETURNING *`,
    entries.map(stored),
  );
  return result.rows[0];
}

/** @returns the row as it is now; undefined when there is none */
export async function patchRow(
  client: pg.ClientBase,
  table: Table,
  key: [column: string, id: string],
  columns: Row,
): Promise<Row | undefined> {
  const entries = defined(columns);
  const changes = entries.map(([name], at) => `${quoted(name)} = $${at + 2}`).join(", ");
  const result = await client.query(
    `UPDATE ${quoted(table)} SET ${changes} WHERE ${quoted(key[0])} = $1 RETURNING *`,
    [key[1], ...entries.map(stored)],
  );
  return result.rows[0];
}

/** Holds the row until the transaction ends, so that what is audited as "before" is what was changed. */
export async function lockRow(
  client: pg.ClientBase,
  table: Table,
  key: [column: string, id: string],
): Promise<Row | undefined> {
  const result = await client.query(
    `SELECT * FROM ${quoted(table)} WHERE ${quoted(key[0])} = $1 FOR UPDATE`,
    [key[1]],
  );
  return result.rows[0];
}

/** Whether LiteLLM made this table of its own, of which we need nothing. */
export async function hasTable(client: pg.ClientBase, table: string): Promise<boolean> {
  const result = await client.query("SELECT to_regclass($1) IS NOT NULL AS found", [quoted(table)]);
  return result.rows[0].found;
}

/** What answers and audit may hold of a row. */
export function visible(row: Row): Row {
  const { password: _password, ...rest } = row;
  return rest;
}
