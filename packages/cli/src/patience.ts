/** Waiting for what takes its time. */
import { setTimeout as sleep } from "node:timers/promises";

const INTERVAL_MS = 250;

/** Asks until the answer is yes. @throws Error with `otherwise` when the time is over */
export async function eventually(timeoutMs: number, otherwise: string, ask: () => Promise<boolean>) {
  const deadline = Date.now() + timeoutMs;
  while (!(await ask())) {
    if (Date.now() >= deadline) throw new Error(`${otherwise} after ${timeoutMs / 1000} s`);
    await sleep(INTERVAL_MS);
  }
}
