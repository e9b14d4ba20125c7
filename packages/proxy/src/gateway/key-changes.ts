/** How one gateway process tells the others that something about keys changed: PostgreSQL's LISTEN and NOTIFY. */
import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import type { Database } from "./database.ts";

const CHANNEL = "central_llm_keys";
/** Everything may have changed: a user, a team. */
export const ALL = "*";

/** Part of the transaction: heard when, and only when, it commits. */
export async function announce(client: pg.ClientBase, token: string): Promise<void> {
  await client.query("SELECT pg_notify($1, $2)", [CHANNEL, token]);
}

export interface KeyChanges {
  /** False while the connection is down: what changed meanwhile is unknown. */
  listening(): boolean;
  stop(): Promise<void>;
}

const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 5_000;

/** @param onChange gets a key's hash, or ALL; also called with ALL whenever listening begins again */
export function listenToKeyChanges(database: Database, onChange: (token: string) => void): KeyChanges {
  const stopped = new AbortController();
  const asked = new Promise<void>((resolve) => {
    stopped.signal.addEventListener("abort", () => resolve());
  });
  let listening = false;

  const listen = async () => {
    for (let pause = FIRST_PAUSE_MS; !stopped.signal.aborted; pause = Math.min(pause * 2, LAST_PAUSE_MS)) {
      const current = database.listener();
      const ended = new Promise<void>((resolve) => {
        current.once("end", resolve);
        current.once("error", () => resolve());
      });
      current.on("error", () => {}); // `ended` hears the first; pg may send more.
      try {
        await current.connect();
        current.on("notification", (message) => onChange(message.payload ?? ALL));
        await current.query(`LISTEN ${CHANNEL}`);
        listening = true;
        onChange(ALL);
        pause = FIRST_PAUSE_MS;
        await Promise.race([ended, asked]);
      } catch {
        // Tried again below; `listening` says so meanwhile.
      }
      listening = false;
      await current.end().catch(() => {});
      await delay(pause, undefined, { signal: stopped.signal }).catch(() => {}); // Stopped.
    }
  };
  const running = listen();
  return {
    listening: () => listening,
    async stop() {
      stopped.abort();
      await running;
    },
  };
}
