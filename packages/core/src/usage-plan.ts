/**
 * Limits that API Gateway sets on a client's API key: a token bucket and a quota.
 * The seeds name two sets of figures for what they both call the usage plan; both are kept, by the names of infra/.
 */
export interface UsagePlan {
  name: string;
  /** Requests per second that refill the bucket. */
  rate: number;
  /** What the bucket holds: requests at one moment. */
  burst: number;
  /** Requests in a UTC day, week (from Sunday) or month; null: no end. */
  quota: { limit: number; period: "day" | "week" | "month" } | null;
}

/** Seed 002 §7. */
export const CENTRAL_PLAN: UsagePlan = {
  name: "central-llm-usage-plan",
  rate: 100,
  burst: 50,
  quota: { limit: 100_000, period: "month" },
};

/** Seed 003. */
export const CLIENT_PLAN: UsagePlan = {
  name: "central-llm-client-plan",
  rate: 5,
  burst: 10,
  quota: { limit: 5_000, period: "day" },
};

/** For one machine, where nobody else pays. */
export const GENEROUS_PLAN: UsagePlan = { name: "generous", rate: 10_000, burst: 5_000, quota: null };

export const USAGE_PLANS: readonly UsagePlan[] = [GENEROUS_PLAN, CENTRAL_PLAN, CLIENT_PLAN];
