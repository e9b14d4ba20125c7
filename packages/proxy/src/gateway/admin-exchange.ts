/**
 * One call of the gateway's administration, audited: each change as a record of its own, written ahead of the change's commit; any
 * other call (a look, a refusal) as one record. No record holds an answer, since an answer may hold a key.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { ApiError } from "@central-llm/core/api-error";
import type { Outcome } from "@central-llm/core/audit-record";
import { ADMIN_PROJECT, ADMIN_TYPE } from "@central-llm/core/model-traffic";
import { present, UNKNOWN } from "@central-llm/core/placeholder";
import { clientGone } from "../upstream-failure.ts";
import { type Actor, type AdminAction, AdminError } from "./admin-request.ts";
import { AuditedCall, type KeptBody, keptJson, type RequestFacts } from "./audited-call.ts";
import type { Gateway, GatewayExchange } from "./gateway.ts";
import { attribute, type Caller, MASTER_ALIAS, NOBODY } from "./gateway-caller.ts";
import type { KnownKey } from "./key-directory.ts";

const NONE: KeptBody = { bytes: null, kind: "none" };

export class AdminExchange implements GatewayExchange {
  slot = -1;
  readonly #gateway: Gateway;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  /** Without a key in it. */
  readonly #route: string;
  readonly #first: AuditedCall;
  readonly #actions: { audited: AuditedCall; facts: RequestFacts }[] = [];
  #actor: Actor | null = null;
  #caller: Caller = NOBODY;
  #done = false;

  constructor(gateway: Gateway, route: string, request: IncomingMessage, response: ServerResponse) {
    this.#gateway = gateway;
    this.#route = route;
    this.#request = request;
    this.#response = response;
    this.#first = new AuditedCall(gateway.capture, request);
  }

  get socket(): Duplex {
    return this.#request.socket;
  }

  run(continues: boolean): void {
    const { admin } = this.#gateway;
    const response = this.#response;
    this.#gateway.enter(this);
    response.setHeader("x-request-id", this.#first.name);
    response.on("close", () => this.#record(response.writableFinished ? null : clientGone()));
    if (continues) response.writeContinue();
    admin
      .handle(this.#request, response, {
        onCaller: (actor, key) => this.#called(actor, key),
        onDenied: ({ reason, keyId }) => {
          if (reason !== "missing" && this.#actor === null) this.#caller = { kind: "stranger", token: keyId };
          this.#gateway.counts.denied.inc({ reason });
        },
        onAdminAction: (action) => this.#intend(action),
      })
      .then(() => this.#record(response.writableEnded ? null : clientGone()));
  }

  malformed(_error: ApiError): void {
    this.#response.destroy();
  }

  interrupt(): void {
    this.#response.destroy();
  }

  #called(actor: Actor, known: KnownKey | null): void {
    this.#actor = actor;
    this.#caller = known === null ? { kind: "master" } : { kind: "key", known };
  }

  async #intend(action: AdminAction): Promise<void> {
    const { capture, config } = this.#gateway;
    const isFirst = this.#actions.length === 0;
    const audited = isFirst ? this.#first : new AuditedCall(capture, this.#request);
    const body = keptJson(action, config.AUDIT_MAX_BODY_BYTES, null);
    const facts = this.#facts(body, body.bytes?.length ?? 0);
    this.#actions.push({ audited, facts });
    if (await audited.begin(facts)) return;
    throw new AdminError(503, "audit_unavailable", "This change cannot be audited now, so it is not made.");
  }

  #facts(body: KeptBody, bodyBytes: number): RequestFacts {
    const attribution = attribute(this.#caller, null, this.#request.headers);
    const by = present(this.#actor?.changedBy) ?? attribution.userId;
    const isMaster = this.#caller.kind === "master";
    return {
      path: this.#route,
      requestType: ADMIN_TYPE,
      attribution: {
        ...attribution,
        projectId: ADMIN_PROJECT,
        userId: isMaster && by === UNKNOWN ? MASTER_ALIAS : by,
      },
      stream: false,
      model: null,
      provider: "gateway",
      policy: { hash: null, pii: [] },
      body,
      bodyBytes,
    };
  }

  #record(gone: { type: string; message: string } | null): void {
    if (this.#done) return;
    this.#done = true;
    const status = this.#response.headersSent ? this.#response.statusCode : 499;
    const outcome: Outcome = gone ? "client_aborted" : outcomeOf(status);
    const { metrics, log } = this.#gateway;
    const calls = this.#actions.length > 0 ? this.#actions : [{ audited: this.#first, facts: null }];
    for (const { audited, facts } of calls) {
      try {
        audited.end(
          {
            status,
            outcome,
            error:
              gone ?? (status < 400 ? null : { type: `http_${status}`, message: "The call was refused." }),
            headers: {},
            body: NONE,
            bodyBytes: 0,
            chunks: 0,
            complete: gone === null,
            firstByteAt: null,
            call: { served: null, usage: NO_USAGE, cost: null },
            policy: { hash: null, pii: [] },
          },
          () => facts ?? this.#facts(NONE, 0),
        );
      } catch (problem) {
        metrics.lost.inc();
        log.error({ requestId: audited.name, err: problem }, "An admin call could not be recorded");
      }
    }
    metrics.ended("admin", status, outcome, this.#first.elapsed, null);
    this.#gateway.leave(this);
  }
}

const NO_USAGE = { promptTokens: 0, completionTokens: 0, totalTokens: 0, source: "none" } as const;

function outcomeOf(status: number): Outcome {
  if (status < 400) return "completed";
  if (status === 403) return "blocked";
  return status < 500 ? "client_error" : status === 503 ? "blocked" : "interrupted";
}
