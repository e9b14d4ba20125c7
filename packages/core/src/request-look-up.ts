/**
 * Rows by request id. An id of ours carries its time, which names the day and, with its hash, the shard of the two indexes
 * that go over all rows. Every other id is in the sparse index. Both ways are tried, since a client may name
 * its request like one of ours, and one client id may name several rows.
 */
import * as AuditIndex from "./audit-index.ts";
import * as AuditTable from "./audit-table.ts";
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
  const [day, shard] = [at.slice(0, 10), AuditIndex.shardOf(requestId)];
  const position = AuditIndex.timeKey(at, requestId);
  const exactly = async (index: "status" | "failure", partition: string, key: string) =>
    (await AuditTable.readRange(table, index, { partition, low: key, high: key, limit: 2 })).items;
  // Nearly every request ends with 200: one query, before the two for those that did not.
  const likely = await exactly("status", AuditIndex.statusPartition(day, shard), `200#${position}`);
  if (likely.length > 0) return likely;
  const failures = AuditIndex.FAILURE_GROUPS.map((group) =>
    exactly("failure", AuditIndex.failurePartition(group, day, shard), position),
  );
  return (await Promise.all(failures)).flat();
}
