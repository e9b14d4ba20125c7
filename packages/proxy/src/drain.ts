/** The end of a process: what is open may end by itself, for so long; the rest is cut off. */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { Openable, OpenList } from "./open-list.ts";

const LOOK_EVERY_MS = 20;

/** @param open requests that are being handled; each leaves the list when it ends */
export async function drain(
  open: OpenList<Openable & { interrupt(): void }>,
  timeoutMs: number,
  log: Logger,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (open.size > 0 && performance.now() < deadline) await delay(LOOK_EVERY_MS);
  if (open.size === 0) return;
  log.warn({ open: open.size }, "Requests are cut off: the time to drain is over");
  for (const exchange of open) exchange.interrupt();
}
