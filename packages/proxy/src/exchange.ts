/**
 * One request and its answer: the pipeline in front of the model. Steps in order: identify, read, classify, write ahead,
 * forward, relay (answer-relay.ts), record. Every entry from outside (an event, a callback) catches what goes wrong in it:
 * a fault of ours ends its own request with 500, and no other.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { type ApiError, errorBody, INTERNAL } from "@central-llm/core/api-error";
import type { Outcome } from "@central-llm/core/audit-record";
import { newRequestId } from "@central-llm/core/request-id";
import type { Dispatcher } from "undici";
import { AnswerRelay, type RelayOwner } from "./answer-relay.ts";
import { type Caller, identify, UNIDENTIFIED } from "./caller.ts";
import type { Open } from "./capture.ts";
import { CapturedAnswer } from "./captured-answer.ts";
import { auditedResponse, forwardedToUpstream } from "./header-policy.ts";
import { routeOf } from "./metrics.ts";
import type { ModelProxy } from "./model-proxy.ts";
import type { Openable } from "./open-list.ts";
import { classifyBody, OVERLOADED, RequestBody } from "./request-body.ts";
import { requestPart } from "./request-facts.ts";
import { BAD_PATH, climbs, TOO_MANY_HEADERS, tooManyHeaders } from "./request-target.ts";
import type { BodyKind } from "./spool-record.ts";
import { askForUsage, UsageFilter } from "./stream-usage.ts";
import { passOn, type Trace, traceOf } from "./trace-context.ts";
import { auditUnavailable, clientGone, drained, upstreamFailure } from "./upstream-failure.ts";

const KEPT_OF_REFUSED = 64 * 1024;
const JSON_TYPE = { "content-type": "application/json" };

export class Exchange implements RelayOwner, Openable {
  slot = -1;
  readonly #proxy: ModelProxy;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #path: string;
  readonly #id: string;
  readonly #receivedAt: number;
  readonly #startedAt = performance.now();
  readonly #clientRequestId: string | null;
  readonly #name: string;
  readonly #trace: Trace | null;
  readonly #body: RequestBody;
  readonly #captured: CapturedAnswer;
  #caller: Caller = UNIDENTIFIED;
  #bodyKind: BodyKind = "none";
  #json: Record<string, unknown> | null = null;
  #open: Open | null = null;
  #relay: AnswerRelay | null = null;
  /** Of an answer of our own, or 499; 0 while it is the upstream's that counts. */
  #status = 0;
  #done = false;

  constructor(proxy: ModelProxy, request: IncomingMessage, response: ServerResponse) {
    const { config, budget } = proxy;
    this.#proxy = proxy;
    this.#request = request;
    this.#response = response;
    const url = request.url ?? "";
    const query = url.indexOf("?");
    this.#path = query < 0 ? url : url.slice(0, query);
    const { id, receivedAt } = newRequestId();
    this.#id = id;
    this.#receivedAt = receivedAt;
    const given = request.headers["x-request-id"];
    this.#clientRequestId = typeof given === "string" && given !== "" ? given.slice(0, 256) : null;
    this.#name = proxy.capture.claimName(this.#clientRequestId, id);
    this.#trace = traceOf(request.headers.traceparent, config.telemetry);
    this.#body = new RequestBody(config.MAX_BODY_BYTES, budget);
    this.#captured = new CapturedAnswer(config.AUDIT_MAX_BODY_BYTES, budget);
  }

  get socket(): Duplex {
    return this.#request.socket;
  }

  /** @param continues the client waits for `100 Continue` before it sends its body */
  run(continues: boolean): void {
    try {
      this.#proxy.admit(this);
      this.#response.on("close", () => this.#closed());
      this.#begin(continues);
    } catch (problem) {
      this.fail(problem);
    }
  }

  #begin(continues: boolean): void {
    const proxy = this.#proxy;
    const request = this.#request;
    const { caller, error } = identify(request.headers, request.rawHeaders);
    this.#caller = caller;
    if (proxy.draining) return this.refuse(drained(), "rate_limited");
    if (tooManyHeaders(request.rawHeaders)) return this.refuse(TOO_MANY_HEADERS, "client_error");
    if (climbs(this.#path)) return this.refuse(BAD_PATH, "client_error");
    if (error) return this.refuse(error, "client_error");
    if (proxy.full) return this.refuse(OVERLOADED, "rate_limited");
    const refusal = this.#body.refusal(request);
    if (refusal) return this.refuse(refusal, "client_error");
    if (continues) this.#response.writeContinue();
    this.#body.read(request, (problem) => {
      if (problem) return this.refuse(problem, problem === OVERLOADED ? "rate_limited" : "client_error");
      try {
        this.#classify();
      } catch (fault) {
        this.fail(fault);
      }
    });
  }

  #classify(): void {
    if (this.#done) return;
    const { kind, json, error } = classifyBody(this.#request, this.#body.bytes);
    this.#bodyKind = kind;
    this.#json = json;
    if (error) return this.refuse(error, "client_error");
    const { capture } = this.#proxy;
    const kept = this.#keptBody();
    this.#open = capture.begin(this.#requestPart(kept.wholeSha256), kept.bytes);
    capture.whenProtected(
      this.#open,
      () => this.#forward(),
      () => this.refuse(auditUnavailable(), "blocked"),
    );
  }

  #forward(): void {
    if (this.#done) return;
    try {
      this.#dispatch();
    } catch (problem) {
      this.fail(problem);
    }
  }

  #dispatch(): void {
    const proxy = this.#proxy;
    const { config } = proxy;
    const original = this.#body.bytes;
    const asking =
      config.STREAM_USAGE === "ask" && this.#json ? askForUsage(this.#path, original, this.#json) : null;
    if (asking !== null) this.#captured.filter = new UsageFilter();
    this.#json = null;
    const body = asking ?? original;
    const headers = forwardedToUpstream(this.#request.headers, this.#name, {
      apiKey: config.UPSTREAM_API_KEY,
      plain: asking !== null,
    });
    if (this.#trace) passOn(this.#trace, headers);
    if (body.length > 0) headers.push("content-length", String(body.length));
    const relay = new AnswerRelay(this, this.#response, this.#captured, {
      requestId: this.#name,
      stallMs: config.IDLE_TIMEOUT_MS,
    });
    this.#relay = relay;
    proxy.pool.dispatch(
      {
        path: proxy.upstreamPath(this.#request.url ?? this.#path),
        method: this.#request.method as Dispatcher.HttpMethod,
        headers,
        body: body.length > 0 ? body : null,
      },
      relay,
    );
  }

  answered(): void {
    const status = this.#relay?.status ?? 0;
    if (status >= 500) this.#proxy.metrics.upstreamErrors.inc({ kind: "status" });
    const outcome = status >= 500 ? "upstream_error" : status === 429 ? "rate_limited" : "client_error";
    this.#record(status < 400 ? "completed" : outcome, null, true);
  }

  upstreamFailed(problem: Error): void {
    if (this.#done) return;
    const { error, kind } = upstreamFailure(problem);
    this.#proxy.metrics.upstreamErrors.inc({ kind });
    this.#proxy.log.warn({ requestId: this.#name, kind, err: problem }, "The upstream failed");
    this.#endWith(error, "upstream_error");
  }

  fail(problem: unknown): void {
    this.#proxy.log.error({ requestId: this.#name, err: problem }, "The pipeline failed");
    if (this.#done) return void this.#response.destroy();
    // Its nearest outcome: it was neither the client's nor the upstream's doing that no answer came.
    this.#endWith(INTERNAL, "interrupted");
  }

  /** The connection no longer carries HTTP, or was too slow. */
  malformed(error: ApiError): void {
    // Behind a whole request, it says nothing about that request; but what follows on this connection cannot be told.
    if (this.#request.complete || this.#response.headersSent) this.#response.destroy();
    else this.refuse(error, "client_error");
  }

  /** Ends it because the process must stop. */
  interrupt(): void {
    this.#endWith(drained(), "interrupted");
  }

  #endWith(error: ApiError, outcome: Outcome): void {
    if (!this.#response.headersSent) return this.refuse(error, outcome);
    // Too late for a status: a broken connection is the only honest sign that the answer is not whole.
    this.#record(outcome, { type: error.type, message: error.message }, false);
    this.#response.destroy();
  }

  /** Answers with an error of our own, and records it. */
  refuse(error: ApiError, outcome: Outcome): void {
    if (this.#done) return;
    const body = Buffer.from(errorBody(error));
    const headers = ["content-type", "application/json", "content-length", String(body.length)];
    headers.push("x-request-id", this.#name);
    if (error.status === 503) headers.push("retry-after", "1");
    const unread = !this.#request.complete;
    if (unread || this.#proxy.draining) headers.push("connection", "close");
    this.#status = error.status;
    this.#captured.replace(body);
    this.#record(outcome, { type: error.type, message: error.message }, true);
    if (this.#response.destroyed) return;
    this.#response.writeHead(error.status, headers);
    if (unread) this.#proxy.linger(this.#request, this.#response, body);
    else this.#response.end(body);
  }

  #closed(): void {
    if (this.#done) return;
    if (!this.#response.headersSent) this.#status = 499;
    this.#record("client_aborted", clientGone(), false);
  }

  /** What the audit keeps of the body; of what no model was shown, less: floods of it must not fill the spool. */
  #keptBody() {
    const limit = this.#proxy.config.AUDIT_MAX_BODY_BYTES;
    return this.#body.kept(this.#status === 0 ? limit : Math.min(limit, KEPT_OF_REFUSED));
  }

  #requestPart(bodySha256: string | undefined) {
    const model = this.#json?.model;
    return requestPart(this.#proxy.config, this.#request, {
      id: this.#id,
      name: this.#name,
      clientRequestId: this.#clientRequestId,
      receivedAt: this.#receivedAt,
      caller: this.#caller,
      path: this.#path,
      stream: this.#json?.stream === true,
      model: typeof model === "string" ? model : null,
      bodyBytes: this.#body.length,
      bodyKind: this.#bodyKind,
      trace: this.#trace,
      bodySha256,
    });
  }

  #record(outcome: Outcome, error: { type: string; message: string } | null, complete: boolean): void {
    if (this.#done) return;
    this.#done = true;
    const relay = this.#relay;
    const captured = this.#captured;
    const { capture, metrics, log } = this.#proxy;
    // An answer of our own has nothing of the upstream's.
    const own = this.#status !== 0;
    const status = own ? this.#status : (relay?.status ?? 0);
    const stream = !own && relay !== null && relay.stream;
    const latency = performance.now() - this.#startedAt;
    const first = stream && captured.firstByteAt > 0 ? captured.firstByteAt - this.#startedAt : null;
    const queued = relay !== null && relay.sentAt > 0 ? relay.sentAt - this.#startedAt : null;
    const wholeSha256 = captured.wholeSha256();
    try {
      const part = {
        completedAt: this.#receivedAt + Math.round(latency),
        latencyMs: rounded(latency),
        queueTimeMs: queued === null ? null : rounded(queued),
        timeToFirstTokenMs: first === null ? null : rounded(first),
        statusCode: status,
        outcome,
        error,
        responseHeaders: auditedResponse(own && status !== 499 ? JSON_TYPE : (relay?.headers ?? {})),
        responseBytes: captured.sentBytes,
        ...(wholeSha256 === undefined ? {} : { responseSha256: wholeSha256 }),
        responseChunks: stream ? captured.chunks : 0,
        responseComplete: complete,
        ...(captured.filter === null ? {} : { usageHidden: true as const }),
      };
      if (this.#open) {
        capture.end(this.#open, part, captured.kept);
      } else {
        const kept = this.#keptBody();
        capture.refused(this.#requestPart(kept.wholeSha256), kept.bytes, part, captured.kept);
      }
      metrics.ended(routeOf(this.#path), status, outcome, latency, first);
    } catch (problem) {
      metrics.lost.inc();
      log.error({ requestId: this.#name, err: problem }, "A request could not be recorded");
    }
    if (!complete || own) relay?.stop(outcome);
    this.#body.release();
    captured.release();
    this.#proxy.leave(this);
  }
}

const rounded = (milliseconds: number) => Math.round(milliseconds * 10) / 10;
