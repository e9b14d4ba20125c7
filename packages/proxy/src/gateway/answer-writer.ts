/** The way to the client: counts and hashes what goes out, and waits for a client that reads slowly. */
import { createHash, type Hash } from "node:crypto";
import type { ServerResponse } from "node:http";

export class AnswerWriter {
  readonly #response: ServerResponse;
  readonly #stallMs: number;
  readonly #hash: Hash = createHash("sha256");
  sentBytes = 0;
  chunks = 0;
  /** On performance.now()'s clock; null before it. */
  firstByteAt: number | null = null;

  /** @param stallMs a client that takes nothing for so long is dropped */
  constructor(response: ServerResponse, stallMs: number) {
    this.#response = response;
    this.#stallMs = stallMs;
  }

  /** Goes out with what is written in this turn of the event loop, or else at its end. @param headers a flat list may name one twice */
  head(status: number, headers: Record<string, string> | string[]): void {
    this.#response.writeHead(status, headers);
    setImmediate(() => {
      if (this.chunks === 0 && !this.#response.writableEnded) this.#response.flushHeaders();
    });
  }

  /** Resolves when more may be written. @returns null when it may be at once @throws Error when the client is gone */
  write(text: string | Buffer): Promise<void> | null {
    if (this.#response.destroyed) throw new Error("The client is gone");
    this.#count(text);
    this.chunks++;
    return this.#response.write(text) ? null : this.#drained();
  }

  end(): void {
    this.#response.end();
  }

  /** Head and body in one. */
  whole(status: number, headers: Record<string, string>, text: string): void {
    this.#count(text);
    this.#response.writeHead(status, { ...headers, "content-length": String(this.sentBytes) });
    this.#response.end(text);
  }

  /** Resolves when the client's side has all of it. @throws Error when the client goes before */
  async flushed(): Promise<void> {
    if (this.#response.writableLength > 0) await this.#wait("finish");
  }

  /** Of what was sent. Call it once. */
  sha256(): string {
    return this.#hash.digest("hex");
  }

  #count(text: string | Buffer): void {
    this.firstByteAt ??= performance.now();
    this.sentBytes += Buffer.byteLength(text);
    this.#hash.update(text);
  }

  #drained(): Promise<void> {
    return this.#wait("drain");
  }

  #wait(event: "drain" | "finish"): Promise<void> {
    const response = this.#response;
    return new Promise((resolve, reject) => {
      const stall = setTimeout(() => response.destroy(), this.#stallMs);
      const done = () => {
        clearTimeout(stall);
        response.off("close", gone);
        resolve();
      };
      const gone = () => {
        clearTimeout(stall);
        response.off(event, done);
        reject(new Error("The client is gone"));
      };
      response.once(event, done);
      response.once("close", gone);
    });
  }
}
