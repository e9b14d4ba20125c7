/** From a request's key and body to its account: which model, how much it may use, and whether it may. */
import type { Model } from "@central-llm/core/model";
import { DATABASE_UNAVAILABLE, refusalAnswer } from "@central-llm/core/rate-limit";
import type { Admission } from "./admission.ts";
import { routeAllowed } from "./allowed-routes.ts";
import { CallAccount } from "./call-account.ts";
import type { CallContext } from "./call-context.ts";
import type { Gateway } from "./gateway.ts";
import { MASTER_RESERVATION } from "./gateway-caller.ts";
import type { Asked, Json, ModelRoute, Prepared } from "./model-route.ts";
import { Refusal } from "./refusal.ts";
import { limitOutcome, RefusedRequest, refusedBy } from "./refused-request.ts";
import { type Estimate, NOTHING } from "./reservation-estimate.ts";

/** A request that is well-formed, for one model. */
export interface Understood {
  model: Model;
  prepared: Prepared;
  /** Of this model and of all that may answer in its place. */
  estimate: Estimate;
}

/** @throws Refusal when the first model cannot take the request */
export function understand(
  gateway: Gateway,
  route: ModelRoute,
  body: Json,
  model: Model,
  asked: Asked,
): Understood {
  const prepared = route.prepare(body, model, asked);
  const [, ...fallbacks] = gateway.config.models.chain(model);
  let { tokens, cost } = prepared.estimate;
  for (const fallback of fallbacks) {
    const other = estimateOf(() => route.prepare(body, fallback, asked));
    tokens = Math.max(tokens, other.tokens);
    cost = Math.max(cost, other.cost);
  }
  return { model, prepared, estimate: { tokens, cost } };
}

function estimateOf(prepare: () => Prepared): Estimate {
  try {
    return prepare().estimate;
  } catch (error) {
    // It is not asked then either.
    if (error instanceof Refusal) return NOTHING;
    throw error;
  }
}

export const unknownModel = (name: string) =>
  new RefusedRequest(
    {
      status: 404,
      type: "invalid_request_error",
      code: "model_not_found",
      param: "model",
      message: `The model '${name.slice(0, 128)}' does not exist here. GET /v1/models lists those that this key may call.`,
    },
    "client_error",
    "unknown_model",
  );

/** The model of a request of the holder of the master key, who is admitted to everything. */
export function masterAccount(route: ModelRoute): CallAccount {
  return new CallAccount(route, { reservation: MASTER_RESERVATION, call: null, limits: [] });
}

export interface Admitted {
  account: CallAccount;
  understood: Understood;
}

/**
 * @param read makes the request ready for a model @param known hears whose key it is, also when the request is refused
 * @throws RefusedRequest, Refusal; nothing is held then
 */
export async function admitKey(
  gateway: Gateway,
  route: ModelRoute,
  asked: Asked,
  token: string,
  read: (model: Model) => Understood,
  known: (call: CallContext) => void,
): Promise<Admitted> {
  const { models } = gateway.config;
  const meant = models.find(gateway.aliases.recall(token, asked.model) ?? asked.model);
  let understood = meant && read(meant);
  let account = await ask(gateway, route, asked, token, understood, known);
  try {
    const alias = account.call?.modelAlias ?? null;
    gateway.aliases.remember(token, asked.model, alias);
    const model = models.find(alias ?? asked.model);
    if (model === null) throw unknownModel(alias ?? asked.model);
    if (model !== understood?.model) {
      const held = understood?.estimate ?? NOTHING;
      understood = read(model);
      if (understood.estimate.cost > held.cost || understood.estimate.tokens > held.tokens) {
        await gateway.ledger.release(account.reservation);
        account = await ask(gateway, route, asked, token, understood, known);
      }
    }
    if (!routeAllowed(account.call?.allowedRoutes ?? null, route.path)) throw routeDenied(route.path);
    return { account, understood };
  } catch (problem) {
    gateway.release(account.reservation);
    throw problem;
  }
}

async function ask(
  gateway: Gateway,
  route: ModelRoute,
  asked: Asked,
  token: string,
  understood: Understood | null,
  known: (call: CallContext) => void,
): Promise<CallAccount> {
  const { tokens, cost } = understood?.estimate ?? NOTHING;
  const name = understood?.model.name ?? null;
  const end = gateway.counts.admission.startTimer();
  const request = { token, model: asked.model, alias: name === asked.model ? null : name, tokens, cost };
  let admission = await gateway.ledger.admit(request);
  end();
  if (admission.outcome === "refused" && admission.call !== null) {
    const { refusal, call } = admission;
    if (await gateway.pending.awaited(refusal, call)) admission = await gateway.ledger.admit(request);
  }
  gateway.lately.note(token, admission.outcome === "admitted" ? admission.call : null);
  return accountOf(route, asked.model, admission, known);
}

function accountOf(
  route: ModelRoute,
  model: string,
  admission: Admission,
  known: (call: CallContext) => void,
): CallAccount {
  if (admission.outcome === "database_unavailable")
    throw refusedBy(DATABASE_UNAVAILABLE, "blocked", "database_unavailable");
  if (admission.call) known(admission.call);
  if (admission.outcome === "admitted") return new CallAccount(route, admission);
  const { refusal } = admission;
  throw refusedBy(
    refusalAnswer(refusal, model.slice(0, 128), Date.now()),
    limitOutcome(refusal),
    refusal.reason,
  );
}

const routeDenied = (path: string) =>
  new RefusedRequest(
    {
      status: 403,
      type: "auth_error",
      code: "403",
      message: `This key is not allowed to call ${path}.`,
    },
    "blocked",
    "route_denied",
  );
