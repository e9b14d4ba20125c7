/**
 * A function behind HTTP: API Gateway's HTTP API with payload format 2.0.
 * Source: "AWS Lambda proxy integrations for HTTP APIs" in the API Gateway developer guide.
 */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { LambdaFunction } from "./lambda-function.ts";

/** API Gateway's limit on a request. */
const MAX_BODY_BYTES = 10 * 1024 * 1024;
const TEXT = /^(text\/|application\/(json|xml|javascript|x-www-form-urlencoded|[\w.+-]+\+(json|xml)))/i;

export interface HttpFunction {
  url: string;
  port: number;
  stop(): Promise<void>;
}

async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** @param claims what a JWT authorizer found in the token, as text; null without one */
function requestEvent(
  request: IncomingMessage,
  body: Buffer,
  claims: Record<string, string> | null = null,
): object {
  const url = new URL(request.url ?? "/", "http://127.0.0.1");
  const method = request.method ?? "GET";
  const { cookie, ...headers } = request.headers;
  const textual = TEXT.test(request.headers["content-type"] ?? "");
  const joined: Record<string, string> = {};
  for (const [name, value] of url.searchParams) {
    joined[name] = name in joined ? `${joined[name]},${value}` : value;
  }
  const now = new Date();
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: url.pathname,
    rawQueryString: url.search.slice(1),
    ...(cookie && { cookies: cookie.split(/; */) }),
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(",") : value]),
    ),
    ...(url.search && { queryStringParameters: joined }),
    requestContext: {
      accountId: "000000000000",
      apiId: "local",
      domainName: request.headers.host ?? "",
      domainPrefix: "local",
      http: {
        method,
        path: url.pathname,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.socket.remoteAddress ?? "",
        userAgent: request.headers["user-agent"] ?? "",
      },
      requestId: randomUUID(),
      routeKey: "$default",
      stage: "$default",
      time: now.toUTCString(),
      timeEpoch: now.getTime(),
      ...(claims && { authorizer: { jwt: { claims, scopes: null } } }),
    },
    ...(body.length > 0 && { body: body.toString(textual ? "utf8" : "base64") }),
    isBase64Encoded: body.length > 0 && !textual,
  };
}

interface FunctionAnswer {
  statusCode: number;
  headers?: Record<string, string | number | boolean>;
  cookies?: string[];
  body?: string;
  isBase64Encoded?: boolean;
}

export function fail(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ message }));
}

function send(response: ServerResponse, payload: unknown): void {
  if (typeof payload === "object" && payload !== null && "statusCode" in payload) {
    const answer = payload as FunctionAnswer;
    for (const [name, value] of Object.entries(answer.headers ?? {})) {
      response.setHeader(name, String(value));
    }
    if (answer.cookies) response.setHeader("set-cookie", answer.cookies);
    if (!response.hasHeader("content-type")) response.setHeader("content-type", "text/plain;charset=UTF-8");
    response.writeHead(answer.statusCode);
    response.end(Buffer.from(answer.body ?? "", answer.isBase64Encoded ? "base64" : "utf8"));
    return;
  }
  // Without a status, the payload is the body.
  response.writeHead(200, { "content-type": "application/json" });
  response.end(typeof payload === "string" ? payload : JSON.stringify(payload));
}

async function answer(
  fn: LambdaFunction,
  request: IncomingMessage,
  response: ServerResponse,
  claims: Record<string, string> | null,
): Promise<void> {
  const body = await readBody(request);
  if (!body) return fail(response, 413, "Request Entity Too Large");
  const outcome = await fn.invoke(requestEvent(request, body, claims));
  if ("payload" in outcome) return send(response, outcome.payload);
  const late = outcome.error.errorType === "Sandbox.Timedout";
  fail(response, late ? 503 : 500, late ? "Service Unavailable" : "Internal Server Error");
}

/** Answers a request by the function, as API Gateway does. Never rejects. */
export async function handle(
  fn: LambdaFunction,
  request: IncomingMessage,
  response: ServerResponse,
  claims: Record<string, string> | null = null,
): Promise<void> {
  try {
    await answer(fn, request, response, claims);
  } catch (error) {
    // The client has gone.
    if (response.destroyed) return;
    // A handler's answer that is no HTTP answer: a bad header, a status of 42.
    console.error(`${fn.settings.name}:`, error);
    if (response.headersSent) response.destroy();
    else fail(response, 500, "Internal Server Error");
  }
}

/** @param port 0: any free one. Listens on 127.0.0.1. */
export async function startHttpFunction(fn: LambdaFunction, port: number): Promise<HttpFunction> {
  const server = createServer((request, response) => void handle(fn, request, response));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
