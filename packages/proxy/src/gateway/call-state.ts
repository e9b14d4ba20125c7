/** What is known of one call of a model so far. The pipeline's steps add to it; whenever it ends, the record is made of it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Model } from "@central-llm/core/model";
import { type Finding, sumFindings } from "@central-llm/core/pii-entity";
import { filterAnswer } from "@central-llm/core/pii-filter";
import { RequestBody } from "../request-body.ts";
import { AnswerWriter } from "./answer-writer.ts";
import type { Ahead } from "./anticipation.ts";
import { AuditedCall, type KeptBody, keptJson, NO_BODY, type RequestFacts } from "./audited-call.ts";
import type { CallAccount } from "./call-account.ts";
import type { CallContext } from "./call-context.ts";
import type { ToldUpstream } from "./compatible-client.ts";
import type { Looked } from "./filtered-prompt.ts";
import type { Gateway } from "./gateway.ts";
import { assertedUser, attribute, type Caller, NOBODY } from "./gateway-caller.ts";
import type { Json, ModelRoute, Prepared } from "./model-route.ts";
import type { PolicyInForce } from "./pii-guard.ts";
import type { StreamAnswer } from "./stream-answer.ts";

/** Of what no model was shown the audit keeps less: floods of it must not fill the spool. */
const KEPT_OF_REFUSED = 64 * 1024;

export class CallState {
  readonly gateway: Gateway;
  readonly route: ModelRoute;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly audited: AuditedCall;
  readonly body: RequestBody;
  readonly writer: AnswerWriter;
  /** Fires when the client is gone, or the request is over for another reason. */
  readonly left = new AbortController();
  caller: Caller = NOBODY;
  json: Json | null = null;
  policy: PolicyInForce | null = null;
  /** The request as the audit keeps it, once the filter has seen it. */
  kept: KeptBody | null = null;
  findings: readonly Finding[] = [];
  /** Of the model that the client's name most likely stands for. */
  prepared: Prepared | null = null;
  account: CallAccount | null = null;
  /** What was done while the database decided. */
  ahead: Ahead | null = null;
  /** Of the answer's head. */
  status = 0;
  headers: Record<string, string> = {};
  stream: StreamAnswer | null = null;
  /** An answer in one piece, as the audit keeps it. */
  answered: { text: string; findings: readonly Finding[] } | null = null;
  answerFindings: readonly Finding[] = [];
  /** Of an answer in one piece whose provider did not say what it used. */
  wholeCharacters = 0;

  constructor(gateway: Gateway, route: ModelRoute, request: IncomingMessage, response: ServerResponse) {
    const { config, budget, capture } = gateway;
    this.gateway = gateway;
    this.route = route;
    this.request = request;
    this.response = response;
    this.audited = new AuditedCall(capture, request);
    this.body = new RequestBody(config.MAX_BODY_BYTES, budget);
    this.writer = new AnswerWriter(response, config.IDLE_TIMEOUT_MS);
  }

  /** As the client named it. */
  get model(): string | null {
    const model = this.json?.model;
    return typeof model === "string" ? model : null;
  }

  /** The model that the client's name stands for, where no alias of its key's says otherwise. */
  get #meant(): Model | null {
    return this.account?.model ?? this.gateway.config.models.find(this.model ?? "");
  }

  get asserted(): string | null {
    return assertedUser(this.request.headers, this.json);
  }

  /** Of the answer so far, where they are counted. */
  get characters(): number {
    return this.stream?.characters ?? this.wholeCharacters;
  }

  get auditPolicy() {
    const pii = sumFindings([...this.findings, ...this.answerFindings]);
    return { hash: this.policy?.hash ?? null, pii };
  }

  /** With what every answer has. */
  answerHeaders(): Record<string, string> {
    const { name } = this.audited;
    // Anthropic's clients look for theirs.
    const own: Record<string, string> = this.route.wire === "anthropic" ? { "request-id": name } : {};
    return { ...this.headers, "x-request-id": name, ...own };
  }

  facts(): RequestFacts {
    return this.#facts(this.caller, this.auditPolicy, this.kept ?? this.#keptOfRefused());
  }

  /** As they will be if the caller is who it was last, and the filter says what it said. */
  factsAs(known: CallContext, { policy, checked, kept }: Looked): RequestFacts {
    const pii = checked.outcome === "failed" ? [] : sumFindings(checked.findings);
    return this.#facts({ kind: "key", known }, { hash: policy.hash, pii }, kept);
  }

  #facts(caller: Caller, policy: RequestFacts["policy"], body: KeptBody): RequestFacts {
    return {
      path: this.route.path,
      requestType: this.route.kind,
      attribution: attribute(caller, this.asserted, this.request.headers),
      stream: this.json?.stream === true,
      model: this.model,
      provider: this.#meant?.target.provider ?? "bedrock",
      policy,
      body,
      bodyBytes: this.body.length,
    };
  }

  /** What a model's server may be told of the request. */
  toldUpstream(): ToldUpstream {
    const { projectId, userId } = attribute(this.caller, this.asserted, this.request.headers);
    const trace = ["traceparent", "tracestate"].flatMap((name) => {
      const value = this.request.headers[name];
      return typeof value === "string" ? [[name, value] as const] : [];
    });
    return {
      requestId: this.audited.name,
      kind: this.route.kind,
      projectId,
      userId,
      trace: this.audited.trace,
      traceHeaders: Object.fromEntries(trace),
    };
  }

  /** Who shows no valid key leaves no text behind, and what is no JSON cannot be checked. */
  #keptOfRefused(): KeptBody {
    if (this.body.length === 0) return { bytes: null, kind: "none" };
    const known = this.caller.kind === "key" || this.caller.kind === "master";
    if (!known || this.json === null || this.body.length > KEPT_OF_REFUSED) return NO_BODY;
    // The guardrail finds what the local engine does not, and is not asked about what is refused.
    if (!this.gateway.guard.streams) return NO_BODY;
    const checked = this.gateway.guard.forAudit(this.json);
    return checked === null ? NO_BODY : keptJson(checked, KEPT_OF_REFUSED, null);
  }

  /** The answer as the audit keeps it. */
  keptAnswer(): KeptBody {
    const limit = this.gateway.config.AUDIT_MAX_BODY_BYTES;
    const sha256 = this.writer.sha256();
    if (this.answered) {
      const bytes = Buffer.from(this.answered.text);
      const truncated = bytes.length > limit;
      const told = this.answered.findings.length === 0 ? sha256 : null;
      const kept = truncated ? bytes.subarray(0, limit) : bytes;
      return { bytes: kept, kind: "json", held: { sha256: told, truncated } };
    }
    if (this.stream === null) return { bytes: null, kind: "none" };
    const whole = this.#wholeStream(this.stream);
    return whole === null
      ? NO_BODY
      : keptJson(whole, limit, this.stream.findings.length === 0 ? sha256 : null);
  }

  #wholeStream(stream: StreamAnswer): unknown {
    if (stream.checked !== null) return stream.checked;
    if (!this.gateway.guard.streams || this.policy === null) return null;
    const checked = filterAnswer(stream.whole(), this.policy.pii);
    return checked.outcome === "failed" ? null : checked.auditBody;
  }
}
