/** The HTTP server of either profile: what node:http must be told, requests in their turn, and the way to start and stop it. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { newRequestId } from "@central-llm/core/request-id";
import type { CommonConfig } from "./config.ts";
import { answerSocket, type Door, NO_TUNNELS, refuseMalformed } from "./malformed-request.ts";
import { originForm } from "./request-target.ts";

/** @param continues the client waits for `100 Continue` before it sends its body */
export type Route = (request: IncomingMessage, response: ServerResponse, continues: boolean) => void;

type Settings = Pick<CommonConfig, "MAX_HEADER_BYTES" | "HEAD_TIMEOUT_MS" | "REQUEST_TIMEOUT_MS" | "HOST"> & {
  PORT: number;
};

export interface RunningProxy {
  port: number;
  /** The writer's name in the chain. */
  writer: string;
  /** Stops accepting, lets open requests end, uploads the spool. */
  close(): Promise<void>;
}

/** @returns the server and the port that it has */
export async function listen(
  config: Settings,
  door: Door,
  route: Route,
): Promise<{ server: Server; port: number }> {
  const server = listener(config, door, route);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port: config.PORT, host: config.HOST, backlog: 1024 }, resolve);
  });
  return { server, port: (server.address() as AddressInfo).port };
}

/** @param drain lets open requests end */
export async function stopListening(server: Server, drain: () => Promise<void>): Promise<void> {
  const closed = new Promise((done) => server.close(done));
  server.closeIdleConnections();
  await drain();
  server.closeAllConnections();
  await closed;
}

function listener(config: Settings, door: Door, route: Route): Server {
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
  server.on("request", (request, response) => takeInTurn(route, request, response, false));
  server.on("checkContinue", (request, response) => takeInTurn(route, request, response, true));
  server.on("clientError", (error, socket) => refuseMalformed(door, error, socket));
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
  route: Route,
  request: IncomingMessage,
  response: ServerResponse,
  continues: boolean,
): void {
  request.url = originForm(request.url ?? "");
  if (response.socket !== null) return route(request, response, continues);
  const { socket } = request;
  const ahead = (waiting.get(socket) ?? 0) + 1;
  if (ahead > MOST_PIPELINED) return void socket.destroy();
  waiting.set(socket, ahead);
  response.once("socket", () => {
    waiting.set(socket, (waiting.get(socket) ?? 1) - 1);
    // node:http is still in the middle of giving the connection to this answer.
    setImmediate(() => {
      if (!socket.destroyed) route(request, response, continues);
    });
  });
}

/** @param id the request's, where it has one already */
export function answer(
  response: ServerResponse,
  status: number,
  type: string,
  body: string,
  id = newRequestId().id,
): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "x-request-id": id,
  });
  response.end(body);
}
