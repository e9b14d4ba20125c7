/** The HTTP server: `/v1/*` is the model's, `/health`, `/ready` and `/metrics` are the operators'. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { errorBody, INTERNAL } from "@central-llm/core/api-error";
import { API_KEY_ID_HEADER } from "@central-llm/core/platform";
import { newRequestId } from "@central-llm/core/request-id";
import { type Config, parseConfig } from "./config.ts";
import { Exchange } from "./exchange.ts";
import { answerSocket, NO_TUNNELS, refuseMalformed } from "./malformed-request.ts";
import { ModelProxy } from "./model-proxy.ts";
import { originForm } from "./request-target.ts";

export interface RunningProxy {
  port: number;
  /** The writer's name in the chain. */
  writer: string;
  /** Stops accepting, lets open requests end, uploads the spool. */
  close(): Promise<void>;
}

/** Starts a proxy. @param environment as in config.ts */
export async function startProxy(environment: Record<string, unknown>): Promise<RunningProxy> {
  const config = parseConfig(environment);
  const proxy = await ModelProxy.start(config);
  const server = listener(config, proxy);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port: config.PORT, host: config.HOST, backlog: 1024 }, resolve);
  });
  const { port } = server.address() as AddressInfo;
  proxy.log.info({ port, writer: proxy.capture.writer, upstream: config.UPSTREAM_URL }, "listening");
  return {
    port,
    writer: proxy.capture.writer,
    async close() {
      proxy.draining = true;
      const closed = new Promise((done) => server.close(done));
      server.closeIdleConnections();
      await proxy.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function listener(config: Config, proxy: ModelProxy): Server {
  const server = createServer({
    maxHeaderSize: config.MAX_HEADER_BYTES,
    headersTimeout: config.HEAD_TIMEOUT_MS,
    requestTimeout: config.REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: Math.min(5_000, config.HEAD_TIMEOUT_MS, config.REQUEST_TIMEOUT_MS),
    // Longer than the load balancers' idle time-outs (ALB 60 s): they, not we, end idle connections.
    keepAliveTimeout: 75_000,
    noDelay: true,
  });
  // node:http would drop what is beyond a count; we refuse it (request-target.ts).
  server.maxHeadersCount = 0;
  server.on("request", (request, response) => takeInTurn(proxy, request, response, false));
  server.on("checkContinue", (request, response) => takeInTurn(proxy, request, response, true));
  server.on("clientError", (error, socket) => refuseMalformed(proxy, error, socket));
  server.on("connect", (_request, socket) => answerSocket(socket, NO_TUNNELS));
  return server;
}

/** Requests that wait behind an unanswered one on the same connection, at most. */
const MOST_PIPELINED = 16;
const waiting = new WeakMap<Socket, number>();

/**
 * Requests that a client sends ahead of the answers (RFC 9112 §9.3.2) are taken one after the other: node:http would hand all
 * of them over at once, and tells only the first one when the client is gone.
 */
function takeInTurn(
  proxy: ModelProxy,
  request: IncomingMessage,
  response: ServerResponse,
  continues: boolean,
): void {
  if (response.socket !== null) return route(proxy, request, response, continues);
  const { socket } = request;
  const ahead = (waiting.get(socket) ?? 0) + 1;
  if (ahead > MOST_PIPELINED) return void socket.destroy();
  waiting.set(socket, ahead);
  response.once("socket", () => {
    waiting.set(socket, (waiting.get(socket) ?? 1) - 1);
    // node:http is still in the middle of giving the connection to this answer.
    setImmediate(() => {
      if (!socket.destroyed) route(proxy, request, response, continues);
    });
  });
}

function route(
  proxy: ModelProxy,
  request: IncomingMessage,
  response: ServerResponse,
  continues: boolean,
): void {
  request.url = originForm(request.url ?? "");
  if (request.url.startsWith("/v1/")) return new Exchange(proxy, request, response).run(continues);
  request.resume();
  operators(proxy, request, response).catch((error: unknown) => {
    proxy.log.error({ err: error }, "An operator's request failed");
    answer(response, 500, "application/json", errorBody(INTERNAL));
  });
}

async function operators(
  proxy: ModelProxy,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? "").split("?", 1)[0];
  // API Gateway passes every path on. What came through it comes from a client, and clients have no business with these.
  const outsider = request.headers[API_KEY_ID_HEADER] !== undefined;
  if ((request.method === "GET" || request.method === "HEAD") && !outsider) {
    if (path === "/health") {
      // A load balancer must send no more while we drain.
      return answer(
        response,
        proxy.draining ? 503 : 200,
        "application/json",
        JSON.stringify({ status: proxy.draining ? "draining" : "ok" }),
      );
    }
    if (path === "/ready") return ready(proxy, response);
    if (path === "/metrics") {
      return answer(
        response,
        200,
        proxy.metrics.registry.contentType,
        await proxy.metrics.registry.metrics(),
      );
    }
  }
  const message = `Unknown request URL: ${request.method} ${path}. The model's paths begin with /v1/.`;
  const error = { status: 404, type: "invalid_request_error", code: "unknown_url", message };
  answer(response, 404, "application/json", errorBody(error));
}

/** Ready: the upstream takes connections and the spool takes records. */
async function ready(proxy: ModelProxy, response: ServerResponse): Promise<void> {
  const upstream = await proxy.pool
    .request({
      path: proxy.upstreamPath("/v1/models"),
      method: "GET",
      headersTimeout: 2_000,
      bodyTimeout: 2_000,
    })
    .then(async ({ body }) => {
      await body.dump();
      return true;
    })
    .catch(() => false);
  const spool = proxy.capture.healthy;
  const status = upstream && spool && !proxy.draining ? 200 : 503;
  answer(response, status, "application/json", JSON.stringify({ upstream, spool, draining: proxy.draining }));
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "x-request-id": newRequestId().id,
  });
  response.end(body);
}
