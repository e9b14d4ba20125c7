/**
 * The API Gateway stand-in in front of the central proxy: API key, usage plan, required headers, and its own word on
 * who calls. Checks in API Gateway's order, answers in its words.
 */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { REQUIRED_HEADERS } from "@central-llm/core/platform";
import { Pool } from "undici";
import { type ApiKey, findApiKey } from "./api-key.ts";
import { relay } from "./edge-relay.ts";
import { answer } from "./gateway-response.ts";
import type { PlanMeter } from "./plan-meter.ts";

/** The stage of the REST API, which AWS puts before every path. */
const STAGE = "/prod";
/** API Gateway's limits: a request's size, a streamed answer's length and silence. */
const MAX_BODY_BYTES = 10 * 1024 * 1024;
const INTEGRATION_TIMEOUT_MS = 900_000;
const IDLE_TIMEOUT_MS = 300_000;

export interface EdgeSettings {
  /** 0: any free one. */
  port: number;
  /** Origin of the central proxy. */
  upstreamUrl: string;
  keys: readonly ApiKey[];
  meter: PlanMeter;
  integrationTimeoutMs?: number;
}

export interface Edge {
  url: string;
  port: number;
  /** Cuts open connections. */
  stop(): Promise<void>;
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Path and query below the stage; null when no method of the API has it: `{proxy+}` is any path but the root. */
function resource(url: string): string | null {
  const path = url.startsWith(`${STAGE}/`) ? url.slice(STAGE.length) : url;
  return /^\/(\?|$)/.test(path) ? null : path;
}

function limitBody(request: IncomingMessage, response: ServerResponse): void {
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES || response.headersSent) return;
    response.once("finish", () => request.destroy());
    answer(response, "REQUEST_TOO_LARGE");
  });
  // `relay` reads it; a "data" listener alone must not start it before.
  request.pause();
}

/** @throws the listener's error, e.g. EADDRINUSE */
export async function startEdge(settings: EdgeSettings): Promise<Edge> {
  const upstream = new Pool(settings.upstreamUrl, {
    connections: 1024,
    pipelining: 1,
    connect: { timeout: 5_000 },
    headersTimeout: settings.integrationTimeoutMs ?? INTEGRATION_TIMEOUT_MS,
    bodyTimeout: IDLE_TIMEOUT_MS,
    // The proxy closes idle connections after 75 s.
    keepAliveTimeout: 60_000,
  });

  function handle(request: IncomingMessage, response: ServerResponse): void {
    response.setHeader("x-amzn-requestid", randomUUID());
    const url = request.url ?? "/";
    // API Gateway's own health path, reserved in every API.
    if (url === "/ping") {
      response.end("healthy");
      return;
    }
    const refuse = (...what: Parameters<typeof answer> extends [unknown, ...infer Rest] ? Rest : never) => {
      request.resume();
      answer(response, ...what);
    };
    const path = resource(url);
    if (path === null) return refuse("MISSING_AUTHENTICATION_TOKEN");
    const key = findApiKey(settings.keys, header(request, "x-api-key"));
    if (!key) return refuse("INVALID_API_KEY");
    const verdict = settings.meter.admit(key.id);
    if (verdict !== "admitted") return refuse(verdict === "throttled" ? "THROTTLED" : "QUOTA_EXCEEDED");
    const missing = REQUIRED_HEADERS.filter((name) => !header(request, name));
    if (missing.length > 0) return refuse("BAD_REQUEST_PARAMETERS", `[${missing.join(", ")}]`);
    if (Number(header(request, "content-length") ?? 0) > MAX_BODY_BYTES) return refuse("REQUEST_TOO_LARGE");
    limitBody(request, response);
    relay(upstream, request, response, path, key.id);
  }

  const server = createServer({ keepAliveTimeout: 75_000, noDelay: true }, handle);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(settings.port, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await upstream.destroy();
      settings.meter.save();
    },
  };
}
