/** What a request line may ask for (RFC 9112 §3.2). */
import type { ApiError } from "@central-llm/core/api-error";

const ABSOLUTE = /^https?:\/\/[^/?#]*/i;

/** The path and query of a target in absolute form, which a server must take too; any other target as it is. */
export function originForm(target: string): string {
  return target.charCodeAt(0) === 0x2f ? target : target.replace(ABSOLUTE, "");
}

const SUSPECT = /[.%\\]/;
const SEPARATOR = "(?:[/\\\\]|%2f|%5c)";
const DOT_SEGMENT = new RegExp(`${SEPARATOR}(?:\\.|%2e){1,2}(?:${SEPARATOR}|$)`, "i");

/**
 * Whether a path would climb out of /v1 in a server that resolves `.` and `..`: what is behind us may offer more than models
 * (vLLM has paths that load adapters and reset caches).
 */
export function climbs(path: string): boolean {
  return SUSPECT.test(path) && DOT_SEGMENT.test(path);
}

export const BAD_PATH: ApiError = {
  status: 400,
  type: "invalid_request_error",
  code: "invalid_path",
  message: "The path holds `.` or `..` as a segment.",
};

/** node:http gives names and values in one list. */
const MOST_HEADERS = 200;

/** Beyond the limit headers are refused, not dropped: one of those dropped could be the one that says whose call it is. */
export function tooManyHeaders(rawHeaders: readonly string[]): boolean {
  return rawHeaders.length > MOST_HEADERS * 2;
}

export const TOO_MANY_HEADERS: ApiError = {
  status: 431,
  type: "invalid_request_error",
  code: "headers_too_large",
  message: `The request has more than ${MOST_HEADERS} headers.`,
};
