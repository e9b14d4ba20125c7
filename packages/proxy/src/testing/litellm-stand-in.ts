/**
 * LiteLLM's server on one machine, as far as the engine in front of it sees it: keys in LiteLLM's tables, LiteLLM 1.100's header
 * names and error bodies (read from that version's own answers), made-up models. It fails on demand.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { answerOf } from "./litellm-answers.ts";
import { LitellmError, LitellmKeys } from "./litellm-keys.ts";

type Json = Record<string, unknown>;

export interface Seen {
  method: string;
  url: string;
  headers: NodeJS.Dict<string | string[]>;
  body: string;
}

/** Of the next call of a model alone. */
export interface Fault {
  /** No answer at all; `events`: after so many events of a stream. */
  hang?: "head" | number;
  /** The connection breaks after so many events. */
  cut?: number;
  /** An answer in place of the model's. */
  answer?: { status: number; headers?: Record<string, string>; body: string };
  packed?: boolean;
}

const DEPLOYMENT = "31c1d5d3803e937a3d88335c93801c7878a7081e289a738f55dcfe0f34a1f3e5";
export const COST = 0.000975;

export class LitellmStandIn {
  readonly keys: LitellmKeys;
  readonly calls: Seen[] = [];
  /** Calls whose client left before the answer's end. */
  abandoned = 0;
  /** What models say, in place of the demo model's words. */
  says: string | null = null;
  /** Characters of that in an event. */
  size = 7;
  next: Fault | null = null;
  readonly #server = createServer((request, response) => {
    response.on("close", () => {
      if (!response.writableFinished) this.abandoned++;
    });
    this.#serve(request, response).catch((error: unknown) => this.#fail(response, error));
  });

  private constructor(keys: LitellmKeys) {
    this.keys = keys;
  }

  static async start(databaseUrl: string, masterKey: string): Promise<LitellmStandIn> {
    const standIn = new LitellmStandIn(new LitellmKeys(databaseUrl, masterKey));
    await standIn.listen(0);
    return standIn;
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get last(): Seen {
    return this.calls.at(-1) as Seen;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "", headers } = request;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const [path = "", query = ""] = url.split("?");
    if (path.startsWith("/health/")) return send(response, 200, {}, `"I'm alive!"`);
    this.calls.push({ method, url, headers, body: text });
    const key = await this.keys.check(headers);
    const body = text === "" ? {} : (JSON.parse(text) as Json);
    const model =
      method === "POST"
        ? answerOf(path.startsWith("/v1/") ? path : `/v1${path}`, body, this.says, this.size)
        : null;
    if (model === null) return this.#administer(response, { method, path, query, body, key });
    const fault = this.next;
    this.next = null;
    if (fault?.hang === "head") return;
    if (fault?.answer)
      return send(response, fault.answer.status, fault.answer.headers ?? {}, fault.answer.body);
    const told = this.#headers(headers, body);
    if ("json" in model) {
      const cost = { ...told, "x-litellm-response-cost": String(COST) };
      if (!fault?.packed) return send(response, 200, cost, JSON.stringify(model.json));
      response.writeHead(200, { ...cost, "content-type": "application/json", "content-encoding": "gzip" });
      return void response.end(gzipSync(JSON.stringify(model.json)));
    }
    response.writeHead(200, { ...told, "content-type": "text/event-stream; charset=utf-8" });
    for (const [at, event] of model.events.entries()) {
      if (fault?.hang === at) return;
      if (fault?.cut === at) return void response.socket?.destroySoon();
      if (!response.write(event))
        await new Promise((resolve) => response.once("drain", resolve).once("close", resolve));
      // Each in a packet of its own.
      await new Promise((resolve) => setImmediate(resolve));
    }
    response.end();
  }

  #headers(headers: IncomingMessage["headers"], body: Json): Record<string, string> {
    return {
      server: "uvicorn",
      "x-litellm-call-id": String(headers["x-litellm-call-id"]),
      "x-litellm-model-id": DEPLOYMENT,
      "x-litellm-version": "1.100.5",
      "x-litellm-model-group": String(body.model),
      "x-litellm-attempted-retries": "0",
      "llm_provider-x-request-id": "provider-1",
      vary: "Origin",
    };
  }

  async #administer(
    response: ServerResponse,
    call: { method: string; path: string; query: string; body: Json; key: Json | null },
  ): Promise<void> {
    const { method, path, query, body, key } = call;
    const json = (value: unknown) => send(response, 200, {}, JSON.stringify(value));
    if (/^(\/v1)?\/models$/.test(path))
      return json({
        data: [{ id: "demo", object: "model", created: 1677610602, owned_by: "openai" }],
        object: "list",
      });
    const asked = new URLSearchParams(query).get("key");
    if (path === "/key/info" && asked !== null) return json(await this.keys.info(asked));
    if (key !== null)
      throw new LitellmError(
        401,
        "auth_error",
        `Authentication Error, Only proxy admin can be used for ${path}`,
      );
    const regenerate = /^\/key\/([^/]+)\/regenerate$/.exec(path);
    if (regenerate) return json(await this.keys.regenerate(decodeURIComponent(regenerate[1] ?? "")));
    if (`${method} ${path}` === "POST /key/generate") return json(await this.keys.generate(body));
    if (`${method} ${path}` === "POST /credentials") return json({ success: true });
    send(response, 404, {}, JSON.stringify({ detail: "Not Found" }));
  }

  #fail(response: ServerResponse, error: unknown): void {
    if (response.headersSent) return void response.destroy();
    if (error instanceof LitellmError) return send(response, error.status, error.headers, error.body);
    const failed = new LitellmError(500, "None", error instanceof Error ? error.message : String(error));
    send(response, 500, {}, failed.body);
  }

  /** The server alone, as when LiteLLM is restarted; `listen` brings it back. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async stop(): Promise<void> {
    await this.close();
    await this.keys.stop();
  }
}

function send(response: ServerResponse, status: number, headers: Record<string, string>, body: string): void {
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    ...headers,
  });
  response.end(body);
}
