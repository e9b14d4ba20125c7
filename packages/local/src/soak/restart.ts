/** Starts something again until it is up, as ECS and Lambda do: a start may meet a full disk, or AWS away. */
import { setTimeout as delay } from "node:timers/promises";

const ATTEMPTS = 60;
const PAUSE_MS = 500;

/** @throws the last attempt's error */
export async function untilUp<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      await delay(PAUSE_MS);
    }
  }
}
