/**
 * One request through LiteLLM, from its first byte to its record. The steps are in litellm-pipeline.ts; there is one way out of
 * them, `#record`.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { type ApiError, errorBody } from "@central-llm/core/api-error";
import { anthropicErrorBody } from "../gateway/anthropic-error.ts";
import type { GatewayExchange } from "../gateway/gateway.ts";
import { RefusedRequest, refusalOf } from "../gateway/refused-request.ts";
import { linger } from "../linger.ts";
import { routeOf } from "../metrics.ts";
import { clientGone, drained } from "../upstream-failure.ts";
import type { Door } from "./door.ts";
import { denial, type Ended, endedBy, errorType } from "./ended.ts";
import { LitellmCall } from "./litellm-call.ts";
import type { LitellmGateway } from "./litellm-gateway.ts";
import { serve } from "./litellm-pipeline.ts";
import { writeEnd } from "./written-end.ts";

export class LitellmExchange implements GatewayExchange {
  slot = -1;
  readonly #gateway: LitellmGateway;
  readonly #call: LitellmCall;
  #done = false;

  constructor(gateway: LitellmGateway, door: Door, request: IncomingMessage, response: ServerResponse) {
    this.#gateway = gateway;
    this.#call = new LitellmCall(gateway, door, request, response);
  }

  get socket(): Duplex {
    return this.#call.request.socket;
  }

  /** @param continues the client waits for `100 Continue` before it sends its body */
  run(continues: boolean): void {
    this.#gateway.enter(this);
    this.#call.response.on("close", () => this.#closed());
    serve(this.#call, continues).then(
      (ended) => this.#record(ended, null),
      (problem: unknown) => this.#failed(problem),
    );
  }

  malformed(error: ApiError): void {
    const { request, response } = this.#call;
    // Behind a whole request, it says nothing about that request; but what follows on this connection cannot be told.
    if (request.complete || response.headersSent) response.destroy();
    else this.#failed(new RefusedRequest(error, "client_error", "malformed"));
  }

  interrupt(): void {
    this.#failed(new RefusedRequest(drained(), "interrupted", "draining"));
  }

  #closed(): void {
    // All of it is sent: node:http says so before the pipeline does.
    if (this.#done || this.#call.response.writableFinished) return;
    if (!this.#call.response.headersSent) this.#call.status = 499;
    this.#record({ outcome: "client_aborted", error: clientGone(), complete: false }, null);
  }

  #failed(problem: unknown): void {
    if (this.#done) return;
    const { response, audited } = this.#call;
    if (response.destroyed) return this.#closed();
    const refused = refusalOf(problem);
    if (refused.reason === "internal")
      this.#gateway.log.error({ requestId: audited.name, err: problem }, "The pipeline failed");
    if (!response.headersSent) return this.#refuse(refused);
    // Too late for a status: a broken connection is the only honest sign that the answer is not whole.
    const { type, message } = refused.error;
    this.#record({ outcome: refused.outcome, error: { type, message }, complete: false }, null);
    response.destroy();
  }

  #refuse({ error, outcome, headers, reason }: RefusedRequest): void {
    const call = this.#call;
    const { request, response, door, audited } = call;
    const text = door.wire === "anthropic" ? anthropicErrorBody(error, audited.name) : errorBody(error);
    const body = Buffer.from(text);
    const unread = !request.complete;
    call.status = error.status;
    call.headers = {
      "content-type": "application/json",
      "content-length": String(body.length),
      ...(error.status === 503 ? { "retry-after": "1" } : {}),
      ...headers,
      ...(unread || this.#gateway.draining ? { connection: "close" } : {}),
    };
    this.#gateway.counts.refused.inc({ reason });
    const { type, message } = error;
    this.#record({ outcome, error: { type, message }, complete: true }, body);
    if (response.destroyed) return;
    response.writeHead(error.status, { ...call.headers, "x-request-id": audited.name });
    if (unread) linger(request, response, body);
    else response.end(body);
  }

  /** @param own an answer of ours, in place of LiteLLM's */
  #record(passed: Ended, own: Buffer | null): void {
    if (this.#done) return;
    this.#done = true;
    const call = this.#call;
    const { door, audited, answer, stream } = call;
    const type = own ? null : errorType(answer.json);
    const ended = own === null && passed.outcome === "completed" ? endedBy(call.status, type) : passed;
    const denied = own ? null : denial(call.status, type, call.key);
    if (denied !== null) this.#gateway.counts.denied.inc({ reason: denied });
    if (stream) call.answerFindings = stream.findings;
    if (door.audited) {
      try {
        // Who shows no valid key leaves no text behind, whatever was written ahead.
        const isStranger = call.caller.kind === "stranger" || call.caller.kind === "none";
        if (denied !== null && isStranger) call.forget();
        writeEnd(call, ended, own);
      } catch (problem) {
        this.#gateway.metrics.lost.inc();
        this.#gateway.log.error({ requestId: audited.name, err: problem }, "A request could not be recorded");
      }
    }
    this.#finish(ended);
  }

  #finish({ outcome }: Ended): void {
    const { left, body, answer, audited, writer, door, status, findings, answerFindings, stream } =
      this.#call;
    const { metrics, counts } = this.#gateway;
    const first = stream && writer.firstByteAt !== null ? writer.firstByteAt - audited.startedAt : null;
    const route = door.kind === "admin" ? "admin" : routeOf(door.path);
    metrics.ended(route, status, outcome, audited.elapsed, first);
    for (const [side, found] of [
      ["request", findings],
      ["answer", answerFindings],
    ] as const)
      for (const { entity, action, count } of found) counts.findings.inc({ entity, action, side }, count);
    // Ends the call at LiteLLM, where there still is one.
    left.abort();
    body.release();
    answer.release();
    this.#gateway.leave(this);
  }
}
