/**
 * Index partitions as sorted sources. A *range* is one partition read downwards. A *skip scan* reads a status partition,
 * which is sorted by status and then time, as if it were sorted by time alone: within each status it takes the newest
 * rows and then jumps by a key condition to the next status (a loose index scan). No filter expression, so what is paid
 * for is what is shown, give or take a page.
 */
import * as AuditTable from "./audit-table.ts";
import type { Budget, Source } from "./sorted-merge.ts";

export interface Entry {
  position: string;
  item: AuditTable.Item;
}

interface Bounds {
  /** Positions at least this … */
  lower: string;
  /** … and below this. */
  upper: string;
  /** Rows to read at a time. */
  chunk: number;
}

/**
 * @param prefix what stands before the position in the sort key, e.g. `404#`
 * @param accept drops rows that the key's order cannot exclude
 */
export function range(
  table: AuditTable.AuditTable,
  index: AuditTable.SortedIndex,
  partition: string,
  { lower, upper, chunk }: Bounds,
  prefix = "",
  accept: (item: AuditTable.Item) => boolean = () => true,
): Source<Entry> {
  const source = { buffer: [] as Entry[], frontier: upper, done: lower >= upper, fill };
  async function fill(budget: Budget): Promise<void> {
    budget.spent++;
    const { items, more } = await AuditTable.readRange(table, index, {
      partition,
      low: prefix + lower,
      high: prefix + source.frontier,
      limit: chunk + 1, // The row at the frontier itself may come again.
    });
    const entries = items.map((item) => ({ position: positionOf(item, index, prefix.length), item }));
    const unread = entries.filter(({ position }) => position < source.frontier);
    source.buffer.push(...unread.filter(({ item }) => accept(item)));
    source.frontier = unread.at(-1)?.position ?? source.frontier;
    source.done = !more;
  }
  return source;
}

const STATUS_PREFIX = "000#".length;

/** @param statuses the least and the greatest status, as three digits */
export function skipScan(
  table: AuditTable.AuditTable,
  partition: string,
  { lower, upper, chunk }: Bounds,
  statuses: { least: string; greatest: string },
): Source<Entry> {
  const source = { buffer: [] as Entry[], frontier: upper, done: lower >= upper, fill };

  /** The newest `chunk` rows of all statuses below the frontier; about two queries a status, one when it has few rows. */
  async function fill(budget: Budget): Promise<void> {
    const low = `${statuses.least}#${lower}`;
    let below = `${statuses.greatest}#${source.frontier}`;
    const ofStatus = new Map<string, number>();
    const read: Entry[] = [];
    while (below > low) {
      budget.spent++;
      const range = { partition, low, high: below, limit: chunk + 1 };
      const { items, more } = await AuditTable.readRange(table, "status", range);
      for (const item of items) {
        const sortKey = String(item[AuditTable.SORT_KEY.status]);
        if (sortKey >= below) continue;
        const status = sortKey.slice(0, STATUS_PREFIX);
        const position = sortKey.slice(STATUS_PREFIX);
        if (position >= source.frontier) {
          below = status + source.frontier; // Newer than wanted: on to this status's first that is not.
        } else if (position < lower) {
          below = status; // Older than wanted, as all that follow in this status: on to the next.
        } else {
          read.push({ position, item });
          const count = (ofStatus.get(status) ?? 0) + 1;
          ofStatus.set(status, count);
          below = count >= chunk ? status : sortKey;
        }
      }
      if (!more) break;
    }
    const found = newest(read, chunk);
    source.buffer.push(...found);
    source.frontier = found.at(-1)?.position ?? source.frontier;
    source.done = found.length < chunk;
  }
  return source;
}

const newest = (entries: Entry[], count: number) =>
  entries.sort((a, b) => (a.position < b.position ? 1 : -1)).slice(0, count);

function positionOf(item: AuditTable.Item, index: AuditTable.SortedIndex, prefixLength: number): string {
  return String(item[AuditTable.SORT_KEY[index]]).slice(prefixLength);
}
