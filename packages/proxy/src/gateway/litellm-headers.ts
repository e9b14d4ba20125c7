/** The headers by which LiteLLM tells of a call (docs.litellm.ai, "Response Headers"). */
import type { LimitState } from "@central-llm/core/rate-limit";
import { limitHeaders } from "@central-llm/core/rate-limit";
import type { CallContext } from "./call-context.ts";

interface Told {
  callId: string;
  call: CallContext | null;
  limits: readonly LimitState[];
  /** The configured model's name; null before one was called. */
  model: string | null;
  apiBase: string | null;
  /** US dollars; null while it is not known, as at a stream's beginning. */
  cost: number | null;
  /** Attempts beyond the first at one model, and models beyond the first. */
  retries: number;
  fallbacks: number;
  /** All of it so far, and what of it was ours, in milliseconds. */
  durationMs: number;
  overheadMs: number;
}

export function litellmHeaders(told: Told): Record<string, string> {
  const { call } = told;
  const headers: Record<string, string> = { "x-litellm-call-id": told.callId, ...limitHeaders(told.limits) };
  const say = (name: string, value: string | number | null | undefined) => {
    if (value !== null && value !== undefined) headers[`x-litellm-${name}`] = String(value);
  };
  say("model-id", told.model);
  say("model-group", told.model);
  say("model-api-base", told.apiBase);
  say("response-cost", told.cost);
  say("key-spend", call?.spend);
  say("key-max-budget", call?.maxBudget);
  say("key-tpm-limit", call?.tpmLimit);
  say("key-rpm-limit", call?.rpmLimit);
  if (told.model !== null) {
    say("attempted-retries", told.retries);
    say("attempted-fallbacks", told.fallbacks);
  }
  say("response-duration-ms", Math.round(told.durationMs * 100) / 100);
  say("overhead-duration-ms", Math.round(told.overheadMs * 100) / 100);
  return headers;
}
