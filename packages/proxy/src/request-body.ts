/** Reading a request's body within limits, and saying what it is. */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { ApiError } from "@central-llm/core/api-error";
import { GatheredBytes } from "./gathered-bytes.ts";
import type { BodyKind } from "./spool-record.ts";

/** Bodies in memory over all requests, so that many large ones at once are refused instead of filling the memory. */
export class BufferBudget {
  readonly #limit: number;
  used = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @returns whether there was room; nothing is taken where there was none */
  take(bytes: number): boolean {
    if (this.used + bytes > this.#limit) return false;
    this.used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.used -= bytes;
  }
}

export const OVERLOADED: ApiError = {
  status: 503,
  type: "overloaded_error",
  code: "overloaded",
  message:
    "The platform handles as many requests as it can at the moment. Try again after the time in Retry-After.",
};

function tooLarge(limit: number): ApiError {
  return {
    status: 413,
    type: "invalid_request_error",
    code: "request_too_large",
    message: `The request's body is larger than ${limit} bytes, the most that the platform takes.`,
  };
}

/** One request's body: what has come of it, within its own limit and the budget of all. */
export class RequestBody {
  readonly #limit: number;
  readonly #budget: BufferBudget;
  readonly #gathered = new GatheredBytes();
  #taken = 0;
  #reading = false;

  /** @param limit bytes that this body may have */
  constructor(limit: number, budget: BufferBudget) {
    this.#limit = limit;
    this.#budget = budget;
  }

  /** All of it, or what has come so far. */
  get bytes(): Buffer {
    return this.#gathered.bytes;
  }

  /** Bytes that have come. */
  get length(): number {
    return this.#gathered.length;
  }

  /** What the audit keeps: at most `limit` bytes, and the hash of all of them where that is less. */
  kept(limit: number): { bytes: Buffer | null; wholeSha256: string | undefined } {
    if (this.length === 0) return { bytes: null, wholeSha256: undefined };
    const wholeSha256 = this.length > limit ? this.#gathered.sha256() : undefined;
    return { bytes: this.#gathered.beginning(limit), wholeSha256 };
  }

  /** The refusal of a body that says itself that it is too large. */
  refusal(request: IncomingMessage): ApiError | null {
    const declared = request.headers["content-length"];
    return declared !== undefined && Number(declared) > this.#limit ? tooLarge(this.#limit) : null;
  }

  /** Calls `done` once: when the body is whole, or with the error for which it is not taken. Not when the client goes away. */
  read(request: IncomingMessage, done: (problem: ApiError | null) => void): void {
    const declared = request.headers["content-length"];
    if (declared === undefined && request.headers["transfer-encoding"] === undefined) {
      // No body by RFC 9112 §6.3; the message must still be consumed for the connection to be used again.
      request.resume();
      return done(null);
    }
    const expected = declared === undefined ? 0 : Number(declared);
    this.#reading = true;
    request.on("data", (chunk: Buffer) => {
      if (!this.#reading) return;
      const problem = this.#add(chunk, expected);
      if (problem === null) return;
      this.#reading = false;
      done(problem);
    });
    request.on("end", () => {
      if (!this.#reading) return;
      this.#reading = false;
      done(null);
    });
  }

  #add(chunk: Buffer, expected: number): ApiError | null {
    if (this.#gathered.length + chunk.length > this.#limit) return tooLarge(this.#limit);
    this.#gathered.add(chunk, expected);
    const more = this.#gathered.held - this.#taken;
    if (more === 0) return null;
    if (!this.#budget.take(more)) return OVERLOADED;
    this.#taken += more;
    return null;
  }

  /** Forgets it and gives its memory back to the budget. */
  release(): void {
    this.#reading = false;
    this.#budget.give(this.#taken);
    this.#taken = 0;
    this.#gathered.clear();
  }
}

export interface ClassifiedBody {
  kind: BodyKind;
  /** The parsed body when it is a JSON object. */
  json: Record<string, unknown> | null;
  error: ApiError | null;
}

const INVALID_JSON: ApiError = {
  status: 400,
  type: "invalid_request_error",
  code: "invalid_json",
  // OpenAI's own words for it.
  message: "We could not parse the JSON body of your request. It must be valid JSON in UTF-8.",
};

/** What the body is. Only what claims to be JSON is refused for not being it; forms and audio pass as they are. */
export function classifyBody(request: IncomingMessage, body: Buffer): ClassifiedBody {
  if (body.length === 0) return { kind: "none", json: null, error: null };
  const encoded = request.headers["content-encoding"] !== undefined;
  const type = request.headers["content-type"];
  const claimsJson = !encoded && (type === undefined || /^application\/(?:[\w.-]+\+)?json\b/i.test(type));
  if (!isUtf8(body)) return { kind: "binary", json: null, error: claimsJson ? INVALID_JSON : null };
  if (!claimsJson) return { kind: "text", json: null, error: null };
  try {
    const json = JSON.parse(body.toString("utf8")) as unknown;
    const isObject = typeof json === "object" && json !== null && !Array.isArray(json);
    return { kind: "json", json: isObject ? (json as Record<string, unknown>) : null, error: null };
  } catch {
    return { kind: "text", json: null, error: INVALID_JSON };
  }
}
