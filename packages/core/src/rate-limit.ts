/**
 * What limits say of one request: admitted and what is left, or refused and why, with the statuses of seed 004 §6.2 (401
 * invalid, expired or blocked key; 403 model or budget; 429 rate) and LiteLLM's error types and headers.
 *
 * Windows are LiteLLM's: fixed ones of a minute (RATE_LIMIT_WINDOW_SECONDS), each beginning with the first request after
 * the last one's end. A client can so have twice its limit in flight across a window's edge, never more than the limit in
 * one window.
 */
import { z } from "zod";
import type { ApiError } from "./api-error.ts";

export const SCOPES = ["api_key", "user", "team", "model"] as const;
const Scope = z.enum(SCOPES);
/** ISO 8601 with any offset, as PostgreSQL's JSON has it. */
const Instant = z.string().transform((text) => new Date(text));

/** What one scope's rate limits leave after this request; null limits are none. */
export const LimitState = z.object({
  scope: Scope,
  rpm: z.number().nullable(),
  requests: z.number(),
  tpm: z.number().nullable(),
  tokens: z.number(),
  resetAt: Instant,
});
export type LimitState = z.infer<typeof LimitState>;

export const KEY_REFUSALS = [
  "unknown_key",
  "blocked_key",
  "expired_key",
  "blocked_team",
  "model_denied",
] as const;

export const Refusal = z.discriminatedUnion("reason", [
  z.object({ reason: z.enum(KEY_REFUSALS) }),
  z.object({
    reason: z.literal("over_budget"),
    scope: Scope,
    /** US dollars, all three; `reserved` is held by requests in flight. */
    limit: z.number(),
    spend: z.number(),
    reserved: z.number(),
    resetAt: Instant.nullable(),
  }),
  z.object({
    reason: z.literal("rate_limited"),
    scope: Scope,
    kind: z.enum(["requests", "tokens", "max_parallel_requests"]),
    limit: z.number(),
    current: z.number(),
    resetAt: Instant,
  }),
]);
export type Refusal = z.infer<typeof Refusal>;

export interface RefusalAnswer {
  error: ApiError;
  headers: Record<string, string>;
}

const refused = (
  status: number,
  type: string,
  message: string,
  param: string | null = null,
): RefusalAnswer => ({
  error: { status, type, code: String(status), message, param },
  headers: {},
});

/** LiteLLM's names in headers: its limits of a key's model are `model_per_key`. */
const label = (scope: (typeof SCOPES)[number]) => (scope === "model" ? "model_per_key" : scope);
const utc = (instant: Date) => `${instant.toISOString().slice(0, 19).replace("T", " ")} UTC`;

/** Of a key that is no key: the same words whatever is wrong with it, and nothing of the key itself. */
export const INVALID_KEY = refused(
  401,
  "token_not_found_in_db",
  "Authentication Error, Invalid proxy server token passed. The key is not known here; ask for a new one.",
);
export const MISSING_KEY = refused(401, "auth_error", "Authentication Error, No api key passed in.");
export const DATABASE_UNAVAILABLE: RefusalAnswer = {
  error: {
    status: 503,
    type: "no_db_connection",
    code: "503",
    message: "The gateway cannot check keys and limits now. Try again shortly.",
  },
  headers: { "retry-after": "1" },
};

/** @param model what the client asked for @param now epoch milliseconds */
export function refusalAnswer(refusal: Refusal, model: string, now: number): RefusalAnswer {
  switch (refusal.reason) {
    case "unknown_key":
      return INVALID_KEY;
    case "blocked_key":
      return refused(
        401,
        "auth_error",
        "Authentication Error, Key is blocked. An admin can update it via `/key/unblock`.",
      );
    case "blocked_team":
      return refused(
        401,
        "auth_error",
        "Authentication Error, Team is blocked. An admin can update it via `/team/unblock`.",
      );
    case "expired_key":
      return refused(401, "expired_key", "Authentication Error - Expired Key. Ask for a new one.");
    case "model_denied":
      return refused(
        403,
        "key_model_access_denied",
        `This key is not allowed to access the model ${model}.`,
        "model",
      );
    case "over_budget": {
      const held = refusal.reserved > 0 ? `, reserved for requests in flight: ${refusal.reserved}` : "";
      return refused(
        403,
        "budget_exceeded",
        `Budget has been exceeded! Current cost: ${refusal.spend}${held}, Max budget: ${refusal.limit} (${label(refusal.scope)})`,
      );
    }
    case "rate_limited":
      return rateAnswer(refusal, now);
  }
}

function rateAnswer(refusal: Extract<Refusal, { reason: "rate_limited" }>, now: number): RefusalAnswer {
  const left = Math.max(0, refusal.limit - refusal.current);
  const resetAt = utc(refusal.resetAt);
  const parallel = refusal.kind === "max_parallel_requests";
  const answer = refused(
    429,
    "throttling_error",
    `Rate limit exceeded for ${label(refusal.scope)}. Limit type: ${refusal.kind}. Current limit: ${refusal.limit}, Remaining: ${left}. ${
      parallel ? "A place is free when a request in flight ends." : `Limit resets at: ${resetAt}`
    }`,
  );
  // A place among parallel requests is free as soon as one of them ends, whatever the window.
  const wait = parallel ? 1 : Math.max(1, Math.ceil((refusal.resetAt.getTime() - now) / 1000));
  answer.headers = { "retry-after": String(wait), rate_limit_type: refusal.kind, reset_at: resetAt };
  return answer;
}

/** `x-ratelimit-{api_key|user|team|model_per_key}-{remaining|limit}-{requests|tokens}`. */
export function limitHeaders(limits: readonly LimitState[]): Record<string, string> {
  const headers: Record<string, string> = {};
  const say = (scope: string, what: string, limit: number | null, used: number) => {
    if (limit === null) return;
    headers[`x-ratelimit-${scope}-remaining-${what}`] = String(Math.max(0, limit - used));
    headers[`x-ratelimit-${scope}-limit-${what}`] = String(limit);
  };
  for (const state of limits) {
    say(label(state.scope), "requests", state.rpm, state.requests);
    say(label(state.scope), "tokens", state.tpm, state.tokens);
  }
  return headers;
}
