/** Which headers cross the proxy, and which the audit keeps. */
import { HOP_BY_HOP } from "@central-llm/core/hop-by-hop";
import { API_KEY_ID_HEADER } from "@central-llm/core/platform";

/** Not for the model server: our own credentials, what we set anew, and what the platform answers itself. */
const NOT_FORWARDED = new Set([
  ...HOP_BY_HOP,
  "host",
  "content-length",
  "expect",
  "cookie",
  "x-api-key",
  "x-request-id",
  API_KEY_ID_HEADER,
]);

/** What stays between the upstream and us. `x-request-id` is ours, whatever the upstream says. */
const NOT_RETURNED = new Set([...HOP_BY_HOP, "x-request-id"]);

/** The audit keeps these and nothing else, so that no credential of a scheme yet to be invented can slip in. */
const AUDITED_REQUEST = new Set([
  "accept",
  "accept-encoding",
  "accept-language",
  "content-encoding",
  "content-length",
  "content-type",
  "host",
  "idempotency-key",
  "origin",
  "openai-beta",
  "anthropic-version",
  "anthropic-beta",
  "traceparent",
  "user-agent",
  "via",
  "x-amzn-trace-id",
  "x-forwarded-for",
  "x-llm-request-type",
  "x-llm-source",
  "x-llm-user",
  "x-request-id",
  "x-stainless-lang",
  "x-stainless-package-version",
  "x-stainless-retry-count",
  "x-stainless-runtime",
]);

const AUDITED_RESPONSE = new Set([
  "cache-control",
  "content-encoding",
  "content-length",
  "content-type",
  "date",
  "openai-model",
  "openai-processing-ms",
  "openai-version",
  "retry-after",
  "server",
  "x-litellm-attempted-fallbacks",
  "x-litellm-attempted-retries",
  "x-litellm-call-id",
  "x-litellm-model-group",
  "x-litellm-model-id",
  "x-litellm-response-cost",
  "x-litellm-version",
  "x-ratelimit-limit-requests",
  "x-ratelimit-limit-tokens",
  "x-ratelimit-remaining-requests",
  "x-ratelimit-remaining-tokens",
  "x-request-id",
]);

const MAX_AUDITED_VALUE = 1024;

type IncomingHeaders = Record<string, string | string[] | undefined>;

/** The names that this message's `Connection` header adds to the hop-by-hop ones. */
export function connectionNames(headers: IncomingHeaders): Set<string> | null {
  const connection = headers.connection;
  if (connection === undefined || connection === "keep-alive" || connection === "close") return null;
  const value = Array.isArray(connection) ? connection.join(",") : connection;
  return new Set(value.split(",").map((name) => name.trim().toLowerCase()));
}

/**
 * The request's headers for the upstream, as a flat list of names and values. `content-length` is left to the caller,
 * who knows the body's size.
 */
export function forwardedToUpstream(
  headers: IncomingHeaders,
  requestId: string,
  options: { apiKey: string | undefined; plain: boolean },
): string[] {
  const named = connectionNames(headers);
  const out = ["x-request-id", requestId];
  for (const name in headers) {
    if (NOT_FORWARDED.has(name) || named?.has(name)) continue;
    if (name === "authorization" && options.apiKey !== undefined) continue;
    // A stream that we have to read on its way (to hide a chunk) must not be compressed.
    if (name === "accept-encoding" && options.plain) continue;
    const value = headers[name];
    if (Array.isArray(value)) for (const one of value) out.push(name, one);
    else if (value !== undefined) out.push(name, value);
  }
  if (options.apiKey !== undefined) out.push("authorization", `Bearer ${options.apiKey}`);
  return out;
}

/** The response's headers for the client, as a flat list. */
export function forwardedToClient(headers: IncomingHeaders, requestId: string): string[] {
  const named = connectionNames(headers);
  const out: string[] = [];
  for (const name in headers) {
    if (NOT_RETURNED.has(name) || named?.has(name)) continue;
    const value = headers[name];
    if (Array.isArray(value)) for (const one of value) out.push(name, one);
    else if (value !== undefined) out.push(name, value);
  }
  out.push("x-request-id", requestId);
  return out;
}

/** Takes a header out of a flat list. Names stand at the even places: a value may read like one. */
export function withoutHeader(flat: string[], name: string): void {
  for (let at = flat.length - 2; at >= 0; at -= 2) if (flat[at] === name) flat.splice(at, 2);
}

function audited(headers: IncomingHeaders, allowed: Set<string>): Record<string, string> {
  const out: Record<string, string> = {};
  for (const name in headers) {
    if (!allowed.has(name)) continue;
    const value = headers[name];
    if (value === undefined) continue;
    const text = Array.isArray(value) ? value.join(", ") : value;
    out[name] = text.length > MAX_AUDITED_VALUE ? text.slice(0, MAX_AUDITED_VALUE) : text;
  }
  return out;
}

export const auditedRequest = (headers: IncomingHeaders) => audited(headers, AUDITED_REQUEST);
export const auditedResponse = (headers: IncomingHeaders) => audited(headers, AUDITED_RESPONSE);
