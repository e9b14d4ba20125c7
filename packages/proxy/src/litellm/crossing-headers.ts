/** Which headers go to LiteLLM: all of the client's but those of one connection, so that keys in any of its headers arrive. */
import type { IncomingHttpHeaders } from "node:http";
import { HOP_BY_HOP } from "@central-llm/core/hop-by-hop";
import { connectionNames } from "../header-policy.ts";

/** What we set anew. */
const OURS = new Set(["content-length", "expect", "x-request-id"]);

/**
 * @param options.plain the filter has to read the answer, so it must not come packed
 * @param options.cookies LiteLLM's web interface logs in by one; a call of a model has none
 * @returns a flat list of names and values, without `content-length`
 */
export function forwardedToLitellm(
  headers: IncomingHttpHeaders,
  name: string,
  options: { plain: boolean; cookies: boolean },
): string[] {
  const named = connectionNames(headers);
  const out = ["x-request-id", name];
  // LiteLLM's own rows and logs then have the audit's name for the call.
  if (headers["x-litellm-call-id"] === undefined) out.push("x-litellm-call-id", name);
  if (options.plain) out.push("accept-encoding", "identity");
  for (const [header, value] of Object.entries(headers)) {
    if (HOP_BY_HOP.has(header) || OURS.has(header) || named?.has(header) || value === undefined) continue;
    if (header === "accept-encoding" && options.plain) continue;
    if (header === "cookie" && !options.cookies) continue;
    for (const one of Array.isArray(value) ? value : [value]) out.push(header, one);
  }
  return out;
}
