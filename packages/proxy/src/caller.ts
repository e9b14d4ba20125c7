/** Who calls on the central path: the mandatory `x-llm-*` headers and the API key id that API Gateway vouches for. */
import type { ApiError } from "@central-llm/core/api-error";
import { present, UNKNOWN } from "@central-llm/core/placeholder";
import { API_KEY_ID_HEADER, REQUIRED_HEADERS } from "@central-llm/core/platform";

export interface Caller {
  projectId: string;
  userId: string;
  requestType: string;
  keyId: string | null;
}

export const UNIDENTIFIED: Caller = {
  projectId: UNKNOWN,
  userId: UNKNOWN,
  requestType: UNKNOWN,
  keyId: null,
};

const MAX_LENGTH = 256;
// Header values arrive as Latin-1 (node:http); control characters would break logs and CSV files downstream.
// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point
const CONTROL = /[\x00-\x1f\x7f]/;

function read(headers: NodeJS.Dict<string | string[]>, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Non-ASCII header values are UTF-8 by today's custom but decoded as Latin-1 by node:http; put that right. */
function decoded(value: string): string {
  for (let index = 0; index < value.length; index++) {
    if (value.charCodeAt(index) > 127) {
      const text = Buffer.from(value, "latin1").toString("utf8");
      return text.includes("\ufffd") ? value : text;
    }
  }
  return value;
}

function keyIdOf(headers: NodeJS.Dict<string | string[]>): string | null {
  return present(read(headers, API_KEY_ID_HEADER))?.slice(0, MAX_LENGTH) ?? null;
}

/** node:http joins repeated headers with commas, which a name may hold itself. */
function repeated(value: string, rawHeaders: readonly string[], name: string): boolean {
  if (!value.includes(",")) return false;
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === name) count++;
  }
  return count > 1;
}

/**
 * Placeholders (`-`, `null`, `n/a` …) satisfy the header check, as they do on AWS, and count as `unknown` (seed 001 §3.2).
 * @param rawHeaders node:http's list of names and values
 * @returns the caller, with an error that names every missing or bad header when the call must be refused
 */
export function identify(
  headers: NodeJS.Dict<string | string[]>,
  rawHeaders: readonly string[],
): { caller: Caller; error: ApiError | null } {
  const problems: string[] = [];
  const values: string[] = [];
  for (const name of REQUIRED_HEADERS) {
    const raw = read(headers, name);
    let value = UNKNOWN;
    if (raw === undefined || raw.trim() === "") problems.push(`${name} is missing`);
    else if (repeated(raw, rawHeaders, name)) problems.push(`${name} is given more than once`);
    else if (CONTROL.test(raw)) problems.push(`${name} holds control characters`);
    else if (raw.length > MAX_LENGTH) problems.push(`${name} is longer than ${MAX_LENGTH} characters`);
    else value = present(decoded(raw)) ?? UNKNOWN;
    values.push(value);
  }
  const [projectId = UNKNOWN, userId = UNKNOWN, requestType = UNKNOWN] = values;
  const caller = { projectId, userId, requestType, keyId: keyIdOf(headers) };
  if (problems.length === 0) return { caller, error: null };
  return {
    caller,
    error: {
      status: 400,
      type: "invalid_request_error",
      code: "missing_required_header",
      param: problems[0]?.split(" ")[0] ?? null,
      message:
        `${problems.join("; ")}. Every call must say x-llm-source (the project), x-llm-user (the person or service) ` +
        "and x-llm-request-type (for example chat).",
    },
  };
}
