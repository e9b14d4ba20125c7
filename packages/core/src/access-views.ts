/** Who read a record's content: the accesses that name it, through the sparse index. */
import * as AuditIndex from "./audit-index.ts";
import * as AuditTable from "./audit-table.ts";

const SHOWN = 100;
/** The index keeps no order, so all keys are read before the newest can be told. */
const MAX_KEYS = 1_000;

/** Whole rows of profile `console`, newest first. */
export async function find(
  table: AuditTable.AuditTable,
  requestId: string,
): Promise<{ items: AuditTable.Item[]; more: boolean }> {
  const keys = await AuditTable.keysByRequestId(table, AuditIndex.accessKey(requestId), MAX_KEYS);
  keys.sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
  const items = await AuditTable.getRows(table, keys.slice(0, SHOWN));
  return {
    // A client may have called a request of its own like such an entry.
    items: items
      .filter(({ profile }) => profile === "console")
      .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1)),
    more: keys.length > SHOWN,
  };
}
