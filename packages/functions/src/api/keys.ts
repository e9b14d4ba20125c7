/** `/api/keys`, `/api/budgets`: the gateway's virtual keys. Changes are on record before they are made. */
import { hashKey } from "@central-llm/core/virtual-key";
import type { Call, CallOf } from "./call.ts";
import type { Budget } from "./contract-overview.ts";
import * as GatewayAdmin from "./gateway-admin.ts";

/** In LiteLLM's names; what was not given stays as it is. */
function fieldsOf({
  alias,
  models,
  maxBudgetUsd,
  budgetDuration,
  rpmLimit,
  tpmLimit,
  maxParallelRequests,
}: Partial<CallOf<"changeKey">["body"]>) {
  const fields = {
    key_alias: alias,
    models,
    max_budget: maxBudgetUsd,
    budget_duration: budgetDuration,
    rpm_limit: rpmLimit,
    tpm_limit: tpmLimit,
    max_parallel_requests: maxParallelRequests,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

export const keys = ({ context, person, query }: CallOf<"keys">) => GatewayAdmin.list(context, person, query);

export async function createKey(call: CallOf<"createKey">) {
  const { context, person, body } = call;
  await call.audit({ action: "create_key", details: { fields: body } });
  const { userId, teamId, duration, ...limits } = body;
  const secret = await GatewayAdmin.generate(context, person, {
    ...fieldsOf(limits),
    ...(userId !== undefined && { user_id: userId }),
    ...(teamId !== undefined && { team_id: teamId }),
    ...(duration !== undefined && { duration }),
  });
  return { key: await GatewayAdmin.info(context, person, hashKey(secret)), secret };
}

export async function changeKey(call: CallOf<"changeKey">) {
  const { context, person, params, body } = call;
  const before = await GatewayAdmin.info(context, person, params.id);
  await call.audit({
    action: "change_key",
    target: params.id,
    details: { fields: body, alias: before.alias },
  });
  await GatewayAdmin.update(context, person, params.id, fieldsOf(body));
  return { key: await GatewayAdmin.info(context, person, params.id) };
}

export async function rotateKey(call: CallOf<"rotateKey">) {
  const { context, person, params } = call;
  await GatewayAdmin.info(context, person, params.id);
  await call.audit({ action: "rotate_key", target: params.id });
  const secret = await GatewayAdmin.regenerate(context, person, params.id);
  return { key: await GatewayAdmin.info(context, person, hashKey(secret)), secret };
}

async function block(
  { context, person, params, audit }: Call & { params: { id: string } },
  blocked: boolean,
) {
  await GatewayAdmin.info(context, person, params.id);
  await audit({ action: blocked ? "block_key" : "unblock_key", target: params.id });
  await GatewayAdmin.setBlocked(context, person, params.id, blocked);
  return { key: await GatewayAdmin.info(context, person, params.id) };
}
export const blockKey = (call: CallOf<"blockKey">) => block(call as Call & typeof call, true);
export const unblockKey = (call: CallOf<"unblockKey">) => block(call as Call & typeof call, false);

/** Keys that are looked at for their budgets. */
const MAX_PAGES = 10;

export async function budgets({ context, person }: CallOf<"budgets">): Promise<{ budgets: Budget[] }> {
  const found: Budget[] = [];
  for (let page = 1, pages = 1; page <= Math.min(pages, MAX_PAGES); page++) {
    const listed = await GatewayAdmin.list(context, person, { page, size: 100 });
    pages = listed.pages;
    for (const key of listed.keys) {
      if (key.maxBudgetUsd === null) continue;
      found.push({
        kind: "key",
        id: key.keyId,
        name: key.alias ?? key.name ?? key.keyId.slice(0, 12),
        userId: key.userId,
        teamId: key.teamId,
        spendUsd: key.spendUsd,
        maxBudgetUsd: key.maxBudgetUsd,
        used: key.maxBudgetUsd > 0 ? key.spendUsd / key.maxBudgetUsd : 1,
        resetsAt: key.budgetResetsAt,
      });
    }
  }
  return { budgets: found.sort((a, b) => b.used - a.used || (a.name < b.name ? -1 : 1)) };
}
