/** Virtual keys of the gateway. Dollars; `keyId` is the key's sha256. */
import { z } from "zod";

const count = z.int().nonnegative().nullable();
const Duration = z
  .string()
  .regex(/^[1-9]\d{0,5}(mo|[smhdw])$/, "a duration such as 30s, 15m, 12h, 30d or 1mo");

export const Key = z.object({
  keyId: z.string(),
  /** `sk-...abcd` */
  name: z.string().nullable(),
  alias: z.string().nullable(),
  userId: z.string().nullable(),
  teamId: z.string().nullable(),
  /** Empty: all. */
  models: z.array(z.string()),
  spendUsd: z.number(),
  maxBudgetUsd: z.number().nullable(),
  budgetDuration: z.string().nullable(),
  budgetResetsAt: z.string().nullable(),
  rpmLimit: count,
  tpmLimit: count,
  maxParallelRequests: count,
  blocked: z.boolean(),
  expiresAt: z.string().nullable(),
  createdAt: z.string().nullable(),
});
export type Key = z.infer<typeof Key>;

export const KeysQuery = z.strictObject({
  page: z.coerce.number().int().min(1).max(100_000).default(1),
  size: z.coerce.number().int().min(1).max(100).default(50),
  user: z.string().max(512).optional(),
  team: z.string().max(512).optional(),
  alias: z.string().max(512).optional(),
});
export type KeysQuery = z.input<typeof KeysQuery>;
export const Keys = z.object({ keys: z.array(Key), total: z.int(), page: z.int(), pages: z.int() });
export type Keys = z.infer<typeof Keys>;

const limits = {
  models: z.array(z.string().max(256)).max(1_000).optional(),
  maxBudgetUsd: z.number().nonnegative().nullable().optional(),
  budgetDuration: Duration.nullable().optional(),
  rpmLimit: count.optional(),
  tpmLimit: count.optional(),
  maxParallelRequests: count.optional(),
};
const Text = z.string().trim().min(1).max(256);
export const NewKey = z.strictObject({
  alias: Text,
  userId: Text.optional(),
  teamId: Text.optional(),
  /** How long it lives; without it, for ever. */
  duration: Duration.optional(),
  ...limits,
});
export type NewKey = z.input<typeof NewKey>;
export const KeyParams = z.strictObject({ id: z.string().regex(/^[0-9a-f]{64}$/) });
export const KeyChange = z.strictObject({ alias: Text.optional(), ...limits });
export type KeyChange = z.input<typeof KeyChange>;

export const KeyAnswer = z.object({ key: Key });
export type KeyAnswer = z.infer<typeof KeyAnswer>;
/** `secret` is shown this once. */
export const KeySecret = z.object({ key: Key, secret: z.string() });
export type KeySecret = z.infer<typeof KeySecret>;
