/**
 * The ways through to LiteLLM, and what is read on each. Whatever is not here is not passed on: LiteLLM has dozens of further
 * routes to models (pass-through to providers, audio, files, assistants), and each would be a way around the filter.
 */

import { decoded, keysHidden } from "../shown-path.ts";

export interface Door {
  /** As audit, logs and metrics may show it: never with a key in it. */
  path: string;
  /** The record's requestType. */
  requestType: string;
  /** Whose shape errors have. */
  wire: "openai" | "anthropic";
  /** `model`: the filter reads the request. `admin`: it is audited without the secrets in it. */
  kind: "model" | "admin";
  /** `text`: the filter reads it. `numbers`: there is nothing in it to read. `closed`: passed on and never kept, it may hold a key. */
  answer: "text" | "numbers" | "closed";
  /** Polls of load balancers and the files of LiteLLM's web interface leave no record. */
  audited: boolean;
}

const model = (
  path: string,
  requestType: string,
  answer: Door["answer"] = "text",
  wire: Door["wire"] = "openai",
): Door => ({ path, requestType, wire, kind: "model", answer, audited: true });

const MODEL_DOORS = [
  model("/v1/chat/completions", "chat"),
  model("/v1/completions", "completion"),
  model("/v1/embeddings", "embedding", "numbers"),
  model("/v1/responses", "responses"),
  model("/v1/messages", "chat", "text", "anthropic"),
  model("/v1/messages/count_tokens", "count_tokens", "numbers", "anthropic"),
];
/** LiteLLM answers OpenAI's paths also without `/v1`. */
const BY_PATH = new Map(
  MODEL_DOORS.flatMap((door) =>
    (door.wire === "openai" ? [door.path, door.path.slice(3)] : [door.path]).map((path) => [path, door]),
  ),
);
const STORED_RESPONSE = /^(?:\/v1)?\/responses\/[^/]+(\/cancel|\/input_items)?$/;

const admin = (path: string, audited = true): Door => ({
  path,
  requestType: "admin",
  wire: "openai",
  kind: "admin",
  answer: "closed",
  audited,
});

/** First segments of LiteLLM's management (its `LiteLLMRoutes`, 1.100), and of what its web interface calls. */
const MANAGEMENT = new Set(
  (
    "key user team organization customer end_user budget tag spend global cost model model_group access_group credentials " +
    "config get update settings cache invitation onboarding audit management guardrails public routes sso login logout"
  ).split(" "),
);
const VERSIONED = /^\/v[123]\/(key|user|team|model|login|access_group|guardrails)(\/|$)/;
const MODEL_LIST = /^(\/v1)?\/models(\/[^/]+)?$/;
const HEALTH = /^\/health(\/[a-z_]+)*$/;
const INTERFACE =
  /^\/(ui|litellm-asset-prefix|favicon\.ico|get_image|get_favicon|\.well-known\/litellm-ui-config)(\/|$)/;

/** @param path without its query @returns null for what is not passed on */
export function doorOf(method: string, path: string): Door | null {
  const looks = method === "GET" || method === "HEAD";
  const known = BY_PATH.get(path);
  // A browser's question before a call (CORS) reaches whatever answers for the path.
  if (known) return method === "POST" ? known : method === "OPTIONS" ? admin(known.path, false) : null;
  const stored = STORED_RESPONSE.exec(path);
  if (stored) return model(`/v1/responses/{id}${stored[1] ?? ""}`, "responses");
  if (MODEL_LIST.test(path)) return looks ? { ...admin("/v1/models"), requestType: "models" } : null;
  if (HEALTH.test(path)) return admin(path, !looks);
  if (INTERFACE.test(path)) return looks ? admin("/ui", false) : null;
  const [, first = ""] = path.split("/", 2);
  return MANAGEMENT.has(first) || VERSIONED.test(path)
    ? admin(withoutKeys(path), method !== "OPTIONS")
    : null;
}

/** LiteLLM reads a path that cannot be decoded in its own way, or refuses it. */
const withoutKeys = (path: string) =>
  keysHidden(decoded(path).replace(/^(\/key)\/[^/]+(\/(?:regenerate|reset_spend))$/, "$1/{key}$2"));
