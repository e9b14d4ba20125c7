/**
 * The upstream's answer on its way to the client: the undici handler of one call. Bytes go on as they come; a client that reads
 * slower than the upstream writes makes the upstream wait.
 */
import type { ServerResponse } from "node:http";
import type { Dispatcher } from "undici";
import type { CapturedAnswer } from "./captured-answer.ts";
import { forwardedToClient, withoutHeader } from "./header-policy.ts";

type Controller = Dispatcher.DispatchController;
export type UpstreamHeaders = Record<string, string | string[] | undefined>;

/** Who is told how it went; at most one of these is called, once. */
export interface RelayOwner {
  /** All of the answer has gone to the client's side. */
  answered(): void;
  upstreamFailed(problem: Error): void;
  /** A fault of ours. */
  fail(problem: unknown): void;
}

export class AnswerRelay implements Dispatcher.DispatchHandler {
  readonly #owner: RelayOwner;
  readonly #response: ServerResponse;
  readonly #requestId: string;
  /** A client that takes nothing for so long is dropped. */
  readonly #stallMs: number;
  readonly #captured: CapturedAnswer;
  #controller: Controller | null = null;
  /** What is ready for the client and not sent yet. */
  #head: string[] | null = null;
  #length = -1;
  #stall: NodeJS.Timeout | null = null;
  #stopped = false;
  /** On performance.now()'s clock: when a connection took the request; 0 until one did. */
  sentAt = 0;
  /** The upstream's; 0 until it answers. */
  status = 0;
  headers: UpstreamHeaders = {};
  stream = false;

  constructor(
    owner: RelayOwner,
    response: ServerResponse,
    captured: CapturedAnswer,
    settings: { requestId: string; stallMs: number },
  ) {
    this.#owner = owner;
    this.#response = response;
    this.#captured = captured;
    this.#requestId = settings.requestId;
    this.#stallMs = settings.stallMs;
  }

  /** Whether the client has been sent any of the answer. */
  get begun(): boolean {
    return this.status !== 0 && this.#head === null;
  }

  /** Ends the call: nothing goes on to the client any more, and the upstream is let go at once. */
  stop(reason: string): void {
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#stall) clearTimeout(this.#stall);
    this.#controller?.abort(new Error(reason));
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    if (this.#stopped) controller.abort(new Error("The request has ended"));
    else if (this.sentAt === 0) this.sentAt = performance.now();
  }

  onResponseStart(_controller: Controller, status: number, headers: UpstreamHeaders): void {
    // Interim answers (1xx) are between the upstream and us.
    if (this.#stopped || status < 200) return;
    if (status > 599) throw Object.assign(new Error(`Status ${status}`), { code: "HPE_INVALID_STATUS" });
    try {
      this.#begin(status, headers);
    } catch (problem) {
      this.#owner.fail(problem);
    }
  }

  #begin(status: number, headers: UpstreamHeaders): void {
    this.status = status;
    this.headers = headers;
    const { "content-type": type, "content-length": length } = headers;
    const captured = this.#captured;
    this.stream = typeof type === "string" && type.startsWith("text/event-stream");
    if (!this.stream || headers["content-encoding"] !== undefined) captured.filter = null;
    const forwarded = forwardedToClient(headers, this.#requestId);
    if (captured.filter !== null) withoutHeader(forwarded, "content-length");
    else if (typeof length === "string") this.#length = Number(length);
    this.#head = forwarded;
    // Head and body that arrived together leave together; a head that comes alone does not wait for its body.
    process.nextTick(flush, this);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#stopped || this.#response.destroyed) return;
    try {
      const out = this.#captured.add(chunk, this.#length);
      if (out.length === 0) return;
      const head = this.#head;
      if (head !== null && this.#length === out.length) {
        // The whole answer is here: one write for the head and the body.
        this.#head = null;
        this.#response.writeHead(this.status, head);
        // As text of one byte a character: node:http puts head and body into one buffer and one write(2). Of a Buffer it makes
        // a list of two for writev(2), which costs 2 µs of CPU more (docs/performance.md).
        this.#response.end(out.toString("latin1"), "latin1");
        return;
      }
      this.flushHead();
      if (!this.#response.write(out)) this.#pause(controller);
    } catch (problem) {
      this.#owner.fail(problem);
    }
  }

  onResponseEnd(): void {
    if (this.#stopped || this.#response.destroyed) return;
    try {
      const rest = this.#captured.end();
      this.flushHead();
      if (!this.#response.writableEnded) this.#response.end(rest);
      this.#controller = null;
      if (this.#response.writableLength === 0) this.#owner.answered();
      else this.#finishSlowly();
    } catch (problem) {
      this.#owner.fail(problem);
    }
  }

  onResponseError(_controller: Controller, problem: Error): void {
    if (this.#stopped) return;
    this.#controller = null;
    this.#owner.upstreamFailed(problem);
  }

  /** Sends the answer's head if it waits. */
  flushHead(): void {
    const head = this.#head;
    if (head === null || this.#stopped) return;
    this.#head = null;
    this.#response.writeHead(this.status, head);
    this.#response.flushHeaders();
  }

  static flush(relay: AnswerRelay): void {
    try {
      relay.flushHead();
    } catch (problem) {
      relay.#owner.fail(problem);
    }
  }

  #pause(controller: Controller): void {
    controller.pause();
    this.#watchStall();
    this.#response.once("drain", () => {
      if (this.#stall) clearTimeout(this.#stall);
      controller.resume();
    });
  }

  /** The upstream is done, but the client's connection has not taken all of it. */
  #finishSlowly(): void {
    this.#watchStall();
    this.#response.once("finish", () => {
      if (!this.#stopped) this.#owner.answered();
    });
  }

  #watchStall(): void {
    if (this.#stall) clearTimeout(this.#stall);
    this.#stall = setTimeout(() => this.#response.destroy(), this.#stallMs);
  }
}

const { flush } = AnswerRelay;
