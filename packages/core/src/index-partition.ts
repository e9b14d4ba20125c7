/**
 * Index partitions as sorted sources. A *range* is one partition read downwards. A *skip scan* reads a status partition,
 * which is sorted by status and then time, as if it were sorted by time alone: within each status it takes the newest
 * rows, jumps by a key condition to the next status (a loose index scan), and goes on where a status runs out. No filter expression, so what is paid
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
  /** Without previews. */
  brief?: boolean | undefined;
}

/**
 * @param prefix what stands before the position in the sort key, e.g. `404#`
 * @param accept drops rows that the key's order cannot exclude
 */
export function range(
  table: AuditTable.AuditTable,
  index: AuditTable.SortedIndex,
  partition: string,
  { lower, upper, chunk, brief = false }: Bounds,
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
      brief,
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

/** What was read of one status, newest first, and how far. */
interface StatusRun {
  status: string;
  read: Entry[];
  frontier: string;
  done: boolean;
}

/** @param statuses the least and the greatest status, as three digits */
export function skipScan(
  table: AuditTable.AuditTable,
  partition: string,
  { lower, upper, chunk }: Bounds,
  statuses: { least: string; greatest: string },
): Source<Entry> {
  const source = { buffer: [] as Entry[], frontier: upper, done: lower >= upper, fill };
  let runs: StatusRun[] | null = null;

  async function fill(budget: Budget): Promise<void> {
    if (runs === null) runs = await discover(budget);
    else await goOn(runs, budget);
    const open = runs.filter(({ done }) => !done);
    const frontier = open.reduce((most, run) => (run.frontier > most ? run.frontier : most), "");
    // Below the greatest frontier there may be rows that are not read yet; what lies above is in order.
    for (const run of runs) {
      const safe = run.read.findIndex(({ position }) => position < frontier);
      source.buffer.push(...run.read.splice(0, safe < 0 ? run.read.length : safe));
    }
    source.buffer.sort((a, b) => (a.position < b.position ? 1 : -1));
    source.frontier = open.length > 0 ? frontier : lower;
    source.done = open.length === 0;
  }

  /** The newest `chunk` rows of every status that has rows: a query for each with more than a few, and one more. */
  async function discover(budget: Budget): Promise<StatusRun[]> {
    const found: StatusRun[] = [];
    const low = `${statuses.least}#${lower}`;
    let below = `${statuses.greatest}#${upper}`;
    /** Of a status whose newest rows are newer than wanted, one row says all; so it is then of the next ones. */
    let probing = false;
    while (below > low) {
      budget.spent++;
      const isBegin = below.endsWith("#");
      const range = { partition, low, high: below, limit: probing && isBegin ? 1 : chunk + 1 };
      const { items, more } = await AuditTable.readRange(table, "status", range);
      for (const item of items) {
        const sortKey = String(item[AuditTable.SORT_KEY.status]);
        if (sortKey >= below) continue;
        const status = sortKey.slice(0, STATUS_PREFIX);
        const position = sortKey.slice(STATUS_PREFIX);
        if (position >= upper) {
          below = status + upper; // Newer than wanted: on to this status's first that is not.
          probing = true;
        } else if (position < lower) {
          below = status; // Older than wanted, as all that follow in this status: on to the next.
        } else {
          const last = found.at(-1);
          const run = last?.status === status ? last : { status, read: [], frontier: upper, done: true };
          if (run !== last) found.push(run);
          run.read.push({ position, item });
          // Whether it goes on is seen by the rows that follow it.
          run.frontier = position;
          run.done = run.read.length < chunk;
          below = run.done ? sortKey : status;
        }
      }
      if (!more) break;
    }
    return found;
  }

  /** The next rows of the statuses that hold the others up. */
  async function goOn(of: StatusRun[], budget: Budget): Promise<void> {
    const waiting = of.filter(({ done, read }) => !done && read.length === 0);
    await Promise.all(
      waiting.map(async (run) => {
        const bounds = { lower, upper: run.frontier, chunk };
        const next = range(table, "status", partition, bounds, run.status);
        await next.fill(budget);
        run.read.push(...next.buffer);
        run.frontier = next.frontier;
        run.done = next.done;
      }),
    );
  }
  return source;
}

function positionOf(item: AuditTable.Item, index: AuditTable.SortedIndex, prefixLength: number): string {
  return String(item[AuditTable.SORT_KEY[index]]).slice(prefixLength);
}
