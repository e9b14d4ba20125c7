/**
 * What finished requests still hold because the database has not booked them yet: some milliseconds after the client has its answer.
 * A client that asks again at once must not be refused for what it has already ended.
 */
import type { Refusal } from "@central-llm/core/rate-limit";
import { type Openable, OpenList } from "../open-list.ts";
import type { Reservation } from "./admission.ts";

type Owner = Pick<Reservation, "token" | "userId" | "teamId">;

/** Longer than a settlement takes; while the database is away it is not waited for. */
const PATIENCE_MS = 500;

interface Pending extends Openable {
  owner: Owner;
  booked: Promise<void>;
}

export class PendingReleases {
  readonly #open = new OpenList<Pending>();
  readonly #hurry: () => void;

  /** @param hurry has what is pending booked now */
  constructor(hurry: () => void) {
    this.#hurry = hurry;
  }

  /** @param booked never rejects */
  add(owner: Owner, booked: Promise<void>): void {
    const pending = { slot: -1, owner, booked };
    this.#open.add(pending);
    booked.then(() => this.#open.delete(pending));
  }

  /** @returns whether asking again may help: something that this limit counts is booked now */
  async awaited(refusal: Refusal, owner: Owner): Promise<boolean> {
    const held =
      (refusal.reason === "rate_limited" && refusal.kind !== "requests") ||
      (refusal.reason === "over_budget" && refusal.reserved > 0);
    if (!held) return false;
    const { scope } = refusal;
    const name = scope === "user" ? "userId" : scope === "team" ? "teamId" : "token";
    // Only who is refused looks through the list; that is cheaper than to keep it by owner for everybody.
    const pending = [...this.#open].flatMap((one) => (one.owner[name] === owner[name] ? [one.booked] : []));
    if (pending.length === 0) return false;
    this.#hurry();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, PATIENCE_MS);
    });
    await Promise.race([Promise.all(pending), late]);
    clearTimeout(timer);
    return true;
  }
}
