/** The gateway's LiteLLM-compatible administration, called with the master key: its answers as the console's. */
import { z } from "zod";
import type { ApiContext } from "./api-context.ts";
import type { Key } from "./contract-key.ts";
import { Failure } from "./failure.ts";
import type { Person } from "./permission.ts";

const TIMEOUT_MS = 10_000;

const text = z.string().nullish();
const number = z.coerce.number().nullish().catch(null);
const time = z
  .string()
  .nullish()
  .transform((value) => (value ? new Date(value).toISOString() : null))
  .catch(null);

/** A row of LiteLLM_VerificationToken. */
const Row = z
  .object({
    token: z.string(),
    key_name: text,
    key_alias: text,
    user_id: text,
    team_id: text,
    models: z.array(z.string()).nullish(),
    spend: number,
    max_budget: number,
    budget_duration: text,
    budget_reset_at: time,
    rpm_limit: number,
    tpm_limit: number,
    max_parallel_requests: number,
    blocked: z.boolean().nullish(),
    expires: time,
    created_at: time,
  })
  .transform(
    (row): Key => ({
      keyId: row.token,
      name: row.key_name ?? null,
      alias: row.key_alias ?? null,
      userId: row.user_id ?? null,
      teamId: row.team_id ?? null,
      models: row.models ?? [],
      spendUsd: row.spend ?? 0,
      maxBudgetUsd: row.max_budget ?? null,
      budgetDuration: row.budget_duration ?? null,
      budgetResetsAt: row.budget_reset_at,
      rpmLimit: row.rpm_limit ?? null,
      tpmLimit: row.tpm_limit ?? null,
      maxParallelRequests: row.max_parallel_requests ?? null,
      blocked: row.blocked ?? false,
      expiresAt: row.expires,
      createdAt: row.created_at,
    }),
  );

const Listed = z.object({
  keys: z.array(Row),
  total_count: z.int(),
  current_page: z.int(),
  total_pages: z.int(),
});
const Info = z.object({ key: z.string(), info: z.looseObject({}) });
const Refusal = z.object({
  error: z.object({ message: z.string() }).optional(),
  detail: z.array(z.object({ msg: z.string() })).optional(),
});

/**
 * @param person whom the gateway's own audit names
 * @throws {Failure} gateway_unavailable; gateway_refused with the gateway's words; not_found
 */
async function call(
  { config, masterKey }: ApiContext,
  person: Person,
  method: "GET" | "POST",
  path: string,
  body?: Record<string, unknown>,
): Promise<unknown> {
  const base = config.GATEWAY_URL;
  const key = await masterKey();
  if (!base || !key) throw new Failure("gateway_unavailable", "No gateway is configured.");
  let response: Response;
  let answer: unknown;
  try {
    response = await fetch(new URL(path, base), {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        "litellm-changed-by": person.name.replace(/[^\x20-\x7e]/g, "?").slice(0, 256),
        ...(body && { "content-type": "application/json" }),
      },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      redirect: "error",
    });
    answer = await response.json();
  } catch (error) {
    throw new Failure("gateway_unavailable", "The gateway does not answer.", null, { cause: error });
  }
  if (response.ok) return answer;
  if (response.status === 404) throw new Failure("not_found", "The gateway does not know this key.");
  if (response.status >= 500 || response.status === 401 || response.status === 403) {
    throw new Failure("gateway_unavailable", `The gateway answered ${response.status}.`);
  }
  const refusal = Refusal.safeParse(answer);
  const words = refusal.data?.error?.message ?? refusal.data?.detail?.map(({ msg }) => msg).join("; ");
  throw new Failure("gateway_refused", words || `The gateway answered ${response.status}.`);
}

const queryOf = (values: Record<string, string | number | undefined>) =>
  new URLSearchParams(
    Object.entries(values).flatMap(([name, value]): [string, string][] =>
      value === undefined ? [] : [[name, String(value)]],
    ),
  );

export async function list(
  context: ApiContext,
  person: Person,
  {
    page,
    size,
    user,
    team,
    alias,
  }: {
    page: number;
    size: number;
    user?: string | undefined;
    team?: string | undefined;
    alias?: string | undefined;
  },
) {
  const query = queryOf({
    page,
    size,
    return_full_object: "true",
    user_id: user,
    team_id: team,
    key_alias: alias,
  });
  const listed = Listed.parse(await call(context, person, "GET", `/key/list?${query}`));
  return {
    keys: listed.keys,
    total: listed.total_count,
    page: listed.current_page,
    pages: listed.total_pages,
  };
}

export async function info(context: ApiContext, person: Person, keyId: string): Promise<Key> {
  const { key, info } = Info.parse(
    await call(context, person, "GET", `/key/info?${queryOf({ key: keyId })}`),
  );
  return Row.parse({ ...info, token: key });
}

const Generated = z.object({
  key: z.string().startsWith("sk-"),
  token: z.string().optional(),
  token_id: z.string().optional(),
});

/** @returns the secret, which nobody can read again */
export async function generate(context: ApiContext, person: Person, fields: Record<string, unknown>) {
  return Generated.parse(await call(context, person, "POST", "/key/generate", fields)).key;
}

export async function regenerate(context: ApiContext, person: Person, keyId: string) {
  return Generated.parse(await call(context, person, "POST", "/key/regenerate", { key: keyId })).key;
}

export const update = (context: ApiContext, person: Person, keyId: string, fields: Record<string, unknown>) =>
  call(context, person, "POST", "/key/update", { key: keyId, ...fields });
export const setBlocked = (context: ApiContext, person: Person, keyId: string, blocked: boolean) =>
  call(context, person, "POST", blocked ? "/key/block" : "/key/unblock", { key: keyId });
