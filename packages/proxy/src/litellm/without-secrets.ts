/** What the audit may keep of an administrator's request, and of an error's words: who and what, and no secret. */
import { detect } from "@central-llm/core/pii-detector";
import { hashKey, isHash } from "@central-llm/core/virtual-key";

const DEEPEST = 64;
export const REDACTED = "[redacted]";

/** Members that name a key: its hash says which, and is what LiteLLM's tables have. */
const KEYS = new Set(["key", "keys", "token", "tokens", "new_key", "key_id", "token_id"]);
/** Members whose value is a secret, by what their names end in; `api_key`, `aws_secret_access_key`, `langfuse_secret` … */
const SECRET =
  /(^|_)(api_?key|access_?key|secret_?key|private_?key|master_?key|secret|password|passwd|passphrase|token|credentials?|authorization|cookie|jwt|code|webhook_url|database_url)$|^(credential_values|environment_variables|callback_vars|vertex_credentials|extra_headers|headers|user_config)$|secret/i;
/** They end like secrets and are none. */
const HARMLESS = new Set(["max_tokens", "token_limit"]);
const KEY_IN_TEXT = /\bsk-[A-Za-z0-9_-]{8,}/g;

const keyed = (key: string) => (isHash(key) ? key : `sha256:${hashKey(key)}`);

/** @param value any JSON; it is not changed */
export function withoutSecrets(value: unknown): unknown {
  return cleaned(value, null, 0);
}

/** Keys in it are named by their hashes; other credentials are gone. */
export function textWithoutSecrets(text: string): string {
  const hashed = text.replace(KEY_IN_TEXT, keyed);
  let result = "";
  let from = 0;
  for (const { entity, start, end } of detect(hashed)) {
    if (entity !== "API_KEY" && entity !== "PRIVATE_KEY") continue;
    result += hashed.slice(from, start) + REDACTED;
    from = end;
  }
  return result + hashed.slice(from);
}

function cleaned(value: unknown, name: string | null, depth: number): unknown {
  if (value === null || typeof value === "boolean") return value;
  if (name !== null && KEYS.has(name)) return named(value, depth);
  if (name !== null && SECRET.test(name) && !HARMLESS.has(name)) return REDACTED;
  if (typeof value === "string") return textWithoutSecrets(value);
  if (typeof value !== "object") return value;
  if (depth === DEEPEST) return REDACTED;
  if (Array.isArray(value)) return value.map((item) => cleaned(item, null, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([member, inner]) => [
      textWithoutSecrets(member),
      cleaned(inner, member.toLowerCase(), depth + 1),
    ]),
  );
}

function named(value: unknown, depth: number): unknown {
  if (typeof value === "string") return keyed(value);
  if (Array.isArray(value)) return value.map((item) => named(item, depth + 1));
  return typeof value === "number" ? value : REDACTED;
}
