/** What `central_llm.admit_lone` (`migrations/`) says of a request that it admits: values, known by their places. */
import type { LimitState } from "@central-llm/core/rate-limit";
import type { Answer } from "./admission-statement.ts";
import type { CallContext } from "./call-context.ts";

// The types are those of the function's variables. A schema would check them again in each request's round trip.
type Text = string | null;
type Count = number | null;
type CallValues = [
  ...[token: string, keyName: Text, keyAlias: Text, userId: Text, userEmail: Text, teamId: Text],
  ...[teamAlias: Text, organizationId: Text, spend: number, maxBudget: Count, tpmLimit: Count],
  ...[rpmLimit: Count, modelAlias: Text, allowedRoutes: string[] | null, metadata: unknown],
  teamMetadata: unknown,
];
/** Counters with this request in them, beside their limits; null where nothing is held. */
type ScopeValues = [
  ...[held: boolean, windowStart: Text, requests: Count, rpm: Count, tokens: Count, tpm: Count],
  /** US dollars; `reserved` in billionths. */
  ...[inFlight: Count, parallel: Count, spend: Count, reserved: Count, budget: Count],
];

const SCOPES = ["api_key", "team", "user"] as const;
const CALL_VALUES = 16;
const SCOPE_VALUES = 11;

/** What a request asked for; `cost` in billionths of a US dollar. */
export interface Wanted {
  tokens: number;
  cost: number;
}

/** @throws Error when it is no such list */
export function loneAnswer(values: unknown[], wanted: Wanted, windowSeconds: number): Answer {
  if (values.length !== CALL_VALUES + SCOPES.length * SCOPE_VALUES) {
    throw new Error(`admit_lone answered ${values.length} values`);
  }
  const answer = { call: callOf(values as CallValues), limits: [] as LimitState[], held: false, ample: true };
  SCOPES.forEach((scope, at) => {
    const begin = CALL_VALUES + at * SCOPE_VALUES;
    const counted = values.slice(begin, begin + SCOPE_VALUES) as ScopeValues;
    if (!counted[0]) return;
    answer.held = true;
    answer.ample &&= isAmple(counted, wanted);
    const limit = limitOf(scope, counted, windowSeconds);
    if (limit) answer.limits.push(limit);
  });
  return answer;
}

function callOf(values: CallValues): CallContext {
  const [token, keyName, keyAlias, userId, userEmail, teamId, teamAlias, organizationId] = values;
  const [, , , , , , , , spend, maxBudget, tpmLimit, rpmLimit, modelAlias, allowedRoutes] = values;
  return {
    ...{ token, keyName, keyAlias, userId, userEmail, teamId, teamAlias, organizationId },
    ...{ spend, maxBudget, tpmLimit, rpmLimit, modelAlias, allowedRoutes },
    metadata: recordOf(values[14]),
    teamMetadata: recordOf(values[15]),
  };
}

/** LiteLLM's metadata are an object; its column could hold anything. */
function recordOf(value: unknown): Record<string, unknown> | null {
  if (value === null || (typeof value === "object" && !Array.isArray(value)))
    return value as Record<string, unknown>;
  throw new Error("a key's or team's metadata is no object");
}

function limitOf(
  scope: LimitState["scope"],
  [, windowStart, requests, rpm, tokens, tpm]: ScopeValues,
  windowSeconds: number,
): LimitState | null {
  if (rpm === null && tpm === null) return null;
  const resetAt = new Date(Date.parse(windowStart ?? "") + windowSeconds * 1_000);
  return { scope, rpm, requests: requests ?? 0, tpm, tokens: tokens ?? 0, resetAt };
}

/** Whether as much again could be admitted. */
function isAmple(counted: ScopeValues, wanted: Wanted): boolean {
  const [, , , , tokens, tpm, inFlight, parallel, spend, reserved, budget] = counted;
  return (
    (tpm === null || (tokens ?? 0) + wanted.tokens <= tpm) &&
    (parallel === null || (inFlight ?? 0) + 1 <= parallel) &&
    (budget === null || (spend ?? 0) + ((reserved ?? 0) + wanted.cost) / 1e9 <= budget)
  );
}
