/**
 * What finished requests still hold because the database has not booked them yet: some milliseconds after the client has its answer.
 * A client that asks again at once must not be refused for what it has already ended.
 */
import type { Refusal } from "@central-llm/core/rate-limit";
import type { Reservation } from "./admission.ts";

type Owner = Pick<Reservation, "token" | "userId" | "teamId">;

/** Longer than a settlement takes; while the database is away it is not waited for. */
const PATIENCE_MS = 500;

export class PendingReleases {
  readonly #pending = new Map<string, Set<Promise<void>>>();

  /** @param booked never rejects */
  add(owner: Owner, booked: Promise<void>): void {
    const names = namesOf(owner);
    for (const name of names) {
      const set = this.#pending.get(name);
      if (set) set.add(booked);
      else this.#pending.set(name, new Set([booked]));
    }
    booked.finally(() => {
      for (const name of names) {
        const set = this.#pending.get(name);
        set?.delete(booked);
        if (set?.size === 0) this.#pending.delete(name);
      }
    });
  }

  /** @returns whether asking again may help: something that this limit counts is booked now */
  async awaited(refusal: Refusal, owner: Owner): Promise<boolean> {
    const held =
      (refusal.reason === "rate_limited" && refusal.kind !== "requests") ||
      (refusal.reason === "over_budget" && refusal.reserved > 0);
    if (!held) return false;
    const { scope } = refusal;
    const id = scope === "user" ? owner.userId : scope === "team" ? owner.teamId : owner.token;
    const pending = this.#pending.get(`${scope === "model" ? "api_key" : scope}:${id}`);
    if (!pending) return false;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, PATIENCE_MS);
    });
    await Promise.race([Promise.all(pending), late]);
    clearTimeout(timer);
    return true;
  }
}

function namesOf({ token, userId, teamId }: Owner): string[] {
  const names = [`api_key:${token}`];
  if (userId !== null) names.push(`user:${userId}`);
  if (teamId !== null) names.push(`team:${teamId}`);
  return names;
}
