/**
 * One call of a model through the gateway, from its first byte to its record. The steps are in model-pipeline.ts; there is one
 * way out of them, `#record`, which writes the audit's end and settles the account.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { type ApiError, errorBody } from "@central-llm/core/api-error";
import { linger } from "../linger.ts";
import { routeOf } from "../metrics.ts";
import { clientGone, drained } from "../upstream-failure.ts";
import { anthropicErrorBody } from "./anthropic-error.ts";
import { clientAddress, type KeptBody } from "./audited-call.ts";
import { answeredBy } from "./call-account.ts";
import { CallState } from "./call-state.ts";
import type { Gateway, GatewayExchange } from "./gateway.ts";
import type { Ended } from "./model-answer.ts";
import { serve } from "./model-pipeline.ts";
import type { ModelRoute } from "./model-route.ts";
import { RefusedRequest, refusalOf } from "./refused-request.ts";

export class ModelExchange implements GatewayExchange {
  slot = -1;
  readonly #gateway: Gateway;
  readonly #state: CallState;
  #done = false;

  constructor(gateway: Gateway, route: ModelRoute, request: IncomingMessage, response: ServerResponse) {
    this.#gateway = gateway;
    this.#state = new CallState(gateway, route, request, response);
  }

  get socket(): Duplex {
    return this.#state.request.socket;
  }

  /** @param continues the client waits for `100 Continue` before it sends its body */
  run(continues: boolean): void {
    this.#gateway.enter(this);
    this.#state.response.on("close", () => this.#closed());
    serve(this.#state, continues).then(
      (ended) => this.#record(ended, null),
      (problem: unknown) => this.#failed(problem),
    );
  }

  /** The connection no longer carries HTTP, or was too slow. */
  malformed(error: ApiError): void {
    const { request, response } = this.#state;
    // Behind a whole request, it says nothing about that request; but what follows on this connection cannot be told.
    if (request.complete || response.headersSent) response.destroy();
    else this.#failed(new RefusedRequest(error, "client_error", "malformed"));
  }

  interrupt(): void {
    this.#failed(new RefusedRequest(drained(), "interrupted", "draining"));
  }

  #closed(): void {
    // All of it is sent: node:http says so before the pipeline does.
    if (this.#done || this.#state.response.writableFinished) return;
    if (this.#state.status === 0) this.#state.status = 499;
    this.#record({ outcome: "client_aborted", error: clientGone(), complete: false }, null);
  }

  #failed(problem: unknown): void {
    if (this.#done) return;
    const refused = refusalOf(problem);
    const { log } = this.#gateway;
    if (refused.reason === "internal")
      log.error({ requestId: this.#state.audited.name, err: problem }, "The pipeline failed");
    const { type, message } = refused.error;
    if (this.#state.response.headersSent) {
      // Too late for a status: a broken connection is the only honest sign that the answer is not whole.
      this.#record({ outcome: refused.outcome, error: { type, message }, complete: false }, null);
      this.#state.response.destroy();
    } else {
      this.#refuse(refused);
    }
  }

  #refuse({ error, outcome, headers, reason }: RefusedRequest): void {
    const state = this.#state;
    const { request, response, route, audited } = state;
    const text = route.wire === "anthropic" ? anthropicErrorBody(error, audited.name) : errorBody(error);
    const body = Buffer.from(text);
    const unread = !request.complete;
    state.status = error.status;
    state.headers = {
      "content-type": "application/json",
      "content-length": String(body.length),
      ...(error.status === 503 ? { "retry-after": "1" } : {}),
      ...headers,
      ...(unread || this.#gateway.draining ? { connection: "close" } : {}),
    };
    this.#count(error.status, reason);
    const ended: Ended = {
      outcome,
      error: { type: error.type, message: error.message },
      complete: true,
    };
    this.#record(ended, body);
    if (response.destroyed) return;
    response.writeHead(error.status, state.answerHeaders());
    if (unread) linger(request, response, body);
    else response.end(body);
  }

  #count(status: number, reason: string): void {
    this.#gateway.counts.refused.inc({ reason });
    if (status === 401) this.#gateway.counts.denied.inc({ reason });
  }

  /** @param own an answer of ours, in place of a model's */
  #record(ended: Ended, own: Buffer | null): void {
    if (this.#done) return;
    this.#done = true;
    const state = this.#state;
    const { audited, writer, stream, account } = state;
    const { log, metrics } = this.#gateway;
    if (stream) {
      state.answerFindings = stream.findings;
      if (account) account.usage = stream.usage;
    }
    const { usage, cost } = account?.close(state.characters) ?? NOTHING_USED;
    const body: KeptBody = own ? { bytes: own, kind: "json" } : state.keptAnswer();
    try {
      audited.end(
        {
          status: state.status,
          ...ended,
          headers: state.headers,
          body,
          bodyBytes: own ? own.length : writer.sentBytes,
          chunks: stream ? writer.chunks : 0,
          firstByteAt: stream ? writer.firstByteAt : null,
          call: { ...answeredBy(account?.model ?? null), usage, cost },
          policy: state.auditPolicy,
        },
        () => state.facts(),
      );
    } catch (problem) {
      metrics.lost.inc();
      log.error({ requestId: audited.name, err: problem }, "A request could not be recorded");
    }
    this.#settle(ended, usage, cost);
    this.#finish(ended);
  }

  #settle(ended: Ended, usage: typeof NOTHING_USED.usage, cost: typeof NOTHING_USED.cost): void {
    const { account, audited, request, writer, stream } = this.#state;
    if (account === null) return;
    const first = stream ? writer.firstByteAt : null;
    const row = account.row(
      {
        requestId: audited.id,
        auditId: audited.name,
        model: this.#state.model ?? "",
        startedAt: audited.receivedAt,
        endedAt: audited.receivedAt + audited.elapsed,
        firstTokenAt: first === null ? null : audited.receivedAt + (first - audited.startedAt),
        endUser: this.#state.asserted,
        clientIp: clientAddress(request.headers["x-forwarded-for"], request.socket.remoteAddress),
        success: ended.outcome === "completed",
      },
      usage,
      cost,
    );
    if (row === null) return this.#gateway.release(account.reservation);
    if (cost !== null) this.#gateway.counts.spend.inc({ model: row.modelGroup }, cost.usd);
    this.#gateway.settle(account.reservation, row);
  }

  #finish({ outcome }: Ended): void {
    const { left, body, audited, writer, route, status, findings, answerFindings, stream } = this.#state;
    const { metrics, counts } = this.#gateway;
    const first = stream && writer.firstByteAt !== null ? writer.firstByteAt - audited.startedAt : null;
    metrics.ended(routeOf(route.path), status, outcome, audited.elapsed, first);
    for (const [side, found] of [
      ["request", findings],
      ["answer", answerFindings],
    ] as const)
      for (const { entity, action, count } of found) counts.findings.inc({ entity, action, side }, count);
    // Ends the call at the provider, where there still is one.
    left.abort(OVER);
    body.release();
    this.#gateway.leave(this);
  }
}

/** Made once: a reason of its own for each request would cost a stack trace each. */
const OVER = new Error("The request is over");

const NOTHING_USED: Pick<ReturnType<NonNullable<CallState["account"]>["close"]>, "usage" | "cost"> = {
  usage: { promptTokens: 0, completionTokens: 0, totalTokens: 0, source: "none" },
  cost: null,
};
