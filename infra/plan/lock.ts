/** One at a time, across processes: a directory is the one thing that only one of them can make. */
import { mkdirSync, rmSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** After this long its owner must have been killed. */
const EXPIRES_MS = 5 * 60_000;
const POLL_MS = 100;

/** @param path of a directory that exists for as long as the lock is held */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  while (!acquire(path)) await sleep(POLL_MS);
  try {
    return await work();
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

function acquire(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > EXPIRES_MS) rmSync(path, { recursive: true, force: true });
    return false;
  }
}
