/**
 * One list out of many sorted ones, greatest position first, with a bound on the work. Positions are texts in the order
 * of their bytes; every source's positions lie below `frontier` as long as they are unread.
 */

export interface Positioned {
  position: string;
}

/** A sorted list that is read piece by piece. `fill` reads the next piece: it lowers `frontier` or sets `done`. */
export interface Source<T extends Positioned> {
  /** Rows read and not yet taken, greatest first. */
  readonly buffer: T[];
  /** What is unread lies below this. */
  readonly frontier: string;
  readonly done: boolean;
  fill(budget: Budget): Promise<void>;
}

/** Queries spent and allowed. A started `fill` always ends, so `spent` may pass `allowed` by one fill a source. */
export interface Budget {
  spent: number;
  allowed: number;
}

/** @returns up to `count` rows and where to go on: below `rest`; null when nothing is left */
export async function take<T extends Positioned>(
  sources: Source<T>[],
  count: number,
  budget: Budget,
): Promise<{ rows: T[]; rest: string | null }> {
  const rows: T[] = [];
  for (;;) {
    const best = greatest(
      sources.filter((source) => source.buffer.length > 0),
      (source) => headOf(source),
    );
    const head = best && headOf(best);
    const waiting = sources.filter(
      (source) =>
        !source.done && source.buffer.length === 0 && (head === undefined || source.frontier > head),
    );
    if (rows.length === count) {
      const last = rows.at(-1)?.position ?? null;
      return { rows, rest: head === undefined && sources.every(({ done }) => done) ? null : last };
    }
    if (waiting.length > 0) {
      if (budget.spent > 0 && budget.spent >= budget.allowed) {
        return { rows, rest: greatest(waiting, (source) => source.frontier)?.frontier ?? null };
      }
      await Promise.all(waiting.map((source) => source.fill(budget)));
    } else if (best) {
      rows.push(best.buffer.shift() as T);
    } else {
      return { rows, rest: null };
    }
  }
}

const headOf = <T extends Positioned>(source: Source<T>) => source.buffer[0]?.position ?? "";

function greatest<S>(values: S[], of: (value: S) => string): S | undefined {
  return values.reduce<S | undefined>(
    (best, value) => (best === undefined || of(value) > of(best) ? value : best),
    undefined,
  );
}
