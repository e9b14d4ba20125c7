/**
 * A model server for one machine: OpenAI's wire shape as vLLM serves it, without a model. The same request always gets
 * the same bytes. How to make it slow, fail or break off: demo-behaviour.ts.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type Behaviour, behaviourOf, vllmError } from "./demo-behaviour.ts";
import * as Chat from "./demo-chat.ts";
import { embeddings, responseEvents, responseObject } from "./demo-responses.ts";

/** What `/v1/models` lists. Any model `demo…` is served too. */
export const MODELS = ["ministral-8b-instruct", "bge-m3"];

export interface DemoModel {
  url: string;
  port: number;
  /** Requests whose client left before its answer was whole. */
  abandoned(): number;
  stop(): Promise<void>;
}

class BadRequest extends Error {
  status: number;
  param: string | null;
  constructor(status: number, message: string, param: string | null = null) {
    super(message);
    this.status = status;
    this.param = param;
  }
}

/** Events of a stream, ready to be sent. */
type Reply = { json: Chat.Json } | { events: string[] };

const data = (chunk: Chat.Json) => `data: ${JSON.stringify(chunk)}\n\n`;
const untilDone = (chunks: Chat.Json[]) => ({ events: [...chunks.map(data), "data: [DONE]\n\n"] });

function reply(path: string, body: Chat.Json, words?: number): Reply {
  switch (path) {
    case "/v1/chat/completions": {
      if (!Array.isArray(body.messages) || body.messages.length === 0) {
        throw new BadRequest(400, "messages: a list of at least one message is required", "messages");
      }
      const answer = Chat.chatAnswer(body, words);
      return body.stream
        ? untilDone(Chat.chatChunks(body, answer))
        : { json: Chat.chatCompletion(body, answer) };
    }
    case "/v1/completions": {
      if (body.prompt === undefined) throw new BadRequest(400, "prompt: Field required", "prompt");
      const answer = Chat.completionAnswer(body, words);
      return body.stream
        ? untilDone(Chat.completionChunks(body, answer))
        : { json: Chat.completion(body, answer) };
    }
    case "/v1/embeddings":
      if (body.input === undefined) throw new BadRequest(400, "input: Field required", "input");
      return { json: embeddings(body) };
    case "/v1/responses": {
      const response = responseObject(body, words);
      if (!body.stream) return { json: response };
      return { events: responseEvents(response).map((event) => `event: ${event.type}\n${data(event)}`) };
    }
    default:
      throw new BadRequest(404, "Not Found");
  }
}

function parse(text: string): Chat.Json {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw new BadRequest(400, `JSON decode error: ${error instanceof Error ? error.message : error}`);
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new BadRequest(400, "Input should be a valid dictionary");
  }
  return body;
}

function send(response: ServerResponse, status: number, json: string): void {
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(json),
  });
  response.end(json);
}

/** Writes event after event as the client takes them. */
async function stream(response: ServerResponse, events: string[], behaviour: Behaviour): Promise<void> {
  response.writeHead(200, {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
  });
  if (behaviour.hang === "body") {
    response.flushHeaders();
    return;
  }
  for (const [i, event] of events.entries()) {
    if (response.destroyed) return;
    if (behaviour.cut !== null && i >= behaviour.cut) return breakOff(response);
    if (i > 0 && behaviour.chunkMs > 0) await delay(behaviour.chunkMs);
    if (!response.write(event)) {
      await new Promise<void>((resolve) => {
        response.once("drain", resolve);
        response.once("close", resolve);
      });
    }
  }
  response.end();
}

/** Answers that the demo model itself broke off, in contrast to those whose client left. */
const brokenOff = new WeakSet<ServerResponse>();

/** Breaks the connection once what was written is on its way. */
function breakOff(response: ServerResponse): void {
  brokenOff.add(response);
  response.write("", () => response.socket?.destroySoon());
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? "/").split("?")[0] ?? "/";
  if (path === "/health") return send(response, 200, "{}");
  if (path === "/v1/models") {
    const list = MODELS.map((id) => ({ id, object: "model", created: Chat.CREATED, owned_by: "vllm" }));
    return send(response, 200, JSON.stringify({ object: "list", data: list }));
  }
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = parse(Buffer.concat(chunks).toString());
  const model = String(body.model ?? "");
  const behaviour = behaviourOf(request.headers, model);
  if (behaviour.hang === "head") return;
  if (behaviour.delayMs > 0) await delay(behaviour.delayMs);
  if (response.destroyed) return;
  if (behaviour.status !== null) throw new BadRequest(behaviour.status, "This error was asked for.");
  if (!MODELS.includes(model) && !model.startsWith("demo")) {
    throw new BadRequest(404, `The model \`${model}\` does not exist.`, "model");
  }
  const made = reply(path, body, behaviour.words);
  if ("events" in made) return stream(response, made.events, behaviour);
  const json = JSON.stringify(made.json);
  if (behaviour.cut === null && behaviour.hang === null) return send(response, 200, json);
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(json) });
  response.write(json.slice(0, json.length / 2));
  if (behaviour.cut !== null) breakOff(response);
}

/** @param port 0: any free one. Listens on 127.0.0.1. @throws the listener's error, e.g. EADDRINUSE */
export async function startDemoModel(port: number): Promise<DemoModel> {
  let abandoned = 0;
  const server = createServer({ keepAliveTimeout: 75_000, noDelay: true }, (request, response) => {
    response.on("close", () => {
      if (!response.writableEnded && !brokenOff.has(response)) abandoned++;
    });
    answer(request, response).catch((error: unknown) => {
      if (response.headersSent || response.destroyed) response.destroy();
      else if (error instanceof BadRequest) {
        send(response, error.status, vllmError(error.status, error.message, error.param));
      } else {
        console.error(error);
        send(response, 500, vllmError(500, "Internal server error"));
      }
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    abandoned: () => abandoned,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
