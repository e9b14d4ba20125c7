/** A client made of a bare socket: sends exactly what a test says, whole or in pieces, and keeps what it gets. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export const IDENTITY = "x-llm-source: hazards\r\nx-llm-user: qa\r\nx-llm-request-type: chat\r\n";

/** A request as text, one byte a character; the length is added unless `headers` frame it. */
export function request(options: {
  method?: string;
  path?: string;
  /** Lines with their line ends. */
  headers?: string;
  body?: string;
  framed?: boolean;
}): string {
  const { method = "POST", path = "/v1/chat/completions", headers = "", body = "", framed = false } = options;
  const length = framed ? "" : `content-length: ${body.length}\r\n`;
  return `${method} ${path} HTTP/1.1\r\nhost: proxy\r\n${IDENTITY}${headers}${length}\r\n${body}`;
}

export interface RawAnswer {
  status: number;
  headers: Map<string, string>;
  head: string;
  body: string;
}

export class RawClient {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #error: NodeJS.ErrnoException | null = null;
  readonly closed: Promise<void>;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (data) => {
      this.#received = Buffer.concat([this.#received, data]);
    });
    socket.on("error", (error) => {
      this.#error = error;
    });
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
  }

  /** @param port of 127.0.0.1 */
  static async connect(port: number, options: { allowHalfOpen?: boolean } = {}): Promise<RawClient> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true, ...options });
    await once(socket, "connect");
    return new RawClient(socket);
  }

  get text(): string {
    return this.#received.toString("latin1");
  }

  get error(): NodeJS.ErrnoException | null {
    return this.#error;
  }

  /** Text goes out as Latin-1: one byte a character. */
  send(bytes: string | Buffer): this {
    this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
    return this;
  }

  /** Waits until what has come satisfies `enough`, or the connection ends. */
  async until(enough: (text: string) => boolean, timeoutMs = 60_000): Promise<string> {
    const deadline = Date.now() + timeoutMs;
    while (!enough(this.text) && !this.socket.destroyed && !this.socket.readableEnded) {
      if (Date.now() > deadline)
        throw new Error(`Not in ${timeoutMs} ms; so far: ${JSON.stringify(this.text.slice(0, 2000))}`);
      await new Promise((resume) => setTimeout(resume, 2));
    }
    return this.text;
  }

  /** All whole answers with a length (or chunks) so far. */
  answers(): RawAnswer[] {
    const answers: RawAnswer[] = [];
    let rest = this.text;
    for (;;) {
      const end = rest.indexOf("\r\n\r\n");
      if (end < 0) return answers;
      const head = rest.slice(0, end);
      const headers = new Map(
        head
          .split("\r\n")
          .slice(1)
          .map((line): [string, string] => {
            const colon = line.indexOf(":");
            return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
          }),
      );
      const status = Number(head.slice(9, 12));
      let body = "";
      let at = end + 4;
      if (headers.get("transfer-encoding") === "chunked") {
        for (;;) {
          const line = rest.indexOf("\r\n", at);
          if (line < 0) return answers;
          const size = Number.parseInt(rest.slice(at, line), 16);
          if (rest.length < line + 2 + size + 2) return answers;
          body += rest.slice(line + 2, line + 2 + size);
          at = line + 2 + size + 2;
          if (size === 0) break;
        }
      } else {
        const length = Number(headers.get("content-length") ?? 0);
        if (status >= 200 && rest.length < at + length) return answers;
        body = rest.slice(at, at + length);
        at += length;
      }
      answers.push({ status, headers, head, body });
      rest = rest.slice(at);
    }
  }

  async answer(index = 0): Promise<RawAnswer> {
    await this.until(() => this.answers().length > index);
    const answer = this.answers()[index];
    if (answer === undefined)
      throw new Error(`The connection ended; it brought ${JSON.stringify(this.text.slice(0, 2000))}`);
    return answer;
  }

  destroy(): void {
    this.socket.destroy();
  }
}
