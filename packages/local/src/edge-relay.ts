/** Carries a request from the API Gateway stand-in to the proxy and its answer back, both as streams. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { HOP_BY_HOP } from "@central-llm/core/hop-by-hop";
import { API_KEY_ID_HEADER } from "@central-llm/core/platform";
import { type Dispatcher, errors } from "undici";
import { answer } from "./gateway-response.ts";

/** Ours to set or to keep: a client's word on its key id is worth nothing, its key is none of the proxy's business. */
const NOT_FORWARDED = new Set(["host", "expect", "x-api-key", API_KEY_ID_HEADER]);

type Headers = Record<string, string | string[] | undefined>;

/** Name and value in turn. */
function endToEnd(headers: Headers, dropped: ReadonlySet<string>): string[] {
  const connection = [headers.connection ?? []].flat().join(",").toLowerCase();
  const named = new Set(connection.split(",").map((name) => name.trim()));
  const kept: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || HOP_BY_HOP.has(name) || named.has(name) || dropped.has(name)) continue;
    for (const one of [value].flat()) kept.push(name, one);
  }
  return kept;
}

export function headersToProxy(request: IncomingMessage, keyId: string): string[] {
  const { "x-forwarded-for": before, ...rest } = request.headers;
  const client = request.socket.remoteAddress ?? "unknown";
  return [
    ...endToEnd(rest, NOT_FORWARDED),
    API_KEY_ID_HEADER,
    keyId,
    "x-forwarded-for",
    before ? `${[before].flat().join(", ")}, ${client}` : client,
    "x-forwarded-proto",
    "http",
  ];
}

const NO_HEADERS: ReadonlySet<string> = new Set();

class Relay implements Dispatcher.DispatchHandler {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #controller: Dispatcher.DispatchController | undefined;
  #gone = false;
  #ended = false;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request;
    this.#response = response;
    response.on("drain", () => this.#controller?.resume());
    response.on("close", () => {
      this.#gone = true;
      if (!this.#ended) this.#controller?.abort(new Error("the client has gone"));
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#gone) controller.abort(new Error("the client has gone"));
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    if (status < 200) return;
    if (this.#response.headersSent) {
      // Refused in the meantime: the body grew too large.
      controller.abort(new Error("the request was refused"));
      return;
    }
    this.#response.writeHead(status, endToEnd(headers, NO_HEADERS));
    // A stream's head must not wait for its first byte.
    this.#response.flushHeaders();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#response.write(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    this.#ended = true;
    this.#response.end();
    // The answer may come before all of the request was read.
    this.#request.resume();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#ended = true;
    if (this.#gone) return;
    // Too late for a status: only a broken connection says that the answer is not whole.
    if (this.#response.headersSent) {
      this.#response.destroy();
      return;
    }
    this.#request.resume();
    if (error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError) {
      answer(this.#response, "INTEGRATION_TIMEOUT");
    } else if (error instanceof errors.HTTPParserError) answer(this.#response, "DEFAULT_5XX");
    else answer(this.#response, "INTEGRATION_FAILURE");
  }
}

/** @param path with its query, as the proxy knows it */
export function relay(
  upstream: Dispatcher,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  keyId: string,
): void {
  const hasBody =
    request.headers["content-length"] !== undefined || request.headers["transfer-encoding"] !== undefined;
  upstream.dispatch(
    {
      path,
      method: request.method as Dispatcher.HttpMethod,
      headers: headersToProxy(request, keyId),
      body: hasBody ? request : null,
    },
    new Relay(request, response),
  );
}
