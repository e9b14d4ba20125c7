import { describe, expect, it } from "vitest";
import { KEY_REFUSALS, limitHeaders, refusalAnswer } from "./rate-limit.ts";

const NOW = Date.UTC(2026, 10, 21, 10, 0, 0);
const resetAt = new Date(NOW + 30_500);

describe("refusals", () => {
  it("have the statuses of seed 004 §6.2 and LiteLLM's types", () => {
    const answers = KEY_REFUSALS.map((reason) => refusalAnswer({ reason }, "gpt", NOW).error);
    expect(answers.map(({ status, type, code }) => [status, type, code])).toEqual([
      [401, "token_not_found_in_db", "401"],
      [401, "auth_error", "401"],
      [401, "expired_key", "401"],
      [401, "auth_error", "401"],
      [403, "key_model_access_denied", "403"],
    ]);
    const budget = refusalAnswer(
      { reason: "over_budget", scope: "team", limit: 1, spend: 0.9, reserved: 0.2, resetAt: null },
      "gpt",
      NOW,
    );
    expect(budget.error).toMatchObject({ status: 403, type: "budget_exceeded" });
    expect(budget.error.message).toContain(
      "Current cost: 0.9, reserved for requests in flight: 0.2, Max budget: 1 (team)",
    );
  });

  it("tell a client over its rate when to come back, in LiteLLM's headers", () => {
    const rate = (kind: "requests" | "tokens" | "max_parallel_requests") =>
      refusalAnswer(
        { reason: "rate_limited", scope: "api_key", kind, limit: 100, current: 100, resetAt },
        "gpt",
        NOW,
      );
    expect(rate("requests").error).toMatchObject({ status: 429, code: "429" });
    expect(rate("tokens").headers).toEqual({
      "retry-after": "31",
      rate_limit_type: "tokens",
      reset_at: "2026-11-21 10:00:30 UTC",
    });
    expect(rate("max_parallel_requests").headers["retry-after"]).toBe("1");
  });
});

describe("limit headers", () => {
  it("say limit and remaining of what is limited", () => {
    expect(
      limitHeaders([
        { scope: "api_key", rpm: 100, requests: 40, tpm: null, tokens: 7, resetAt },
        { scope: "team", rpm: null, requests: 1, tpm: 50, tokens: 60, resetAt },
      ]),
    ).toEqual({
      "x-ratelimit-api_key-remaining-requests": "60",
      "x-ratelimit-api_key-limit-requests": "100",
      "x-ratelimit-team-remaining-tokens": "0",
      "x-ratelimit-team-limit-tokens": "50",
    });
  });
});
