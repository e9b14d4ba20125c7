/** Profile gateway as a server: doors to models, the administration, and the operators' paths. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { errorBody, INTERNAL } from "@central-llm/core/api-error";
import { answer, listen, type RunningProxy, stopListening } from "../http-listener.ts";
import { AdminExchange } from "./admin-exchange.ts";
import { adminRoute } from "./admin-routes.ts";
import { Gateway } from "./gateway.ts";
import { parseGatewayConfig } from "./gateway-config.ts";
import { modelRoute } from "./model-doors.ts";
import { ModelExchange } from "./model-exchange.ts";
import { refuseStray } from "./stray-request.ts";

/** Starts a gateway. @param environment as in gateway-config.ts */
export async function startGateway(environment: Record<string, unknown>): Promise<RunningProxy> {
  const config = parseGatewayConfig(environment);
  // Its modules are loaded only where they are needed.
  if (config.GATEWAY_ENGINE === "litellm")
    return (await import("../litellm/litellm-server.ts")).startLitellmGateway(config);
  const gateway = await Gateway.start(config);
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
  gateway: Gateway,
  request: IncomingMessage,
  response: ServerResponse,
  continues: boolean,
): void {
  const path = (request.url ?? "").split("?", 1)[0] ?? "";
  const door = request.method === "POST" ? modelRoute(path) : null;
  if (door) return new ModelExchange(gateway, door, request, response).run(continues);
  operators(gateway, path, request, response).then(
    (handled) => {
      if (handled) return void request.resume();
      if (gateway.admin.handles(path))
        return new AdminExchange(gateway, adminRoute(path).name, request, response).run(continues);
      refuseStray(gateway, "gateway", path, request, response);
    },
    (error: unknown) => {
      gateway.log.error({ err: error }, "An operator's request failed");
      answer(response, 500, "application/json", errorBody(INTERNAL));
    },
  );
}

const OPEN = new Set(["/health/liveliness", "/health/liveness", "/health/readiness"]);

/** @returns whether the path was one of theirs */
async function operators(
  gateway: Gateway,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  if (request.method !== "GET" && request.method !== "HEAD") return false;
  const json = (status: number, body: object) =>
    answer(response, status, "application/json", JSON.stringify(body));
  if (path === "/health") {
    // A load balancer must send no more while we drain.
    json(gateway.draining ? 503 : 200, { status: gateway.draining ? "draining" : "healthy" });
    return true;
  }
  if (OPEN.has(path)) {
    await gateway.admin.handle(request, response);
    return true;
  }
  // What came through the load balancer comes from outside, and outsiders have no business with these.
  if (request.headers["x-forwarded-for"] !== undefined) return false;
  if (path === "/ready") {
    const database = await gateway.databaseAnswers();
    const spool = gateway.capture.healthy;
    const { draining } = gateway;
    json(database && spool && !draining ? 200 : 503, { database, spool, draining });
    return true;
  }
  if (path !== "/metrics") return false;
  const { registry } = gateway.metrics;
  answer(response, 200, registry.contentType, await registry.metrics());
  return true;
}
