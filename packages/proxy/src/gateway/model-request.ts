/** The first steps of a call of a model: key, body, admission, filter. Each adds to the state or throws what ends the request. */
import type { ApiError } from "@central-llm/core/api-error";
import type { Model } from "@central-llm/core/model";
import { FILTER_UNAVAILABLE } from "@central-llm/core/pii-refusal";
import { DATABASE_UNAVAILABLE, INVALID_KEY, MISSING_KEY } from "@central-llm/core/rate-limit";
import { hashKey, keyOf, sameSecret } from "@central-llm/core/virtual-key";
import { classifyBody, OVERLOADED } from "../request-body.ts";
import { TOO_MANY_HEADERS, tooManyHeaders } from "../request-target.ts";
import { drained } from "../upstream-failure.ts";
import { anticipate, namesSame } from "./anticipation.ts";
import { NO_BODY } from "./audited-call.ts";
import type { CallContext } from "./call-context.ts";
import type { CallState } from "./call-state.ts";
import { type Looked, look } from "./filtered-prompt.ts";
import { admitKey, masterAccount, type Understood, understand, unknownModel } from "./model-admission.ts";
import type { Asked, Json } from "./model-route.ts";
import { invalid, Refusal } from "./refusal.ts";
import { RefusedRequest, refusedBy } from "./refused-request.ts";

export function refuseAtTheDoor({ gateway, request }: CallState): void {
  const again = { "retry-after": "1" };
  if (gateway.draining) throw new RefusedRequest(drained(), "rate_limited", "draining", again);
  if (tooManyHeaders(request.rawHeaders))
    throw new RefusedRequest(TOO_MANY_HEADERS, "client_error", "headers");
  if (gateway.full) throw new RefusedRequest(OVERLOADED, "rate_limited", "overloaded", again);
}

export function keyIn(state: CallState): string {
  const key = keyOf(state.request.headers);
  if (key === null) throw refusedBy(MISSING_KEY, "client_error", "missing_key");
  state.caller = { kind: "stranger", token: key === "" ? null : hashKey(key) };
  if (key === "") throw refusedBy(INVALID_KEY, "client_error", "unknown_key");
  return key;
}

/** A request that is wrong is told so only to somebody whose key is right. */
export async function orStranger<Result>(
  state: CallState,
  key: string,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (problem) {
    await identify(state, key);
    throw problem;
  }
}

async function identify(state: CallState, key: string): Promise<void> {
  const { gateway } = state;
  if (sameSecret(key, gateway.config.LITELLM_MASTER_KEY)) {
    state.caller = { kind: "master" };
    return;
  }
  const known = await gateway.admin.keys.find(hashKey(key)).catch((error: unknown) => {
    gateway.log.warn({ err: error }, "A key could not be looked up");
    throw refusedBy(DATABASE_UNAVAILABLE, "blocked", "database_unavailable");
  });
  if (known === null) throw refusedBy(INVALID_KEY, "client_error", "unknown_key");
  state.caller = { kind: "key", known };
}

const MAX_MODEL_NAME = 256;

export async function read(state: CallState, continues: boolean): Promise<{ json: Json; asked: Asked }> {
  const { request, response, body, audited, gateway } = state;
  const refused = (error: ApiError) =>
    new RefusedRequest(error, error === OVERLOADED ? "rate_limited" : "client_error", "body");
  const tooLarge = body.refusal(request);
  if (tooLarge) throw refused(tooLarge);
  if (continues) response.writeContinue();
  const problem = await new Promise<ApiError | null>((done) => body.read(request, done));
  if (problem) throw refused(problem);
  const { json, error } = classifyBody(request, body.bytes);
  if (error) throw refused(error);
  if (json === null) throw invalid(null, "The body must be a JSON object.");
  state.json = json;
  const { model } = json;
  if (typeof model !== "string" || model === "") throw invalid("model", "'model' must name a model.");
  if (model.length > MAX_MODEL_NAME) throw invalid("model", "'model' is longer than any model's name.");
  const betas = request.headers["anthropic-beta"];
  const asked: Asked = {
    id: audited.id,
    created: Math.floor(audited.receivedAt / 1000),
    model,
    betas: Array.isArray(betas) ? betas.join(",") : betas,
    dropParams: gateway.config.DROP_PARAMS,
    keptBytes: gateway.config.AUDIT_MAX_BODY_BYTES,
  };
  return { json, asked };
}

export async function admit(state: CallState, key: string, json: Json, asked: Asked): Promise<Understood> {
  const { gateway, route, left } = state;
  const readFor = (model: Model) => {
    const understood = understand(gateway, route, json, model, asked);
    state.prepared = understood.prepared;
    return understood;
  };
  if (sameSecret(key, gateway.config.LITELLM_MASTER_KEY)) {
    state.caller = { kind: "master" };
    const model = gateway.config.models.find(asked.model);
    if (model === null) throw unknownModel(asked.model);
    const understood = readFor(model);
    state.account = masterAccount(route);
    return understood;
  }
  const token = hashKey(key);
  const known = (call: CallContext) => {
    state.caller = { kind: "key", known: call };
  };
  try {
    const deciding = admitKey(gateway, route, asked, token, readFor, known);
    anticipate(state, token, json);
    const { account, understood } = await deciding;
    if (left.signal.aborted) gateway.release(account.reservation);
    left.signal.throwIfAborted();
    state.account = account;
    return understood;
  } catch (problem) {
    if (problem instanceof Refusal && state.caller.kind === "stranger") await identify(state, key);
    throw problem;
  }
}

/** @returns the body for the model, which is the caller's own object unless something was masked */
export async function filter(state: CallState, json: Json): Promise<Json> {
  const { gateway, body, account, ahead } = state;
  const failed = (error: ApiError) => {
    state.kept = NO_BODY;
    return new RefusedRequest(error, "blocked", "filter_unavailable");
  };
  let looked: Looked;
  try {
    const policy = gateway.guard.policyFor(account?.call ?? null);
    state.policy = policy;
    looked = ahead?.looked.policy === policy ? ahead.looked : await look(gateway, body, json, policy);
  } catch (error) {
    gateway.log.error(
      { err: error },
      "The filter could not be applied; is a key's or team's metadata.pii no policy?",
    );
    throw failed(FILTER_UNAVAILABLE);
  }
  const { checked, kept } = looked;
  if (checked.outcome === "failed") {
    gateway.log.error({ cause: checked.cause }, "The filter failed on a request");
    throw failed(checked.error);
  }
  state.findings = checked.findings;
  state.kept = kept;
  if (checked.outcome === "blocked") throw new RefusedRequest(checked.error, "blocked", "pii");
  return checked.body as Json;
}

/** Writes the intent, where it is not written yet. @returns whether the call may go on */
export function begin(state: CallState): Promise<boolean> {
  const { audited, ahead, account, policy } = state;
  if (!ahead?.begun) return audited.begin(state.facts());
  const holds = ahead.looked.policy === policy && namesSame(ahead.call, account?.call ?? null);
  audited.settleIntent(holds ? null : state.facts());
  return ahead.begun;
}
