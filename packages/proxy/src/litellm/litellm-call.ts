/** What is known of one request on its way through LiteLLM. The steps add to it; whenever it ends, the record is made of it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { ADMIN_PROJECT, ADMIN_TYPE } from "@central-llm/core/model-traffic";
import { type Finding, sumFindings } from "@central-llm/core/pii-entity";
import { present, UNKNOWN } from "@central-llm/core/placeholder";
import { AnswerWriter } from "../gateway/answer-writer.ts";
import { AuditedCall, type KeptBody, NO_BODY, type RequestFacts } from "../gateway/audited-call.ts";
import { assertedUser, attribute, type Caller, MASTER_ALIAS, NOBODY } from "../gateway/gateway-caller.ts";
import type { PolicyInForce } from "../gateway/pii-guard.ts";
import { RequestBody } from "../request-body.ts";
import type { CheckedStream } from "./checked-stream.ts";
import type { Door } from "./door.ts";
import { KeptAnswer } from "./kept-answer.ts";
import type { LitellmGateway } from "./litellm-gateway.ts";
import { type Json, Said } from "./said.ts";

export class LitellmCall {
  readonly gateway: LitellmGateway;
  readonly door: Door;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly audited: AuditedCall;
  readonly body: RequestBody;
  readonly writer: AnswerWriter;
  readonly answer: KeptAnswer;
  /** Fires when the client is gone, or the request is over for another reason; ends the call at LiteLLM. */
  readonly left = new AbortController();
  /** "" for one that cannot be a key, null for none. */
  key: string | null = null;
  caller: Caller = NOBODY;
  json: Json | null = null;
  policy: PolicyInForce | null = null;
  /** The request as the audit keeps it. */
  kept: KeptBody = NO_BODY;
  findings: readonly Finding[] = [];
  answerFindings: readonly Finding[] = [];
  /** Of the answer's head, as LiteLLM or we gave it. */
  status = 0;
  headers: Record<string, string> = {};
  /** LiteLLM's headers about the call, also of an answer that the filter keeps back. */
  told: { cost?: string; group?: string; modelId?: string } = {};
  stream: CheckedStream | null = null;
  readonly #said = new Said();

  constructor(gateway: LitellmGateway, door: Door, request: IncomingMessage, response: ServerResponse) {
    const { config, budget, capture } = gateway;
    this.gateway = gateway;
    this.door = door;
    this.request = request;
    this.response = response;
    this.audited = new AuditedCall(capture, request);
    this.body = new RequestBody(config.MAX_BODY_BYTES, budget);
    this.writer = new AnswerWriter(response, config.IDLE_TIMEOUT_MS);
    this.answer = new KeptAnswer(config.AUDIT_MAX_BODY_BYTES, gateway.guard, budget);
  }

  /** Path and query as the client wrote them. */
  get url(): string {
    return this.request.url ?? "";
  }

  /** As the client named it. */
  get model(): string | null {
    const model = this.json?.model;
    return typeof model === "string" ? model : null;
  }

  get said(): Said {
    return this.stream?.said ?? this.#said;
  }

  get auditPolicy() {
    return { hash: this.policy?.hash ?? null, pii: sumFindings([...this.findings, ...this.answerFindings]) };
  }

  facts(): RequestFacts {
    const { door, request, json } = this;
    const attribution = attribute(this.caller, assertedUser(request.headers, json), request.headers);
    return {
      path: door.path,
      requestType: door.requestType,
      attribution: door.requestType === ADMIN_TYPE ? this.#administrator(attribution) : attribution,
      stream: json?.stream === true,
      model: this.model,
      provider: "litellm",
      policy: this.auditPolicy,
      body: this.kept,
      bodyBytes: this.body.length,
    };
  }

  /** Who acts: whom the holder of the master key says he acts for, or the key's owner. */
  #administrator(attribution: RequestFacts["attribution"]): RequestFacts["attribution"] {
    const by = this.request.headers["litellm-changed-by"];
    const isMaster = this.caller.kind === "master";
    const named = isMaster && typeof by === "string" ? present(by.slice(0, 256)) : null;
    const { userId } = attribution;
    return {
      ...attribution,
      projectId: ADMIN_PROJECT,
      userId: named ?? (isMaster && userId === UNKNOWN ? MASTER_ALIAS : userId),
    };
  }

  /** Who shows no valid key leaves no text behind, whatever was written ahead. */
  forget(): void {
    this.kept = this.body.length === 0 ? { bytes: null, kind: "none" } : NO_BODY;
    this.audited.restate(this.facts());
  }
}
