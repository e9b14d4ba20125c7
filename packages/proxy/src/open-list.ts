/**
 * The things that are open now, for a process that opens and closes many thousands a second.
 *
 * Not a Set or Map: V8 replaces the table of one that sees many additions and deletions again and again, and every old table
 * points to the next. Once one old table is in the old generation, it keeps all later ones alive until the next full collection,
 * each with everything that was open when it was replaced. Every scavenge then copies what should have been dead: that was
 * 30 % of the proxy's CPU and most of its pauses (docs/performance.md).
 */
export interface Openable {
  /** Where the list has it; -1 while it is in none. The list's own. */
  slot: number;
}

export class OpenList<Item extends Openable> {
  readonly #items: Item[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(item: Item): void {
    if (item.slot >= 0) return;
    item.slot = this.#items.length;
    this.#items.push(item);
  }

  delete(item: Item): void {
    const { slot } = item;
    if (slot < 0) return;
    item.slot = -1;
    const last = this.#items.pop();
    if (last === undefined || last === item) return;
    this.#items[slot] = last;
    last.slot = slot;
  }

  /** Of a copy: what is opened or closed meanwhile does not matter. */
  [Symbol.iterator](): IterableIterator<Item> {
    return [...this.#items].values();
  }
}
