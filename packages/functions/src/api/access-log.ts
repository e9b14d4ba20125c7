/** `GET /api/access-log` and `GET /api/audit/{id}/views`: who looked at what. */
import { ACCESS_PROJECT } from "@central-llm/core/access-record";
import * as AccessViews from "@central-llm/core/access-views";
import type * as AuditQuery from "@central-llm/core/audit-query";
import { ACCESS_ACTIONS } from "@central-llm/core/audit-record";
import * as AuditSearch from "@central-llm/core/audit-search";
import type { Item } from "@central-llm/core/audit-table";
import * as AuditTable from "@central-llm/core/audit-table";
import { toListed } from "@central-llm/core/listed-row";
import { type CallOf, spanOf } from "./call.ts";
import type { AccessEntry } from "./contract-access.ts";
import { may } from "./permission.ts";
import { findRows } from "./record.ts";

const text = (value: unknown) => (typeof value === "string" ? value : null);

function entry(item: Item): AccessEntry {
  const row = toListed(item);
  return {
    requestId: row.requestId,
    at: row.receivedAt,
    userId: row.userId ?? "",
    action: ACCESS_ACTIONS.find((action) => action === row.requestType) ?? "search",
    target: text(item.accessTarget),
    projectId: text(item.accessProject),
    reason: text(item.accessReason),
    statusCode: row.statusCode ?? 0,
  };
}

export async function views(call: CallOf<"views">) {
  const [row] = await findRows(call);
  const { items, more } = await AccessViews.find(call.context.table, toListed(row).requestId);
  // Everybody may know that it was read and by whom; the stated reason may tell of the content.
  const reasons = may(call.person, "access-log.read");
  return { views: items.map(entry).map((one) => (reasons ? one : { ...one, reason: null })), more };
}

export async function accessLog(call: CallOf<"accessLog">) {
  const { user, action, cursor, limit, ...given } = call.query;
  const span = spanOf(given, call.receivedAt);
  const filter = {
    project: ACCESS_PROJECT,
    profile: "console" as const,
    ...(user !== undefined && { user }),
    ...(action !== undefined && { requestType: action }),
  };
  const { table } = call.context;
  const page = await AuditSearch.page(table, { filter, sort: "newest", ...span }, { limit, cursor });
  const items = await rowsOf(table, page.rows);
  return {
    entries: items.map(entry),
    nextCursor: page.cursor,
    searchedUntil: page.searchedUntil,
    partial: page.cursor !== null && page.rows.length < limit,
    ...span,
  };
}

/** Whole rows in the order of the list: what an access was to stands in the base table alone. */
async function rowsOf(table: AuditTable.AuditTable, rows: AuditQuery.Page["rows"]): Promise<Item[]> {
  const half = Math.ceil(rows.length / 2);
  const reads = [rows.slice(0, half), rows.slice(half)].map((part) => AuditTable.getRows(table, part));
  const items = new Map((await Promise.all(reads)).flat().map((item) => [item.createdAt, item]));
  return rows.flatMap(({ createdAt }) => items.get(createdAt) ?? []);
}
