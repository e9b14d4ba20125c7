/**
 * A model server made of a bare socket, that does what a test tells it, byte by byte, and shows what it was sent. It reads requests
 * as strictly as a server can, so that what it makes of them is what any server would.
 */
import { EventEmitter, once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

export class UpstreamCall {
  readonly socket: Socket;
  readonly method: string;
  /** As it stands in the request line. */
  readonly target: string;
  /** Names in lower case; a repeated one is a problem. */
  readonly headers: Map<string, string>;
  readonly body: Buffer;

  constructor(socket: Socket, requestLine: string, headers: Map<string, string>, body: Buffer) {
    this.socket = socket;
    [this.method = "", this.target = ""] = requestLine.split(" ");
    this.headers = headers;
    this.body = body;
  }

  /** Resolves when the connection is gone. */
  async closed(): Promise<void> {
    if (this.socket.closed) return;
    await new Promise((closed) => this.socket.once("close", closed));
  }

  get json(): Record<string, unknown> {
    return JSON.parse(this.body.toString("utf8"));
  }

  /** Sends bytes as they are; text as Latin-1, which is what HTTP heads are. */
  send(bytes: string | Buffer): void {
    this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  /** Sends that much, and tears the connection down a moment later. */
  resetAfter(bytes: string): void {
    this.send(bytes);
    setTimeout(() => this.socket.resetAndDestroy(), 30);
  }

  /** A whole answer with its length. */
  answer(status: number, headers: Record<string, string>, body: string | Buffer = ""): void {
    const bytes = Buffer.from(body as string);
    const lines = Object.entries({ ...headers, "content-length": String(bytes.length) });
    this.send(
      `HTTP/1.1 ${status} Status\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
    );
    this.send(bytes);
  }

  json200(value: unknown): void {
    this.answer(200, { "content-type": "application/json" }, JSON.stringify(value));
  }

  /** The head of a chunked stream of events, or of anything else. */
  beginChunked(headers: Record<string, string> = { "content-type": "text/event-stream" }): void {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.send(`HTTP/1.1 200 OK\r\n${lines.join("")}transfer-encoding: chunked\r\n\r\n`);
  }

  chunk(bytes: string | Buffer): void {
    const data = Buffer.from(bytes as string);
    this.send(Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from("\r\n")]));
  }

  endChunked(): void {
    this.send("0\r\n\r\n");
  }
}

export type Script = (call: UpstreamCall) => void;

export const ANSWER = {
  object: "chat.completion",
  model: "demo",
  choices: [],
  usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
};

export class ScriptedUpstream {
  readonly #events = new EventEmitter();
  readonly #server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
  readonly #sockets = new Set<Socket>();
  readonly calls: UpstreamCall[] = [];
  /** What no proper client sends. */
  readonly problems: string[] = [];
  connections = 0;
  script: Script = (call) => call.json200(ANSWER);

  static async start(): Promise<ScriptedUpstream> {
    const upstream = new ScriptedUpstream();
    upstream.#server.listen(0, "127.0.0.1");
    await once(upstream.#server, "listening");
    return upstream;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Forgets what it was asked and answers plainly again. */
  reset(): void {
    this.calls.length = 0;
    this.problems.length = 0;
    this.connections = 0;
    this.script = (call) => call.json200(ANSWER);
  }

  /** The call with this number, once it has come. */
  async call(index = 0): Promise<UpstreamCall> {
    for (;;) {
      const call = this.calls[index];
      if (call !== undefined) return call;
      await once(this.#events, "call");
    }
  }

  #serve(socket: Socket): void {
    this.connections++;
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    let bytes = Buffer.alloc(0);
    socket.on("data", (data) => {
      bytes = Buffer.concat([bytes, data]);
      for (;;) {
        const taken = this.#take(socket, bytes);
        if (taken === 0) return;
        bytes = bytes.subarray(taken);
      }
    });
  }

  /** Reads one request. @returns its length; 0 while it is not whole */
  #take(socket: Socket, bytes: Buffer): number {
    const end = bytes.indexOf("\r\n\r\n");
    if (end < 0) return 0;
    const [requestLine = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
    if (!/^[A-Z]+ \/[^ ]* HTTP\/1\.1$/.test(requestLine)) this.problems.push(`request line: ${requestLine}`);
    const headers = new Map<string, string>();
    for (const line of lines) {
      const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([^\0\r\n]*)$/.exec(line);
      if (match === null) {
        this.problems.push(`header: ${line}`);
        continue;
      }
      const [, name = "", value = ""] = match;
      if (headers.has(name.toLowerCase())) this.problems.push(`repeated: ${name}`);
      headers.set(name.toLowerCase(), value);
    }
    if (headers.has("transfer-encoding")) this.problems.push("transfer-encoding");
    const length = headers.get("content-length") ?? "0";
    if (!/^\d+$/.test(length)) this.problems.push(`content-length: ${length}`);
    const whole = end + 4 + Number(length);
    if (bytes.length < whole) return 0;
    const call = new UpstreamCall(socket, requestLine, headers, Buffer.from(bytes.subarray(end + 4, whole)));
    this.calls.push(call);
    this.#events.emit("call");
    this.script(call);
    return whole;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
