/** What goes wrong when: two rows of faults side by side, each in an order that the seed decides, every kind equally often. */
import { setTimeout as delay } from "node:timers/promises";
import type { Fault } from "./fault.ts";
import { LOSSES, PROCESS_FAULTS } from "./process-faults.ts";
import type { RequestBook } from "./request-book.ts";
import { SeededRandom } from "./seeded-random.ts";
import type { Stage } from "./stage.ts";
import { SURROUNDING_FAULTS } from "./surrounding-faults.ts";

export interface JournalEntry {
  name: string;
  /** Seconds since the soak's start. */
  at: number;
  /** Seconds until all was in order again. */
  lasted: number;
  note: string;
}

export interface ScheduleOptions {
  seed: number;
  seconds: number;
  /** A soak of seconds: faults and pauses are short too, and those that take their time are left out. */
  short: boolean;
}

const SHORT_PACE = 0.12;
/** Of the soak's length: when each loss comes after the one before. */
const LOSS_AFTER: [number, number] = [0.2, 0.35];

export class FaultSchedule {
  readonly journal: JournalEntry[] = [];
  /** What goes wrong at the moment. */
  readonly current = new Set<string>();
  readonly #stage: Stage;
  readonly #book: RequestBook;
  readonly #options: ScheduleOptions;
  readonly #pace: number;
  readonly #stop: AbortSignal;
  readonly #started = performance.now();
  #turn: Promise<void> = Promise.resolve();

  constructor(stage: Stage, book: RequestBook, options: ScheduleOptions, stop: AbortSignal) {
    this.#stage = stage;
    this.#book = book;
    this.#options = options;
    this.#pace = options.short ? SHORT_PACE : 1;
    this.#stop = stop;
  }

  /** Resolves when, after `stop`, every fault is over. Rejects when one could not be put back in order. */
  async run(): Promise<void> {
    const { seed, seconds, short } = this.#options;
    const possible = (faults: Fault[]) => faults.filter(({ long }) => !short || !long);
    const [surrounding, processes, losses] = [1, 2, 3].map((row) => new SeededRandom(seed + row));
    await Promise.all([
      this.#row(possible(SURROUNDING_FAULTS), surrounding as SeededRandom, [2, 6]),
      this.#row(possible(PROCESS_FAULTS), processes as SeededRandom, [4, 10]),
      this.#once(
        LOSSES,
        losses as SeededRandom,
        LOSS_AFTER.map((share) => (share * seconds) / this.#pace),
      ),
    ]);
  }

  async #row(faults: Fault[], random: SeededRandom, pause: [number, number]): Promise<void> {
    while (!this.#stop.aborted) {
      for (const fault of random.shuffled(faults)) {
        await this.#lasting(random.between(...pause));
        await this.#take(fault, random);
      }
    }
  }

  async #once(faults: Fault[], random: SeededRandom, [least = 0, most = 0]: number[]): Promise<void> {
    for (const fault of random.shuffled(faults)) {
      await this.#lasting(random.between(least, most));
      await this.#take(fault, random);
    }
  }

  async #take(fault: Fault, random: SeededRandom): Promise<void> {
    const work = async () => {
      if (this.#stop.aborted) return;
      this.current.add(fault.name);
      const at = this.#seconds();
      const lasting = (seconds: number) => this.#lasting(seconds);
      const note = await fault.run({ stage: this.#stage, book: this.#book, random, lasting });
      if (note !== null) this.journal.push({ name: fault.name, at, lasted: this.#seconds() - at, note });
      this.current.delete(fault.name);
    };
    if (!fault.alone) return work();
    this.#turn = this.#turn.then(work);
    await this.#turn;
  }

  #seconds(): number {
    return Math.round((performance.now() - this.#started) / 1_000);
  }

  async #lasting(seconds: number): Promise<void> {
    await delay(seconds * this.#pace * 1_000, undefined, { signal: this.#stop }).catch(() => {});
  }
}
