/** Counts a key's requests against its usage plan, as API Gateway does: a token bucket first, then the quota. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { UsagePlan } from "@central-llm/core/usage-plan";

export type Verdict = "admitted" | "throttled" | "quota";

interface Quota {
  /** First day of the period, `YYYY-MM-DD`. */
  since: string;
  used: number;
}

const DAY_MS = 86_400_000;
const SAVE_AFTER_MS = 1_000;

/** The first day (UTC) of the quota period that holds the moment. */
export function periodStart(now: number, period: "day" | "week" | "month"): string {
  const date = new Date(now);
  if (period === "week") return new Date(now - date.getUTCDay() * DAY_MS).toISOString().slice(0, 10);
  const day = date.toISOString().slice(0, 10);
  return period === "month" ? `${day.slice(0, 7)}-01` : day;
}

export class PlanMeter {
  readonly plan: UsagePlan;
  readonly #now: () => number;
  readonly #file: string | undefined;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();
  readonly #quotas: Map<string, Quota>;
  #saving: NodeJS.Timeout | undefined;

  /**
   * @param file where used quotas are kept over restarts; omitted: nowhere
   * @param now epoch ms
   */
  constructor(plan: UsagePlan, file?: string, now: () => number = Date.now) {
    this.plan = plan;
    this.#now = now;
    this.#file = file;
    this.#quotas = new Map(file && existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : []);
  }

  /** Takes one request of the key into account. A refused one costs nothing. */
  admit(keyId: string): Verdict {
    const now = this.#now();
    const { rate, burst, quota } = this.plan;
    const bucket = this.#buckets.get(keyId) ?? { tokens: burst, at: now };
    const refilled = Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) / 1000) * rate);
    const throttled = refilled < 1;
    this.#buckets.set(keyId, { tokens: throttled ? refilled : refilled - 1, at: now });
    if (throttled) return "throttled";
    if (quota && !this.#withinQuota(keyId, quota, now)) return "quota";
    return "admitted";
  }

  #withinQuota(keyId: string, quota: NonNullable<UsagePlan["quota"]>, now: number): boolean {
    const since = periodStart(now, quota.period);
    // Each plan counts for itself: switching plans must not carry one's use into the other.
    const name = `${this.plan.name}/${keyId}`;
    const counted = this.#quotas.get(name);
    const current = counted?.since === since ? counted : { since, used: 0 };
    if (current.used >= quota.limit) return false;
    this.#quotas.set(name, { since, used: current.used + 1 });
    if (this.#file) this.#saving ??= setTimeout(() => this.save(), SAVE_AFTER_MS).unref();
    return true;
  }

  /** Writes the used quotas now; otherwise they are at most a second behind. */
  save(): void {
    clearTimeout(this.#saving);
    this.#saving = undefined;
    if (!this.#file) return;
    // A rename replaces the file whole: a kill in the middle leaves the old one.
    const next = `${this.#file}.next`;
    writeFileSync(next, JSON.stringify([...this.#quotas]));
    renameSync(next, this.#file);
  }
}
