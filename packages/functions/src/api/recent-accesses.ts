/**
 * Which searches are on record already, so that reading on (the next page, the next look of a live tail) is not recorded again
 * and again. A cursor proves nothing: anybody can write one. What this instance of the function did not itself record
 * a short while ago, for the same person and the same search, is recorded.
 */
import { createHash } from "node:crypto";

const REMEMBERED_MS = 10 * 60_000;
const MOST = 2_000;

export class RecentAccesses {
  readonly #recorded = new Map<string, number>();

  /**
   * @param search of whom, and what exactly: JSON-serialisable
   * @param continued it says that it goes on from a search before
   * @param record writes the record, and fails when it cannot
   */
  async record(search: unknown, continued: boolean, record: () => Promise<unknown>): Promise<void> {
    const name = createHash("sha256").update(JSON.stringify(search)).digest("base64");
    const before = this.#recorded.get(name);
    if (continued && before !== undefined && Date.now() - before < REMEMBERED_MS) return;
    await record();
    this.#recorded.delete(name);
    this.#recorded.set(name, Date.now());
    // A Map keeps the order of insertion: the first is the oldest.
    for (const oldest of this.#recorded.keys()) {
      if (this.#recorded.size <= MOST) break;
      this.#recorded.delete(oldest);
    }
  }
}
