/**
 * How the demo model misbehaves when asked to, by headers or by the model's name:
 *
 * | header | model | effect |
 * |---|---|---|
 * | `x-demo-delay-ms: 2000` | `demo-delay-2000` | so long before the first byte |
 * | `x-demo-chunk-ms: 100` | `demo-chunk-100` | so long between the chunks of a stream |
 * | `x-demo-status: 503` | `demo-status-503` | that error, in vLLM's words |
 * | `x-demo-cut: 5` | `demo-cut-5` | the connection breaks after so many chunks (in a JSON answer: half-way) |
 * | `x-demo-hang: head` | `demo-hang` | no answer at all; `body`: a head, then silence |
 * | `x-demo-words: 300` | `demo-words-300` | an answer of so many words |
 */
import type { IncomingHttpHeaders } from "node:http";

export interface Behaviour {
  delayMs: number;
  chunkMs: number;
  status: number | null;
  /** Chunks before the connection breaks. */
  cut: number | null;
  hang: "head" | "body" | null;
  words: number | undefined;
}

export function behaviourOf(headers: IncomingHttpHeaders, model: string): Behaviour {
  const named = /^demo-(delay|chunk|status|cut|hang|words)(?:-(\w+))?$/.exec(model);
  const asked = (header: string, name: string): string | undefined => {
    const value = headers[`x-demo-${header}`];
    if (typeof value === "string") return value;
    return named?.[1] === name ? (named[2] ?? "") : undefined;
  };
  const number = (text: string | undefined, fallback: number) =>
    text === undefined || !/^\d+$/.test(text) ? fallback : Number(text);
  const status = asked("status", "status");
  const cut = asked("cut", "cut");
  const hang = asked("hang", "hang");
  const words = asked("words", "words");
  return {
    delayMs: number(asked("delay-ms", "delay"), 0),
    chunkMs: number(asked("chunk-ms", "chunk"), 0),
    status: status === undefined ? null : number(status, 500),
    cut: cut === undefined ? null : number(cut, 3),
    hang: hang === undefined ? null : hang === "body" ? "body" : "head",
    words: words === undefined ? undefined : number(words, 100),
  };
}

const TYPES: Record<number, string> = {
  400: "BadRequestError",
  401: "AuthenticationError",
  404: "NotFoundError",
  413: "BadRequestError",
  429: "RateLimitError",
  503: "ServiceUnavailableError",
};

/** An error as vLLM words it: `code` is the status. */
export function vllmError(status: number, message: string, param: string | null = null): string {
  const type = TYPES[status] ?? (status < 500 ? "BadRequestError" : "InternalServerError");
  return JSON.stringify({ error: { message, type, param, code: status } });
}
