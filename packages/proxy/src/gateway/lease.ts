/**
 * The process's lease on its reservations: renewed at a third of its length. Each renewal also cleans up after processes
 * whose lease ran out and starts budgets anew that are due.
 */
import type pg from "pg";

/** Rows that one renewal cleans at most. */
const MOST = 1_000;

export class Lease {
  readonly #pool: pg.Pool;
  readonly #instance: string;
  readonly #seconds: number;
  readonly #onError: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #renewal: Promise<number> = Promise.resolve(0);

  constructor(pool: pg.Pool, instance: string, seconds: number, onError: (error: unknown) => void) {
    this.#pool = pool;
    this.#instance = instance;
    this.#seconds = seconds;
    this.#onError = onError;
  }

  start(): void {
    const renew = () => {
      this.#renewal = this.renew().catch((error) => {
        this.#onError(error);
        return 0;
      });
      this.#renewal.finally(() => {
        if (this.#timer !== undefined) this.#timer = setTimeout(renew, (this.#seconds * 1000) / 3).unref();
      });
    };
    this.#timer = setTimeout(renew, 0).unref();
  }

  /** @returns how many reservations of dead processes it released */
  async renew(): Promise<number> {
    const result = await this.#pool.query({
      name: "keep-house",
      text: "SELECT central_llm.keep_house($1, make_interval(secs => $2), $3) AS released",
      values: [this.#instance, this.#seconds, MOST],
    });
    return result.rows[0].released;
  }

  /** Ends the lease: what is still held is released by the next process that looks. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#renewal;
    await this.#pool
      .query("DELETE FROM central_llm.instance WHERE id = $1", [this.#instance])
      .catch((error) => this.#onError(error));
  }
}
