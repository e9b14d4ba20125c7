/** The key that LiteLLM will take from a request: another one in another header must not be the one that the audit names. */
import type { IncomingHttpHeaders } from "node:http";
import { MAX_KEY_LENGTH } from "@central-llm/core/virtual-key";

const first = (value: string | string[] | undefined) => (Array.isArray(value) ? value[0] : value);
const BEARER = /^Bearer\s+(.*)$/is;
/** Whose value is the key itself, in LiteLLM's order. */
const PLAIN = ["api-key", "x-api-key", "x-goog-api-key", "ocp-apim-subscription-key"];

/**
 * In LiteLLM's order (`get_api_key` in its user_api_key_auth.py, 1.100): x-litellm-api-key, Authorization, API-Key, x-api-key,
 * x-goog-api-key, Ocp-Apim-Subscription-Key.
 * @returns null when there is none; "" for one that cannot be a key
 */
export function presentedKey(headers: IncomingHttpHeaders): string | null {
  const own = first(headers["x-litellm-api-key"]);
  if (own !== undefined) return bounded(BEARER.exec(own)?.[1] ?? own);
  const { authorization } = headers;
  if (authorization) return bounded(BEARER.exec(authorization)?.[1] ?? "");
  for (const name of PLAIN) {
    const value = first(headers[name]);
    if (value !== undefined) return bounded(value);
  }
  return null;
}

function bounded(text: string): string {
  const key = text.trim();
  return key.length > MAX_KEY_LENGTH ? "" : key;
}
