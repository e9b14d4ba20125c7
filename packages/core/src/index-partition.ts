/** A range of an index partition as a sorted source, read downwards piece by piece. */
import type { Range } from "./audit-ranges.ts";
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
  /** Without previews. */
  brief?: boolean | undefined;
}

export function source(
  table: AuditTable.AuditTable,
  { index, partition, prefix = "", accept = () => true }: Range,
  { lower, upper, chunk, brief = false }: Bounds,
): Source<Entry> {
  const read = { buffer: [] as Entry[], frontier: upper, done: lower >= upper, fill };
  async function fill(budget: Budget): Promise<void> {
    budget.spent++;
    const { items, more } = await AuditTable.readRange(table, index, {
      partition,
      low: prefix + lower,
      high: prefix + read.frontier,
      limit: chunk + 1, // The row at the frontier itself may come again.
      brief,
    });
    const entries = items.map((item) => ({ position: positionOf(item, index, prefix.length), item }));
    const unread = entries.filter(({ position }) => position < read.frontier);
    read.buffer.push(...unread.filter(({ item }) => accept(item)));
    read.frontier = unread.at(-1)?.position ?? read.frontier;
    read.done = !more;
  }
  return read;
}

function positionOf(item: AuditTable.Item, index: AuditTable.SortedIndex, prefixLength: number): string {
  return String(item[AuditTable.SORT_KEY[index]]).slice(prefixLength);
}
