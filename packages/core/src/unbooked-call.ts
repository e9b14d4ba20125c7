/**
 * Calls of models that the audit trail knows and the spend rows do not: what the gateway is told of them (`/spend/unbooked` and
 * `/spend/book`), and how a record becomes it.
 */
import { z } from "zod";
import type { StoredRecord } from "./stored-record.ts";

export const MOST_UNBOOKED = 500;

const Id = z.string().min(1).max(256);
const Instant = z.iso.datetime();
const count = z.int().nonnegative();

/** What it takes to look for a call's spend row. */
const SoughtCall = z.strictObject({
  /** The record's. */
  request_id: Id,
  received_at: Instant,
  /** Whom the record names: of somebody whose data was deleted since, nothing is booked again. */
  user_id: z.string(),
});

/** What it takes to book it. */
export const UnbookedCall = z.strictObject({
  ...SoughtCall.shape,
  completed_at: Instant,
  time_to_first_token_ms: z.number().nonnegative().nullable(),
  path: z.string(),
  success: z.boolean(),
  /** sha256 of the key; null for the master key. */
  key_id: z.string().nullable(),
  team_id: z.string().nullable(),
  end_user: z.string().nullable(),
  client_ip: z.string().nullable(),
  requested_model: z.string(),
  served_model: z.string().nullable(),
  provider: z.string(),
  prompt_tokens: count,
  completion_tokens: count,
  usage_source: z.string(),
  /** US dollars. */
  cost: z.number().nonnegative(),
  price_table: z.string().nullable(),
});
export type UnbookedCall = z.infer<typeof UnbookedCall>;

export const UnbookedQuestion = z.strictObject({ calls: z.array(SoughtCall).max(MOST_UNBOOKED) });
export const UnbookedAnswer = z.object({ unbooked: z.array(Id) });
export const BookRequest = z.strictObject({ calls: z.array(UnbookedCall).min(1).max(MOST_UNBOOKED) });
export const BookAnswer = z.object({ booked: count });

export function unbookedCall(record: StoredRecord): UnbookedCall {
  const { identity, usage, cost, model, http } = record;
  return {
    request_id: record.requestId,
    received_at: record.receivedAt,
    user_id: record.userId,
    completed_at: record.completedAt,
    time_to_first_token_ms: record.timeToFirstTokenMs,
    path: http.path,
    success: record.outcome === "completed",
    key_id: identity.keyId,
    team_id: identity.teamId,
    end_user: identity.assertedUser,
    client_ip: http.clientIp,
    requested_model: model.requested ?? "",
    served_model: model.served,
    provider: model.provider,
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    usage_source: usage.source,
    cost: cost?.usd ?? 0,
    price_table: cost?.priceTable ?? null,
  };
}
