/** Callers of an open loop: requests come at their rate whether or not earlier ones were answered. */
import { setTimeout as delay } from "node:timers/promises";
import { call } from "./call.ts";
import type { ProxyFleet } from "./proxy-fleet.ts";
import type { RequestBook } from "./request-book.ts";
import { planRequest } from "./request-kind.ts";
import type { SeededRandom } from "./seeded-random.ts";

const TICK_MS = 20;
/** Beyond so many open requests, new ones wait: the soak is no overload test. */
const MOST_OPEN = 400;

/** Sends until `stop`, then waits for what is open. @param rate requests a second */
export async function traffic(
  fleet: ProxyFleet,
  book: RequestBook,
  random: SeededRandom,
  rate: number,
  stop: AbortSignal,
): Promise<void> {
  const open = new Set<Promise<void>>();
  let due = 0;
  let last = performance.now();
  while (!stop.aborted) {
    await delay(TICK_MS);
    const now = performance.now();
    due = Math.min(due + ((now - last) / 1000) * rate, rate);
    last = now;
    for (; due >= 1 && open.size < MOST_OPEN; due--) {
      const sent: Promise<void> = send(fleet, book, random).finally(() => open.delete(sent));
      open.add(sent);
    }
  }
  await Promise.all(open);
}

async function send(fleet: ProxyFleet, book: RequestBook, random: SeededRandom): Promise<void> {
  const number = book.open();
  const planned = planRequest(random, number);
  const life = fleet.pick(random);
  const startedAt = Date.now();
  life.open++;
  const answer = await call(life.pool, planned);
  life.open--;
  book.close(number, planned, life, startedAt, answer);
}
