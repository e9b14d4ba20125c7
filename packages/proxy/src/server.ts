/** The HTTP server: `/v1/*` is the model's, `/health`, `/ready` and `/metrics` are the operators'. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { errorBody, INTERNAL } from "@central-llm/core/api-error";
import { API_KEY_ID_HEADER } from "@central-llm/core/platform";
import { parseConfig } from "./config.ts";
import { Exchange } from "./exchange.ts";
import { answer, listen, type RunningProxy, stopListening } from "./http-listener.ts";
import { ModelProxy } from "./model-proxy.ts";

/** Starts a proxy. @param environment as in config.ts */
export async function startProxy(environment: Record<string, unknown>): Promise<RunningProxy> {
  const config = parseConfig(environment);
  const proxy = await ModelProxy.start(config);
  const { server, port } = await listen(config, proxy, (request, response, continues) =>
    route(proxy, request, response, continues),
  );
  proxy.log.info({ port, writer: proxy.capture.writer, upstream: config.UPSTREAM_URL }, "listening");
  return {
    port,
    writer: proxy.capture.writer,
    close() {
      proxy.draining = true;
      return stopListening(server, () => proxy.close());
    },
  };
}

function route(
  proxy: ModelProxy,
  request: IncomingMessage,
  response: ServerResponse,
  continues: boolean,
): void {
  if (request.url?.startsWith("/v1/")) return new Exchange(proxy, request, response).run(continues);
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
