/**
 * One call of an upstream, its answer's body as it comes: undici's dispatch without the Readable and the AsyncResource that its own
 * `request` makes for each call.
 */
import type { Dispatcher } from "undici";

type Controller = Dispatcher.DispatchController;
export type AnswerHeaders = Record<string, string | string[] | undefined>;

export interface UpstreamRequest {
  method: Dispatcher.HttpMethod;
  path: string;
  headers: Record<string, string> | string[];
  body: string | Buffer | null;
  /** Ends the call, also while its answer is read. */
  signal: AbortSignal;
}

export interface UpstreamAnswer {
  statusCode: number;
  headers: AnswerHeaders;
  body: AnswerBody;
}

/** Waiting pieces beyond it make the upstream wait. */
const HIGH_WATER_BYTES = 64 * 1024;
const DONE: IteratorResult<Buffer> = Object.freeze({ done: true, value: undefined });

interface Reader {
  resolve(result: IteratorResult<Buffer>): void;
  reject(problem: Error): void;
}

/** To be read once. What breaks it is thrown to its reader; where there is none, nobody misses it. */
export class AnswerBody implements AsyncIterable<Buffer>, AsyncIterator<Buffer> {
  readonly #controller: Controller;
  #pieces: Buffer[] = [];
  #waiting = 0;
  #reader: Reader | null = null;
  #ended = false;
  #problem: Error | null = null;

  constructor(controller: Controller) {
    this.#controller = controller;
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer> {
    return this;
  }

  next(): Promise<IteratorResult<Buffer>> {
    const value = this.#pieces.shift();
    if (value !== undefined) {
      this.#waiting -= value.length;
      if (this.#controller.paused && this.#waiting < HIGH_WATER_BYTES) this.#controller.resume();
      return Promise.resolve({ done: false, value });
    }
    if (this.#problem) return Promise.reject(this.#problem);
    if (this.#ended) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  /** Its reader has left the loop. */
  async return(): Promise<IteratorResult<Buffer>> {
    this.destroy();
    return DONE;
  }

  /** Nobody reads on: ends the call where it is not over. */
  destroy(): void {
    this.#pieces = [];
    if (this.#ended) return;
    this.#ended = true;
    this.#controller.abort(LEFT);
    this.#reader?.resolve(DONE);
    this.#reader = null;
  }

  async text(): Promise<string> {
    const all: Buffer[] = [];
    for await (const piece of this) all.push(piece);
    return (all.length === 1 && all[0] ? all[0] : Buffer.concat(all)).toString("utf8");
  }

  /** The call's side. */
  push(piece: Buffer): void {
    if (this.#ended) return;
    const reader = this.#reader;
    if (reader) {
      this.#reader = null;
      reader.resolve({ done: false, value: piece });
      return;
    }
    this.#pieces.push(piece);
    this.#waiting += piece.length;
    if (this.#waiting >= HIGH_WATER_BYTES) this.#controller.pause();
  }

  /** The call's side. @param problem null when the answer is whole */
  end(problem: Error | null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#problem = problem;
    if (problem) this.#reader?.reject(problem);
    else this.#reader?.resolve(DONE);
    this.#reader = null;
  }
}

/** Made once: a reason of its own for each call would cost a stack trace each. */
const LEFT = new DOMException("The answer is no longer read", "AbortError");

class Call implements Dispatcher.DispatchHandler {
  readonly #signal: AbortSignal;
  #answered: ((answer: UpstreamAnswer) => void) | null;
  #failed: ((problem: Error) => void) | null;
  #controller: Controller | null = null;
  #body: AnswerBody | null = null;

  constructor(
    signal: AbortSignal,
    answered: (answer: UpstreamAnswer) => void,
    failed: (problem: Error) => void,
  ) {
    this.#signal = signal;
    this.#answered = answered;
    this.#failed = failed;
    signal.addEventListener("abort", this.#abort, { once: true });
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    if (this.#signal.aborted) this.#abort();
  }

  onResponseStart(controller: Controller, statusCode: number, headers: AnswerHeaders): void {
    // Interim answers (1xx) are between the upstream and us.
    if (statusCode < 200) return;
    this.#body = new AnswerBody(controller);
    this.#answered?.({ statusCode, headers, body: this.#body });
    this.#settled();
  }

  onResponseData(_controller: Controller, piece: Buffer): void {
    this.#body?.push(piece);
  }

  onResponseEnd(): void {
    this.#end(null);
  }

  onResponseError(_controller: Controller, problem: Error): void {
    this.#end(problem);
  }

  readonly #abort = () => {
    const { reason } = this.#signal;
    const problem =
      reason instanceof Error ? reason : new DOMException("The call was given up", "AbortError");
    // Before it is sent, it waits for a connection: undici asks us when it has one.
    if (this.#controller) this.#controller.abort(problem);
    else this.#failed?.(problem);
  };

  #end(problem: Error | null): void {
    this.#signal.removeEventListener("abort", this.#abort);
    if (this.#body) this.#body.end(problem);
    else if (problem) this.#failed?.(problem);
    this.#settled();
  }

  #settled(): void {
    this.#answered = null;
    this.#failed = null;
  }
}

/** Resolves with the answer's head. @throws what undici or the signal says, also while the body is read */
export function callUpstream(
  dispatcher: Dispatcher,
  { signal, ...request }: UpstreamRequest,
): Promise<UpstreamAnswer> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) throw signal.reason;
    dispatcher.dispatch(request, new Call(signal, resolve, reject));
  });
}
