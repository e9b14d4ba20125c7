/** A set of numbers kept as ranges: a writer's sequence without gaps is one range, however long. */

export type Range = [first: number, last: number];

export class SequenceSet {
  readonly #ranges: Range[];

  constructor(ranges: readonly Range[] = []) {
    this.#ranges = ranges.map(([first, last]) => [first, last]);
  }

  get ranges(): readonly Range[] {
    return this.#ranges;
  }

  add(value: number): void {
    const at = this.#firstEndingFrom(value - 1);
    const range = this.#ranges[at];
    if (range === undefined || range[0] > value + 1) {
      this.#ranges.splice(at, 0, [value, value]);
      return;
    }
    range[0] = Math.min(range[0], value);
    range[1] = Math.max(range[1], value);
    const next = this.#ranges[at + 1];
    if (next !== undefined && next[0] <= range[1] + 1) {
      range[1] = Math.max(range[1], next[1]);
      this.#ranges.splice(at + 1, 1);
    }
  }

  /** The ranges between `first` and `last` (both included) that hold no value. */
  missing(first: number, last: number): Range[] {
    const gaps: Range[] = [];
    let expected = first;
    for (let at = this.#firstEndingFrom(first); at < this.#ranges.length && expected <= last; at++) {
      const [from, to] = this.#ranges[at] ?? [last + 1, last + 1];
      if (from > expected) gaps.push([expected, Math.min(from - 1, last)]);
      expected = Math.max(expected, to + 1);
    }
    if (expected <= last) gaps.push([expected, last]);
    return gaps;
  }

  /** Index of the first range that ends at `value` or later. */
  #firstEndingFrom(value: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle]?.[1] ?? 0) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
