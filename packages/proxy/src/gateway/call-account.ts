/** One request's account: what it holds, which model it calls, and what it comes to, for the ledger and the audit. */
import type { AuditRecord } from "@central-llm/core/audit-record";
import type { Model } from "@central-llm/core/model";
import type { LimitState } from "@central-llm/core/rate-limit";
import type { Reservation } from "./admission.ts";
import type { CallContext } from "./call-context.ts";
import type { ModelRoute, Prepared } from "./model-route.ts";
import { costOf } from "./reservation-estimate.ts";
import type { Usage as Booked } from "./settlement.ts";
import type { Usage } from "./translation.ts";

/** The rest of a spend row, which the request itself knows. */
export interface RowFacts {
  requestId: string;
  /** Of the audit object, where the client chose it. */
  auditId: string;
  model: string;
  startedAt: number;
  endedAt: number;
  firstTokenAt: number | null;
  endUser: string | null;
  clientIp: string | null;
  success: boolean;
}

/** Claude's, as in token-count.ts. */
const CHARACTERS_A_TOKEN = 3.5;
const NO_USAGE: AuditRecord["usage"] = {
  promptTokens: 0,
  completionTokens: 0,
  totalTokens: 0,
  source: "none",
};

export class CallAccount {
  readonly route: ModelRoute;
  readonly reservation: Reservation;
  /** null for the holder of the master key. */
  readonly call: CallContext | null;
  readonly limits: readonly LimitState[];
  /** The one that is asked now, or that answered. */
  model: Model | null = null;
  prepared: Prepared | null = null;
  /** Of the provider. */
  usage: Usage | null = null;
  /** Bedrock was asked and did not refuse: it will be paid, whether or not it says how much. */
  begun = false;
  /** How long the model took to begin its answer, all attempts. */
  upstreamMs = 0;

  constructor(
    route: ModelRoute,
    admitted: { reservation: Reservation; call: CallContext | null; limits: readonly LimitState[] },
  ) {
    this.route = route;
    this.reservation = admitted.reservation;
    this.call = admitted.call;
    this.limits = admitted.limits;
  }

  /** @param characters of the answer that came, where the provider has not said what it was */
  close(characters: number): { usage: AuditRecord["usage"]; cost: AuditRecord["cost"] } {
    const used = this.usage ?? this.#estimated(characters);
    if (used === null || this.model === null) return { usage: NO_USAGE, cost: null };
    const { promptTokens, completionTokens } = used;
    const source = this.usage === null ? "estimated" : "provider";
    return {
      usage: { promptTokens, completionTokens, totalTokens: promptTokens + completionTokens, source },
      cost: costOf(this.model, used),
    };
  }

  #estimated(characters: number): Usage | null {
    if (!this.begun || this.prepared === null || this.route.callType === null) return null;
    return {
      promptTokens: this.prepared.promptTokens,
      completionTokens: Math.ceil(characters / CHARACTERS_A_TOKEN),
      cachedPromptTokens: 0,
      cacheWritePromptTokens: 0,
    };
  }

  /** @returns the spend row; null when there is none to write: nothing was asked of a model, or it costs nothing to ask */
  row(facts: RowFacts, usage: AuditRecord["usage"], cost: AuditRecord["cost"]): Booked | null {
    const { callType } = this.route;
    if (this.model === null || callType === null) return null;
    const { target, name } = this.model;
    return {
      requestId: facts.requestId,
      callType,
      status: facts.success ? "success" : "failure",
      model: servedName(this.model),
      modelGroup: name,
      provider: target.provider,
      apiBase: apiBase(this.model),
      promptTokens: usage.promptTokens,
      completionTokens: usage.completionTokens,
      cost: cost?.usd ?? 0,
      startedAt: facts.startedAt,
      firstTokenAt: facts.firstTokenAt,
      endedAt: facts.endedAt,
      endUser: facts.endUser,
      clientIp: facts.clientIp,
      metadata: {
        audit_request_id: facts.auditId,
        requested_model: facts.model,
        user_api_key_alias: this.call?.keyAlias ?? null,
        user_api_key_team_alias: this.call?.teamAlias ?? null,
        usage_source: usage.source,
        price_table: cost?.priceTable ?? null,
      },
    };
  }
}

/** The name that the provider knows it by. */
export const servedName = ({ target, name }: Model) =>
  target.provider === "bedrock" ? target.modelId : (target.model ?? name);

/** Of the record: a fallback may be another provider's. @param model the last that was asked */
export const answeredBy = (model: Model | null) =>
  model === null ? { served: null } : { served: servedName(model), provider: model.target.provider };

export const apiBase = ({ target }: Model) =>
  target.provider === "bedrock" ? bedrockBase(target.region) : target.url;

export const bedrockBase = (region: string) => `https://bedrock-runtime.${region}.amazonaws.com`;
