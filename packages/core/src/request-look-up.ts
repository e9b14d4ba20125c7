/**
 * Rows by request id. An id of ours carries its time, which names the day and, with its hash, the shard of the status
 * index; only the status is unknown. Every other id is in the sparse index. Both ways are tried, since a client may name
 * its request like one of ours, and one client id may name several rows.
 */
import * as AuditIndex from "./audit-index.ts";
import * as AuditTable from "./audit-table.ts";
import * as IndexPartition from "./index-partition.ts";
import { requestIdTime } from "./request-id.ts";

/** More rows than this under one client id are not shown. */
export const MAX_MATCHES = 100;

/** Whole rows, newest first. */
export async function find(table: AuditTable.AuditTable, requestId: string): Promise<AuditTable.Item[]> {
  const [derived, indexed] = await Promise.all([
    derivedKeys(table, requestId),
    AuditTable.keysByRequestId(table, AuditIndex.keyRequestId(requestId), MAX_MATCHES),
  ]);
  const keys = new Map([...derived, ...indexed].map((key) => [`${key.id}\n${key.createdAt}`, key]));
  const items = await AuditTable.getRows(table, [...keys.values()].slice(0, MAX_MATCHES));
  return items.sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
}

async function derivedKeys(table: AuditTable.AuditTable, requestId: string): Promise<AuditTable.RowKey[]> {
  const time = requestIdTime(requestId);
  if (time === null || time >= 253_402_300_799_999) return [];
  const at = new Date(time).toISOString();
  const partition = AuditIndex.statusPartition(at.slice(0, 10), AuditIndex.shardOf(requestId));
  const position = AuditIndex.timeKey(at, requestId);
  // Nearly every request ends with 200: one exact query, before going through the other statuses.
  const key = `200#${position}`;
  const likely = await AuditTable.readRange(table, "status", { partition, low: key, high: key, limit: 2 });
  if (likely.items.length > 0) return likely.items;
  const source = IndexPartition.skipScan(
    table,
    partition,
    { lower: position, upper: `${position}!`, chunk: 2 },
    { least: "000", greatest: "999" },
  );
  await source.fill({ spent: 0, allowed: Number.POSITIVE_INFINITY });
  return source.buffer.map(({ item }) => item);
}
