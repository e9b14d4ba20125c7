/** What the same user called just before and just after a record, of whichever project. */
import * as AuditIndex from "./audit-index.ts";
import * as AuditTable from "./audit-table.ts";
import { type ListedRow, toListed } from "./listed-row.ts";

const shards = Array.from({ length: AuditIndex.SHARDS }, (_, shard) => shard);
const LOWEST = "0";
const HIGHEST = "~";

/** The month's neighbour: `2026-01`, -1 → `2025-12`. */
function month(name: string, step: number): string {
  const date = new Date(`${name}-01T00:00:00.000Z`);
  date.setUTCMonth(date.getUTCMonth() + step);
  return date.toISOString().slice(0, 7);
}

/**
 * @param position `createdAt` of the row between them
 * @returns `count` at most on each side, the nearest first, from the record's month and the one beside it
 */
export async function around(
  table: AuditTable.AuditTable,
  userId: string,
  position: string,
  count: number,
): Promise<{ before: ListedRow[]; after: ListedRow[] }> {
  async function side(ascending: boolean): Promise<ListedRow[]> {
    const found: ListedRow[] = [];
    for (const step of [0, ascending ? 1 : -1]) {
      if (found.length >= count) break;
      const inMonth = month(position.slice(0, 7), step);
      const reads = shards.map((shard) =>
        AuditTable.readRange(table, "user", {
          partition: AuditIndex.userPartition(userId, inMonth, shard),
          low: ascending && step === 0 ? position : LOWEST,
          high: !ascending && step === 0 ? position : HIGHEST,
          limit: count + 1, // The row itself may be among them.
          ascending,
        }),
      );
      const rows = (await Promise.all(reads)).flatMap(({ items }) => items.map(toListed));
      rows.sort((a, b) => (a.createdAt < b.createdAt === ascending ? -1 : 1));
      found.push(...rows.filter(({ createdAt }) => createdAt !== position));
    }
    return found.slice(0, count);
  }
  const [before, after] = await Promise.all([side(false), side(true)]);
  return { before, after };
}
