/**
 * One request and its answer: the pipeline in front of the model. Steps in order: identify, read, classify, write ahead,
 * forward, relay, record. It is itself the undici handler of its upstream call: one object a request, nothing else.
 */
import { createHash, type Hash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type ApiError, errorBody } from "@central-llm/core/api-error";
import type { Outcome } from "@central-llm/core/audit-record";
import { newRequestId } from "@central-llm/core/request-id";
import type { Dispatcher } from "undici";
import { type Caller, identify } from "./caller.ts";
import type { Open } from "./capture.ts";
import { auditedRequest, auditedResponse, forwardedToClient, forwardedToUpstream } from "./header-policy.ts";
import { routeOf } from "./metrics.ts";
import type { ModelProxy } from "./model-proxy.ts";
import { classifyBody, OVERLOADED, readBody } from "./request-body.ts";
import type { BodyKind, RequestPart } from "./spool-record.ts";
import { askForUsage, UsageFilter } from "./stream-usage.ts";
import { auditUnavailable, clientGone, drained, upstreamFailure } from "./upstream-failure.ts";

type Controller = Dispatcher.DispatchController;
const EMPTY = Buffer.alloc(0);

export class Exchange implements Dispatcher.DispatchHandler {
  readonly #proxy: ModelProxy;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #path: string;
  readonly #id: string;
  readonly #receivedAt: number;
  readonly #startedAt = performance.now();
  readonly #clientRequestId: string | null;
  readonly #name: string;
  #caller!: Caller;
  #body: Buffer = EMPTY;
  #held = 0;
  #bodyKind: BodyKind = "none";
  #json: Record<string, unknown> | null = null;
  #open: Open | null = null;
  #controller: Controller | null = null;
  #filter: UsageFilter | null = null;
  /** The upstream's status and headers, until they are sent. */
  #head: { status: number; headers: string[]; length: number } | null = null;
  #upstreamHeaders: Record<string, string | string[] | undefined> = {};
  #status = 0;
  #stream = false;
  #firstByteAt = 0;
  #captured: Buffer[] = [];
  #capturedBytes = 0;
  #sentBytes = 0;
  #chunks = 0;
  #hash: Hash | null = null;
  #stall: NodeJS.Timeout | null = null;
  #done = false;

  constructor(proxy: ModelProxy, request: IncomingMessage, response: ServerResponse) {
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
  }

