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

/** Queries spent and allowed: one for a `fill`. The first round over the sources is begun whatever is allowed. */
export interface Budget {
  spent: number;
  allowed: number;
}

/**
 * @param surplus gives the rows beyond `count`, too, that the fills brought
 * @returns up to `count` rows and where to go on: below `rest`; null when nothing is left
 */
export async function take<T extends Positioned>(
  sources: Source<T>[],
  count: number,
  budget: Budget,
  surplus = false,
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
    if (rows.length >= count && !(surplus && waiting.length === 0 && best)) {
      const last = rows.at(-1)?.position ?? null;
      return { rows, rest: head === undefined && sources.every(({ done }) => done) ? null : last };
    }
    if (waiting.length > 0) {
      if (budget.spent > 0 && budget.spent + waiting.length > budget.allowed) {
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
