/** Reading a request's body within limits, and saying what it is. */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { ApiError } from "@central-llm/core/api-error";
import type { BodyKind } from "./spool-record.ts";

export interface ReadBody {
  body: Buffer;
  kind: BodyKind;
  /** The parsed body when it is a JSON object. */
  json: Record<string, unknown> | null;
  error: ApiError | null;
}

const EMPTY = Buffer.alloc(0);

/** Bodies in memory over all requests, so that many large ones at once are refused instead of filling the memory. */
export class BufferBudget {
  readonly #limit: number;
  used = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

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

/**
 * Reads the body. Calls `done` once: with the body; or with an error and what came so far. Bytes taken from the budget are
 * counted in `held()`, for the caller to give back.
 */
export function readBody(
  request: IncomingMessage,
  limit: number,
  budget: BufferBudget,
  done: (body: Buffer, error: ApiError | null, held: number) => void,
): void {
  const declared = request.headers["content-length"];
  if (declared === undefined && request.headers["transfer-encoding"] === undefined) {
    // No body by RFC 9112 §6.3; the message must still be consumed for the connection to be used again.
    request.resume();
    return done(EMPTY, null, 0);
  }
  if (declared !== undefined && Number(declared) > limit) return done(EMPTY, tooLarge(limit), 0);
  let first: Buffer | null = null;
  let more: Buffer[] | null = null;
  let held = 0;
  let finished = false;
  const finish = (error: ApiError | null) => {
    if (finished) return;
    finished = true;
    const body = first === null ? EMPTY : more === null ? first : Buffer.concat([first, ...more]);
    done(body, error, held);
  };
  request.on("data", (chunk: Buffer) => {
    if (finished) return;
    if (held + chunk.length > limit) return finish(tooLarge(limit));
    if (!budget.take(chunk.length)) return finish(OVERLOADED);
    held += chunk.length;
    if (first === null) first = chunk;
    else if (more === null) more = [chunk];
    else more.push(chunk);
  });
  request.on("end", () => finish(null));
}

const INVALID_JSON: ApiError = {
  status: 400,
  type: "invalid_request_error",
  code: "invalid_json",
  // OpenAI's own words for it.
  message: "We could not parse the JSON body of your request. It must be valid JSON in UTF-8.",
};

/** What the body is. Only what claims to be JSON is refused for not being it; forms and audio pass as they are. */
export function classifyBody(request: IncomingMessage, body: Buffer): Omit<ReadBody, "body"> {
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
