/** Profile gateway in front of LiteLLM as a server: ways through to LiteLLM, and the operators' own paths. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { keyOf } from "@central-llm/core/virtual-key";
import type { GatewayConfig } from "../gateway/gateway-config.ts";
import { refuseStray } from "../gateway/stray-request.ts";
import { answer, listen, type RunningProxy, stopListening } from "../http-listener.ts";
import { doorOf } from "./door.ts";
import { LitellmExchange } from "./litellm-exchange.ts";
import { LitellmGateway } from "./litellm-gateway.ts";

export async function startLitellmGateway(config: GatewayConfig): Promise<RunningProxy> {
  const gateway = await LitellmGateway.start(config);
  const { server, port } = await listen(config, gateway, (request, response, continues) =>
    route(gateway, request, response, continues),
  );
  gateway.log.info({ port, writer: gateway.capture.writer, engine: config.GATEWAY_ENGINE }, "listening");
  return {
    port,
    writer: gateway.capture.writer,
    close() {
      gateway.draining = true;
      return stopListening(server, () => gateway.close());
    },
  };
}

function route(
  gateway: LitellmGateway,
  request: IncomingMessage,
  response: ServerResponse,
  continues: boolean,
) {
  const method = request.method ?? "";
  const path = (request.url ?? "").split("?", 1)[0] ?? "";
  if (operators(gateway, method, path, request, response)) return void request.resume();
  const door = doorOf(method, path);
  if (door) return new LitellmExchange(gateway, door, request, response).run(continues);
  refuseStray(gateway, "litellm", path, request, response);
}

/** @returns whether it was one of theirs */
function operators(
  gateway: LitellmGateway,
  method: string,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  if (method !== "GET" && method !== "HEAD") return false;
  const json = (status: number, body: object) =>
    answer(response, status, "application/json", JSON.stringify(body));
  // LiteLLM's own /health wants a key and calls every model: who shows one gets that, a load balancer gets ours.
  if (path === "/health" && keyOf(request.headers) === null) {
    json(gateway.draining ? 503 : 200, { status: gateway.draining ? "draining" : "healthy" });
    return true;
  }
  // What came through the load balancer comes from outside, and outsiders have no business with these.
  if (request.headers["x-forwarded-for"] !== undefined) return false;
  if (path === "/ready") {
    gateway.litellmAnswers().then((litellm) => {
      const spool = gateway.capture.healthy;
      const { draining } = gateway;
      json(litellm && spool && !draining ? 200 : 503, { litellm, spool, draining });
    });
    return true;
  }
  if (path !== "/metrics") return false;
  const { registry } = gateway.metrics;
  registry.metrics().then(
    (text) => answer(response, 200, registry.contentType, text),
    (error: unknown) => {
      gateway.log.error({ err: error }, "The metrics could not be read");
      answer(response, 500, "text/plain", "");
    },
  );
  return true;
}
