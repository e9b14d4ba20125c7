/** What `central_llm.admit_lone` (`migrations/`) says of a request that it admits: values, known by their places. */
import type { LimitState } from "@central-llm/core/rate-limit";
import type { Answer } from "./admission-statement.ts";
import type { CallContext } from "./call-context.ts";

// The types are those of the function's variables. A schema would check them again in each request's round trip.
type Text = string | null;
type Count = number | null;
type OwnerValues = [
  ...[token: string, keyName: Text, keyAlias: Text, userId: Text, userEmail: Text, teamId: Text],
  ...[teamAlias: Text, organizationId: Text, modelAlias: Text, allowedRoutes: string[] | null],
  ...[metadata: unknown, teamMetadata: unknown],
];
/** Counters with this request in them, beside their limits; counters are null where nothing is held. */
type ScopeValues = [
  ...[held: boolean, windowStart: Text, requests: Count, rpm: Count, tokens: Count, tpm: Count],
  /** US dollars; `reserved` in billionths. */
  ...[inFlight: Count, parallel: Count, spend: Count, reserved: Count, budget: Count],
];

const OWNER_VALUES = 12;
const SCOPE_VALUES = 11;
/** Where the values of each begin. */
const KEY = OWNER_VALUES;
const TEAM = KEY + SCOPE_VALUES;
const USER = TEAM + SCOPE_VALUES;
const END = USER + SCOPE_VALUES;

/** What a request asked for; `cost` in billionths of a US dollar. */
export interface Wanted {
  tokens: number;
  cost: number;
}

/** @throws Error when it is no such list */
export function loneAnswer(values: unknown[], wanted: Wanted, windowSeconds: number): Answer {
  if (values.length !== END) throw new Error(`admit_lone answered ${values.length} values`);
  const key = values.slice(KEY, TEAM) as ScopeValues;
  const team = values.slice(TEAM, USER) as ScopeValues;
  const user = values.slice(USER) as ScopeValues;
  const limits: LimitState[] = [];
  noteLimit(limits, "api_key", key, windowSeconds);
  noteLimit(limits, "team", team, windowSeconds);
  noteLimit(limits, "user", user, windowSeconds);
  return {
    call: callOf(values as OwnerValues, key),
    limits,
    held: key[0] || team[0] || user[0],
    ample: isAmple(key, wanted) && isAmple(team, wanted) && isAmple(user, wanted),
  };
}

function callOf(values: OwnerValues, key: ScopeValues): CallContext {
  const [token, keyName, keyAlias, userId, userEmail, teamId, teamAlias, organizationId] = values;
  const [, , , , , , , , modelAlias, allowedRoutes, metadata, teamMetadata] = values;
  const [, , , rpmLimit, , tpmLimit, , , spend, , maxBudget] = key;
  return {
    ...{ token, keyName, keyAlias, userId, userEmail, teamId, teamAlias, organizationId },
    ...{ spend: spend ?? 0, maxBudget, tpmLimit, rpmLimit, modelAlias, allowedRoutes },
    metadata: recordOf(metadata),
    teamMetadata: recordOf(teamMetadata),
  };
}

/** LiteLLM's metadata are an object; its column could hold anything. */
function recordOf(value: unknown): Record<string, unknown> | null {
  if (value === null || (typeof value === "object" && !Array.isArray(value)))
    return value as Record<string, unknown>;
  throw new Error("a key's or team's metadata is no object");
}

function noteLimit(
  limits: LimitState[],
  scope: LimitState["scope"],
  [, windowStart, requests, rpm, tokens, tpm]: ScopeValues,
  windowSeconds: number,
): void {
  if (rpm === null && tpm === null) return;
  const resetAt = new Date(Date.parse(windowStart ?? "") + windowSeconds * 1_000);
  limits.push({ scope, rpm, requests: requests ?? 0, tpm, tokens: tokens ?? 0, resetAt });
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
