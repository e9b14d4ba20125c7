/**
 * Books what the audit trail knows and "LiteLLM_SpendLogs" does not: a gateway that is killed, or whose database is away until its
 * end, has answered calls that it never came to book. Ours; LiteLLM has no such routes.
 */
import {
  type BookAnswer,
  BookRequest,
  type UnbookedAnswer,
  type UnbookedCall,
  UnbookedQuestion,
} from "@central-llm/core/unbooked-call";
import type { z } from "zod";
import { type AdminCall, change, type ModelEntry, parsed } from "./admin-request.ts";
import { bedrockBase } from "./call-account.ts";
import { storableJson } from "./call-context.ts";
import { MASTER_RESERVATION } from "./gateway-caller.ts";
import { modelRoute } from "./model-doors.ts";
import { spendRow } from "./settlement.ts";

/**
 * A call's row is under its own id, or, when its client chose the record's name, names the record. A deletion of somebody's data
 * may have taken the row away, and must not be undone.
 */
const UNBOOKED = `SELECT c.request_id FROM unnest($1::text[], $2::timestamptz[], $3::text[]) AS c(request_id, received_at, user_id)
  WHERE NOT EXISTS (SELECT FROM "LiteLLM_SpendLogs" s WHERE s.request_id = c.request_id)
    AND NOT EXISTS (SELECT FROM "LiteLLM_SpendLogs" s
      WHERE s."startTime" = c.received_at AT TIME ZONE 'UTC' AND s.metadata ->> 'audit_request_id' = c.request_id)
    AND NOT EXISTS (SELECT FROM central_llm.erasure_receipt r
      WHERE r.subject = encode(sha256(convert_to(c.user_id, 'UTF8')), 'hex') AND r.erased_at >= c.received_at)`;

const side = (calls: readonly Pick<UnbookedCall, "request_id" | "received_at" | "user_id">[]) => [
  calls.map((call) => call.request_id),
  calls.map((call) => call.received_at),
  calls.map((call) => call.user_id),
];

/** Which of these calls have no spend row. */
export async function unbooked(call: AdminCall): Promise<z.infer<typeof UnbookedAnswer>> {
  const { calls } = parsed(UnbookedQuestion, call.body);
  const { rows } = await call.options.database.pool.query(UNBOOKED, side(calls));
  return { unbooked: rows.map((row) => row.request_id) };
}

/** Books those of them that are not booked: their rows, and what they cost on key, user and team. */
export async function book(call: AdminCall): Promise<z.infer<typeof BookAnswer>> {
  const { calls } = parsed(BookRequest, call.body);
  return change(call, async (client, audit) => {
    const { rows } = await client.query(UNBOOKED, side(calls));
    const wanted = new Set(rows.map((row) => row.request_id));
    const missing = calls.filter(
      ({ request_id, path }) => wanted.has(request_id) && callTypeOf(path) !== null,
    );
    if (missing.length === 0) return { booked: 0 };
    const keys = await client.query(
      `SELECT k.token, k.user_id, k.team_id FROM "LiteLLM_VerificationToken" k WHERE k.token = ANY ($1)
       UNION ALL SELECT o.token, k.user_id, k.team_id FROM central_llm.retired_key o
       JOIN "LiteLLM_VerificationToken" k ON k.token = o.active_token WHERE o.token = ANY ($1)`,
      [missing.map(({ key_id }) => key_id)],
    );
    const owners = new Map<string, Owner>(keys.rows.map((row) => [row.token, row]));
    const models = call.options.models();
    const entries = missing.map((one) => entryOf(one, owners.get(one.key_id ?? "") ?? null, models));
    const settled = await client.query("SELECT central_llm.settle($1) AS booked", [storableJson(entries)]);
    audit({
      action: "spend.book",
      target: { kind: "spend", id: `${missing.length} calls`, alias: null },
      before: null,
      after: {
        request_ids: missing.map(({ request_id }) => request_id),
        spend: missing.reduce((sum, { cost }) => sum + cost, 0),
      },
    });
    return { booked: settled.rows[0].booked };
  });
}

interface Owner {
  token: string;
  user_id: string | null;
  team_id: string | null;
}

const callTypeOf = (path: string) => modelRoute(path)?.callType ?? null;

/** The configured model that served: the one that was asked for, or a fallback of it. */
function modelOf({ requested_model, served_model }: UnbookedCall, models: readonly ModelEntry[]) {
  const asked = ({ name, aliases }: ModelEntry) =>
    name === requested_model || aliases.includes(requested_model);
  const serving = models.filter(({ params }) => String(params.model).replace(/^\w+\//, "") === served_model);
  return serving.find(asked) ?? serving[0] ?? models.find(asked);
}

const baseOf = ({ params }: ModelEntry) =>
  String(params.api_base ?? bedrockBase(String(params.aws_region_name)));

/** @param owner null when the key is the master's, or is deleted: its team, and nobody else, still has the cost then */
function entryOf(call: UnbookedCall, owner: Owner | null, models: readonly ModelEntry[]) {
  const startedAt = Date.parse(call.received_at);
  const model = modelOf(call, models);
  const { time_to_first_token_ms: first } = call;
  const reservation = {
    ...MASTER_RESERVATION,
    ...(call.key_id !== null && {
      token: owner?.token ?? "",
      userId: owner?.user_id ?? null,
      teamId: owner?.team_id ?? call.team_id,
    }),
  };
  const row = spendRow(reservation, {
    requestId: call.request_id,
    callType: callTypeOf(call.path) ?? "",
    status: call.success ? "success" : "failure",
    model: call.served_model ?? call.requested_model,
    modelGroup: model?.name ?? call.requested_model,
    provider: call.provider,
    ...(model && { apiBase: baseOf(model) }),
    promptTokens: call.prompt_tokens,
    completionTokens: call.completion_tokens,
    cost: call.cost,
    startedAt,
    endedAt: Date.parse(call.completed_at),
    firstTokenAt: first === null ? null : startedAt + first,
    endUser: call.end_user,
    clientIp: call.client_ip,
    metadata: {
      audit_request_id: call.request_id,
      requested_model: call.requested_model,
      usage_source: call.usage_source,
      price_table: call.price_table,
      booked_from: "audit",
    },
  });
  return { reservation: null, ...row };
}
