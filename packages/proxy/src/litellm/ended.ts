/** How a request to LiteLLM ended, in the words of the audit. */
import type { Outcome } from "@central-llm/core/audit-record";
import { isObject } from "../stream-assembly.ts";
import type { Json } from "./said.ts";

export interface Ended {
  outcome: Outcome;
  error: { type: string; message: string } | null;
  complete: boolean;
}

/** The type of LiteLLM's error, which is in its body. */
export function errorType(body: Json | null): string | null {
  const error = body?.error;
  return isObject(error) && typeof error.type === "string" ? error.type.slice(0, 128) : null;
}

/** Refused by LiteLLM's policy: neither the request's form is wrong nor its key. */
const POLICY = /budget|access_denied|not_allowed/;

/** @param type of LiteLLM's error */
export function endedBy(status: number, type: string | null): Ended {
  if (status < 400) return { outcome: "completed", error: null, complete: true };
  const error = { type: type ?? `http_${status}`, message: `LiteLLM answered ${status}.` };
  const isPolicy = status === 403 || (type !== null && POLICY.test(type));
  const refused = isPolicy ? "blocked" : status === 429 ? "rate_limited" : "client_error";
  return { outcome: status >= 500 ? "upstream_error" : refused, error, complete: true };
}

const REASONS: Record<string, string> = {
  token_not_found_in_db: "unknown_key",
  expired_key: "expired_key",
};

/** @returns why LiteLLM did not take the key, as a metric's label; null when it took it */
export function denial(status: number, type: string | null, key: string | null): string | null {
  if (status !== 401 || (type !== null && POLICY.test(type))) return null;
  return key === null ? "missing_key" : ((type === null ? undefined : REASONS[type]) ?? "refused_key");
}
