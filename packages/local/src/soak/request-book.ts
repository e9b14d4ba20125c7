/** What every caller saw, request by request: one side of the ledger. */
import type { Answer } from "./call.ts";
import type { ProxyLife } from "./proxy-life.ts";
import type { PlannedRequest } from "./request-kind.ts";

/**
 * - `answered`: whole, with a status that its kind asks for
 * - `upstream`: not so, but the upstream was made to fail it: a cut answer, or its process stood still meanwhile
 * - `left`: we closed the connection
 * - `killed`: its proxy was killed with -9 before it was whole
 * - `unexplained`: a broken promise
 */
export type Ending = "answered" | "upstream" | "left" | "killed" | "unexplained";

export interface Entry {
  number: number;
  kind: string;
  life: ProxyLife;
  ending: Ending;
  /** Of a whole answer or one whose head came; null: none came. */
  status: number | null;
  name: string | null;
  bytes: number;
  startedAt: number;
}

const MAX_DETAILS = 50;

export class RequestBook {
  readonly entries = new Map<number, Entry>();
  sent = 0;
  /** Ends of the times in which the upstream's process stood still; Infinity while it does. Epoch ms. */
  readonly upstreamStops: { from: number; to: number }[] = [];
  /** Of unexplained endings. */
  readonly details: string[] = [];

  open(): number {
    return ++this.sent;
  }

  close(number: number, planned: PlannedRequest, life: ProxyLife, startedAt: number, answer: Answer): void {
    const ending = this.#ending(planned, life, startedAt, answer);
    if (ending === "unexplained" && this.details.length < MAX_DETAILS) {
      const { status, error } = answer;
      this.details.push(
        `${new Date(startedAt).toISOString()} ${planned.kind} at ${life.writer}: status ${status}, ${error ?? "whole"}`,
      );
    }
    const { status, name, bytes } = answer;
    this.entries.set(number, { number, kind: planned.kind, life, ending, status, name, bytes, startedAt });
  }

  #ending(planned: PlannedRequest, life: ProxyLife, startedAt: number, answer: Answer): Ending {
    const { status, whole } = answer;
    const asked = status !== null && planned.statuses.includes(status);
    if (planned.ending === "whole" && whole && asked) return "answered";
    if (!whole && life.killedAt !== null) return "killed";
    if (planned.ending === "abort") {
      // Whoever leaves late may have been answered; whoever leaves sees no error of ours.
      if (!whole && (status === null || asked)) return "left";
      if (whole && asked) return "answered";
    }
    if (planned.ending === "cut" && !whole) return "upstream";
    const stopped = this.upstreamStops.some(({ from, to }) => startedAt <= to && Date.now() >= from);
    if (stopped && (!whole || status === 504 || status === 502)) return "upstream";
    return "unexplained";
  }

  count(ending: Ending): number {
    let count = 0;
    for (const entry of this.entries.values()) if (entry.ending === ending) count++;
    return count;
  }

  /** Whole answers by status. */
  statuses(): Map<number, number> {
    const counts = new Map<number, number>();
    for (const { ending, status } of this.entries.values()) {
      if (ending === "answered" && status !== null) counts.set(status, (counts.get(status) ?? 0) + 1);
    }
    return new Map([...counts].sort(([a], [b]) => a - b));
  }
}