  /** @param continues the client waits for `100 Continue` before it sends its body */
  run(continues: boolean): void {
    const { proxy, response, request } = {
      proxy: this.#proxy,
      response: this.#response,
      request: this.#request,
    };
    proxy.admit(this);
    response.on("close", () => this.#closed());
    const { caller, error } = identify(request.headers);
    this.#caller = caller;
    if (proxy.draining) return this.refuse(drained(), "rate_limited");
    if (error) return this.refuse(error, "client_error");
    if (proxy.full) return this.refuse(OVERLOADED, "rate_limited");
    if (continues) response.writeContinue();
    readBody(request, proxy.config.MAX_BODY_BYTES, proxy.budget, (body, problem, held) => {
      this.#body = body;
      this.#held = held;
      if (this.#done) return this.#release();
      if (problem) return this.refuse(problem, problem === OVERLOADED ? "rate_limited" : "client_error");
      this.#classify();
    });
  }

  #classify(): void {
    const { kind, json, error } = classifyBody(this.#request, this.#body);
    this.#bodyKind = kind;
    this.#json = json;
    if (error) return this.refuse(error, "client_error");
    this.#stream = json?.stream === true;
    this.#open = this.#proxy.capture.begin(this.#requestPart(), this.#auditedBody());
    this.#proxy.capture.whenProtected(
      this.#open,
      () => this.#forward(),
      () => this.refuse(auditUnavailable(), "blocked"),
    );
  }

  #forward(): void {
    if (this.#done) return;
    const proxy = this.#proxy;
    const { config, pool } = proxy;
    const original = this.#body;
    const asking =
      config.STREAM_USAGE === "ask" && this.#json ? askForUsage(this.#path, original, this.#json) : null;
    if (asking) this.#filter = new UsageFilter();
    const body = asking ?? original;
    const headers = forwardedToUpstream(this.#request.headers, this.#name, {
      apiKey: config.UPSTREAM_API_KEY,
      plain: asking !== null,
    });
    if (body.length > 0) headers.push("content-length", String(body.length));
    const method = this.#request.method as Dispatcher.HttpMethod;
    pool.dispatch(
      {
        path: proxy.upstreamPath(this.#request.url ?? this.#path),
        method,
        headers,
        body: body.length > 0 ? body : null,
      },
      this,
    );
    this.#json = null;
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    if (this.#done) controller.abort(new Error("The client has gone"));
  }

  onResponseStart(
    _controller: Controller,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (this.#done || status < 200) return;
    this.#status = status;
    this.#upstreamHeaders = headers;
    const type = headers["content-type"];
    this.#stream = typeof type === "string" && type.startsWith("text/event-stream");
    if (!this.#stream || headers["content-encoding"] !== undefined) this.#filter = null;
    const length =
      this.#filter || typeof headers["content-length"] !== "string" ? -1 : Number(headers["content-length"]);
    const forwarded = forwardedToClient(headers, this.#name);
    if (this.#filter) dropHeader(forwarded, "content-length");
    this.#head = { status, headers: forwarded, length };
    // Head and body that arrived together leave together; a head that comes alone does not wait for its body.
    setImmediate(() => this.#sendHead());
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#done) return;
    this.#chunks++;
    if (this.#firstByteAt === 0) this.#firstByteAt = performance.now();
    const out = this.#filter ? this.#filter.push(chunk) : chunk;
    this.#keep(chunk, out);
    if (out.length === 0) return;
    this.#sentBytes += out.length;
    const head = this.#head;
    if (head && head.length === out.length) {
      // The whole answer is here: one write for the head and the body.
      this.#head = null;
      this.#response.writeHead(head.status, head.headers);
      this.#response.end(out);
      return;
    }
    this.#sendHead();
    if (!this.#response.write(out)) this.#pause(controller);
  }

  onResponseEnd(): void {
    if (this.#done) return;
    const rest = this.#filter?.flush() ?? EMPTY;
    this.#sentBytes += rest.length;
    this.#hash?.update(rest);
    this.#sendHead();
    if (!this.#response.writableEnded) this.#response.end(rest.length > 0 ? rest : undefined);
    const outcome =
      this.#status >= 500 ? "upstream_error" : this.#status === 429 ? "rate_limited" : "client_error";
    this.#record(this.#status < 400 ? "completed" : outcome, null, true);
  }

  onResponseError(_controller: Controller, problem: Error): void {
    if (this.#done) return;
    const { error, kind } = upstreamFailure(problem);
    this.#proxy.metrics.upstreamErrors.inc({ kind });
    this.#proxy.log.warn({ requestId: this.#name, kind, err: problem }, "The upstream failed");
    if (!this.#response.headersSent && this.#head === null) return this.refuse(error, "upstream_error");
    // Too late for a status: a broken connection is the only honest sign that the answer is not whole.
    this.#record("upstream_error", { type: error.type, message: error.message }, false);
    this.#response.destroy();
  }

  /** Answers with an error of our own, and records it. */
  refuse(error: ApiError, outcome: Outcome): void {
    if (this.#done) return;
    const body = Buffer.from(errorBody(error));
    const headers = [
      "content-type",
      "application/json",
      "content-length",
      String(body.length),
      "x-request-id",
      this.#name,
    ];
    if (error.status === 503) headers.push("retry-after", "1");
    const unread = !this.#request.complete;
    if (unread || this.#proxy.draining) headers.push("connection", "close");
    this.#status = error.status;
    this.#stream = false;
    this.#sentBytes = body.length;
    this.#captured = [body];
    this.#capturedBytes = body.length;
    this.#upstreamHeaders = { "content-type": "application/json" };
    this.#record(outcome, { type: error.type, message: error.message }, true);
    if (this.#response.destroyed) return;
    this.#response.writeHead(error.status, headers);
    this.#response.end(body);
    // What the client still sends is read and dropped for a while, so that it sees the answer and not a reset.
    if (unread) this.#proxy.discard(this.#request);
  }

  /** Ends it because the process must stop. */
  interrupt(): void {
    this.#controller?.abort(new Error("The proxy stops"));
    if (!this.#response.headersSent) return this.refuse(drained(), "interrupted");
    this.#record("interrupted", { type: "interrupted", message: "The proxy had to stop." }, false);
    this.#response.destroy();
  }

  #closed(): void {
    if (this.#stall) clearTimeout(this.#stall);
    if (this.#done) return;
    if (!this.#response.headersSent) this.#status = 499;
    this.#record("client_aborted", clientGone(), false);
    this.#controller?.abort(new Error("The client has gone"));
  }

  #sendHead(): void {
    const head = this.#head;
    if (!head || this.#done) return;
    this.#head = null;
    this.#response.writeHead(head.status, head.headers);
    this.#response.flushHeaders();
  }

  /** The client reads slower than the upstream writes: the upstream waits, and a client that stops reading is dropped. */
  #pause(controller: Controller): void {
    controller.pause();
    this.#stall = setTimeout(() => this.#response.destroy(), this.#proxy.config.IDLE_TIMEOUT_MS);
    this.#response.once("drain", () => {
      if (this.#stall) clearTimeout(this.#stall);
      controller.resume();
    });
  }

  /** Keeps the upstream's answer for the audit, up to the limit; beyond it, only size and hash of what is sent go on. */
  #keep(chunk: Buffer, sent: Buffer): void {
    const limit = this.#proxy.config.AUDIT_MAX_BODY_BYTES;
    if (this.#hash === null) {
      if (this.#capturedBytes + chunk.length <= limit) {
        this.#captured.push(chunk);
        this.#capturedBytes += chunk.length;
        return;
      }
      this.#hash = createHash("sha256");
      // The same filter over the same bytes has sent the same so far.
      const replay = this.#filter ? new UsageFilter() : null;
      for (const part of this.#captured) this.#hash.update(replay ? replay.push(part) : part);
      if (limit > this.#capturedBytes) this.#captured.push(chunk.subarray(0, limit - this.#capturedBytes));
      this.#capturedBytes = limit;
    }
    this.#hash.update(sent);
  }

  #auditedBody(): Buffer | null {
    if (this.#body.length === 0) return null;
    const limit = this.#proxy.config.AUDIT_MAX_BODY_BYTES;
    return this.#body.length > limit ? this.#body.subarray(0, limit) : this.#body;
  }

  #requestPart(): RequestPart {
    const { config } = this.#proxy;
    const { headers, method, socket } = this.#request;
    const caller = this.#caller;
    const model = this.#json?.model;
    const user = headers["user-agent"];
    const part: RequestPart = {
      id: this.#id,
      name: this.#name,
      clientRequestId: this.#clientRequestId,
      profile: config.PROFILE,
      projectId: caller.projectId,
      userId: caller.userId,
      requestType: caller.requestType,
      identity: {
        method: caller.keyId === null ? "none" : "api-key",
        keyId: caller.keyId,
        keyAlias: null,
        teamId: null,
        assertedUser: caller.userId,
        matches: null,
      },
      receivedAt: this.#receivedAt,
      http: {
        method: method ?? "",
        path: this.#path.slice(0, 1024),
        clientIp: clientAddress(headers["x-forwarded-for"], socket.remoteAddress),
        userAgent: user === undefined ? null : user.slice(0, 512),
        stream: this.#stream,
      },
      model: {
        requested: typeof model === "string" ? model.slice(0, 256) : null,
        provider: config.UPSTREAM_PROVIDER,
      },
      policy: { hash: null, pii: [] },
      requestHeaders: auditedRequest(headers),
      requestBytes: this.#body.length,
      requestKind: this.#bodyKind,
    };
    if (this.#body.length > config.AUDIT_MAX_BODY_BYTES) {
      part.requestSha256 = createHash("sha256").update(this.#body).digest("hex");
    }
    return part;
  }

  #record(outcome: Outcome, error: { type: string; message: string } | null, complete: boolean): void {
    this.#done = true;
    const { capture, metrics } = this.#proxy;
    const latency = performance.now() - this.#startedAt;
    const first = this.#stream && this.#firstByteAt > 0 ? this.#firstByteAt - this.#startedAt : null;
    const part = {
      completedAt: this.#receivedAt + latency,
      latencyMs: rounded(latency),
      timeToFirstTokenMs: first === null ? null : rounded(first),
      statusCode: this.#status,
      outcome,
      error,
      responseHeaders: auditedResponse(this.#upstreamHeaders),
      responseBytes: this.#sentBytes,
      ...(this.#hash ? { responseSha256: this.#hash.digest("hex") } : {}),
      responseChunks: this.#stream ? this.#chunks : 0,
      responseComplete: complete,
      ...(this.#filter ? { usageHidden: true as const } : {}),
    };
    if (this.#open) capture.end(this.#open, part, this.#captured);
    else capture.refused(this.#requestPart(), this.#auditedBody(), part, this.#captured);
    const route = routeOf(this.#path);
    metrics.requests.inc({ route, status: this.#status, outcome });
    metrics.latency.observe({ route }, latency / 1000);
    if (first !== null) metrics.timeToFirstToken.observe({ route }, first / 1000);
    this.#release();
    this.#proxy.leave(this);
  }

  #release(): void {
    this.#proxy.budget.give(this.#held);
    this.#held = 0;
    this.#body = EMPTY;
    this.#captured = [];
  }
}

const rounded = (milliseconds: number) => Math.round(milliseconds * 10) / 10;

function dropHeader(flat: string[], name: string): void {
  const at = flat.indexOf(name);
  if (at >= 0) flat.splice(at, 2);
}

/** The first address of X-Forwarded-For, which the load balancer in front of us writes; else the peer's. */
function clientAddress(forwarded: string | string[] | undefined, peer: string | undefined): string | null {
  const list = Array.isArray(forwarded) ? forwarded[0] : forwarded;
  const first = list?.split(",", 1)[0]?.trim();
  return first ? first.slice(0, 64) : (peer ?? null);
}
