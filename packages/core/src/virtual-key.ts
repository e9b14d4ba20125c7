/** Virtual keys, as LiteLLM has them: `sk-…`, known to the database by the sha256 (hex) of the whole key. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";

/** Longer ones are nobody's key, and not worth a hash. */
export const MAX_KEY_LENGTH = 512;

export const hashKey = (key: string) => createHash("sha256").update(key).digest("hex");
/** 192 bits of chance. */
export const newKey = () => `sk-${randomBytes(24).toString("base64url")}`;
/** What may be shown of a key: `sk-...abcd`. */
export const keyName = (key: string) => `sk-...${key.slice(-4)}`;
export const isHash = (text: string) => /^[0-9a-f]{64}$/.test(text);
/** Keys are named by themselves or by their hash in the admin API. */
export const tokenOf = (keyOrHash: string) => (isHash(keyOrHash) ? keyOrHash : hashKey(keyOrHash));

/** Takes the same time wherever, and at whatever length, the two differ. */
export function sameSecret(given: string, expected: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

const first = (value: string | string[] | undefined) => (Array.isArray(value) ? value[0] : value);

const BEARER = /^Bearer\s+(.*)$/is;
/** Whose value is the key itself, in LiteLLM's order. */
const PLAIN = ["api-key", "x-api-key", "x-goog-api-key", "ocp-apim-subscription-key"];

/**
 * The key of a request, from the headers that LiteLLM reads, in its order (`get_api_key` in its user_api_key_auth.py, 1.100):
 * x-litellm-api-key, Authorization (Bearer), API-Key, x-api-key, x-goog-api-key, Ocp-Apim-Subscription-Key. The first that is there
 * counts, whatever the others say.
 * @returns null when there is none; "" for one that cannot be a key
 */
export function keyOf(headers: NodeJS.Dict<string | string[]>): string | null {
  const own = first(headers["x-litellm-api-key"]);
  if (own !== undefined) return bounded(BEARER.exec(own)?.[1] ?? own);
  const authorization = first(headers.authorization);
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

/** `30s 15m 12h 30d 2w 1mo`. */
export const Duration = z
  .string()
  .regex(/^[1-9]\d{0,5}(mo|[smhdw])$/, "a duration such as 30s, 15m, 12h, 30d or 1mo");

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** The moment a duration from now; months are calendar months, cut to the month's last day. */
export function after(duration: string, now: Date): Date {
  const [, digits = "0", unit = "s"] = /^(\d+)(mo|[smhdw])$/.exec(duration) ?? [];
  const count = Number(digits);
  if (unit !== "mo") return new Date(now.getTime() + count * UNIT_MS[unit as keyof typeof UNIT_MS]);
  const then = new Date(now);
  then.setUTCMonth(then.getUTCMonth() + count);
  if (then.getUTCDate() !== now.getUTCDate()) then.setUTCDate(0);
  return then;
}

/** Seed 004 §6.8: what a key gets by its tier, when the request for it says nothing else. */
export const TIERS = {
  standard: { tpm_limit: 10_000, rpm_limit: 100, max_budget: 50, budget_duration: "1mo" },
  admin: { tpm_limit: 100_000, rpm_limit: 1_000, max_budget: 500, budget_duration: "1mo" },
} as const;
export type TierName = keyof typeof TIERS;
/** Settings may bring other tiers or other figures. */
export const Tiers = z.record(
  z.string(),
  z.object({
    tpm_limit: z.int().nonnegative().nullish(),
    rpm_limit: z.int().nonnegative().nullish(),
    max_parallel_requests: z.int().nonnegative().nullish(),
    max_budget: z.number().nonnegative().nullish(),
    budget_duration: Duration.nullish(),
  }),
);
export type Tiers = z.infer<typeof Tiers>;

const text = z
  .string()
  .max(1_024)
  .refine((value) => !value.includes("\0") && value.isWellFormed(), "text without NUL");
const whole = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const count = z.number().int().nonnegative().max(2_147_483_647);
const dollars = z.number().nonnegative();
const json = z.record(z.string(), z.json());

/** What keys, users and teams have in common. */
export const limits = {
  max_budget: dollars.nullish(),
  budget_duration: Duration.nullish(),
  tpm_limit: whole.nullish(),
  rpm_limit: whole.nullish(),
  max_parallel_requests: count.nullish(),
  models: z.array(text).max(1_000).nullish(),
  metadata: json.nullish(),
};
export const names = { text, json };

const keyFields = {
  ...limits,
  key_alias: text.min(1).nullish(),
  user_id: text.nullish(),
  team_id: text.nullish(),
  budget_id: text.nullish(),
  organization_id: text.nullish(),
  soft_budget: dollars.nullish(),
  duration: Duration.or(z.literal("-1")).nullish(),
  /** A limit that nobody enforces must not look like one. */
  model_max_budget: json
    .nullish()
    .refine(
      (budgets) => !budgets || Object.keys(budgets).length === 0,
      "budgets by model are not enforced here",
    ),
  model_rpm_limit: z.record(z.string(), whole).nullish(),
  model_tpm_limit: z.record(z.string(), whole).nullish(),
  aliases: z.record(z.string(), z.string()).nullish(),
  config: json.nullish(),
  permissions: json.nullish(),
  blocked: z.boolean().nullish(),
  tags: z.array(text).nullish(),
  allowed_routes: z.array(text).nullish(),
  spend: dollars.nullish(),
};

const ownKey = z.string().startsWith("sk-", "a key starts with sk-").min(16).max(MAX_KEY_LENGTH);

export const GenerateKey = z.object({
  ...keyFields,
  key: ownKey.nullish(),
  /** A named template of limits; a limit in the request wins over the template's. */
  tier: text.nullish(),
});
export type GenerateKey = z.infer<typeof GenerateKey>;

/** A merge patch: what is absent stays, null clears, metadata is replaced whole. */
export const UpdateKey = z.object({ ...keyFields, key: z.string().min(1).max(MAX_KEY_LENGTH) });
export type UpdateKey = z.infer<typeof UpdateKey>;

export const RegenerateKey = z.object({
  ...keyFields,
  key: z.string().min(1).nullish(),
  new_key: ownKey.nullish(),
  /** How long the old key still works; absent: not at all. */
  grace_period: Duration.nullish(),
});

export const DeleteKeys = z
  .object({
    keys: z.array(z.string().min(1)).max(1_000).nullish(),
    key_aliases: z.array(text).max(1_000).nullish(),
  })
  .refine((body) => (body.keys?.length ?? 0) + (body.key_aliases?.length ?? 0) > 0, "keys or key_aliases");
export const NamedKey = z.object({ key: z.string().min(1).max(MAX_KEY_LENGTH) });
