/** Load whose every answer is remembered, to be held against what the audit says. */
import { setTimeout as delay } from "node:timers/promises";

export interface Ledger {
  sent: number;
  /** Ids of the requests that got a whole answer with status 200. */
  answered: Set<string>;
  /** Statuses that were not 200. */
  refused: number[];
  /** Calls that the connection's end cut off. */
  broken: number;
}

/** Runs `clients` callers, one request at a time each, until the signal; ids are unique over the whole test. */
export async function load(
  url: () => string,
  clients: number,
  label: string,
  stop: AbortSignal,
): Promise<Ledger> {
  const ledger: Ledger = { sent: 0, answered: new Set(), refused: [], broken: 0 };
  await Promise.all(
    Array.from({ length: clients }, (_, client) => caller(url, `${label}-${client}`, ledger, stop)),
  );
  return ledger;
}

async function caller(url: () => string, label: string, ledger: Ledger, stop: AbortSignal): Promise<void> {
  for (let count = 0; !stop.aborted; count++) {
    const id = `${label}-${count}`;
    ledger.sent++;
    try {
      const response = await fetch(`${url()}/v1/chat/completions`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "x-llm-source": "ledger",
          "x-llm-user": label,
          "x-llm-request-type": "chat",
          "x-request-id": id,
        },
        body: JSON.stringify({
          model: "demo",
          stream: count % 5 === 0,
          messages: [{ role: "user", content: `I am ${id}` }],
        }),
      });
      await response.text();
      if (response.status === 200) ledger.answered.add(id);
      else ledger.refused.push(response.status);
    } catch {
      ledger.broken++; // The proxy was killed: that is what such a test does.
      await delay(50);
    }
  }
}
