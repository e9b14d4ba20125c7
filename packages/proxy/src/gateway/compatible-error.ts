/**
 * What the errors of OpenAI-compatible servers become for the caller. Their words reach the caller only where they are about
 * the request, without personal data that they repeat of it; what they say of our key or our settings stays with us.
 * Source: https://platform.openai.com/docs/guides/error-codes
 */
import { applyPolicy } from "@central-llm/core/pii-mask";
import { DEFAULT_POLICY } from "@central-llm/core/pii-policy";
import { isObject, parseObject } from "../stream-assembly.ts";
import { FAILED, NOT_READY, OURS, THROTTLED, TOO_SLOW, UpstreamError } from "./upstream-error.ts";

const MAX_MESSAGE = 500;
/** Statuses that are about the request: 404 is about the server's address or the model's name there, which are ours. */
const INVALID = new Set([400, 413, 415, 422]);
const OURS_STATUS = new Set([401, 403, 404, 405, 407]);
const SLOW = new Set([408, 504, 524]);
const NOT_NOW = new Set([503, 529]);

/** @param text of the answer, or of a stream's event; without our key in it */
export function refusedByServer(status: number, text: string): UpstreamError {
  const parsed = parseObject(text) ?? {};
  // Older vLLM says it without the member around it.
  const said = isObject(parsed.error) ? parsed.error : parsed;
  const kind = `http_${status}`;
  const cause = new Error(`status ${status}: ${harmless(said.message) ?? "no words of OpenAI's shape"}`);
  if (INVALID.has(status)) return invalid(kind, said, cause);
  if (OURS_STATUS.has(status)) return new UpstreamError(kind, "none", OURS, cause);
  if (status === 429)
    return said.code === "insufficient_quota"
      ? new UpstreamError(kind, "elsewhere", { ...THROTTLED, code: "upstream_quota_exceeded" }, cause)
      : new UpstreamError(kind, "again", THROTTLED, cause);
  if (SLOW.has(status)) return new UpstreamError(kind, "elsewhere", TOO_SLOW, cause);
  if (NOT_NOW.has(status)) return new UpstreamError(kind, "again", NOT_READY, cause);
  // Not followed: the key would go wherever the server says.
  if (status >= 300 && status < 400) return new UpstreamError(kind, "none", OURS, cause);
  return new UpstreamError(kind, status >= 500 ? "again" : "none", FAILED, cause);
}

const TOO_LONG = /context length|maximum context|too long|max_model_len|too many tokens/i;
const CODE = /^[a-z0-9_.-]{1,64}$/i;
const PARAM = /^[\w.[\]-]{1,128}$/;

function invalid(kind: string, said: Record<string, unknown>, cause: Error): UpstreamError {
  const message = harmless(said.message) ?? "The model's server does not take this request.";
  const { code, param } = said;
  const named = typeof code === "string" && CODE.test(code) ? code : "upstream_validation";
  return new UpstreamError(
    kind,
    "none",
    {
      status: 400,
      type: "invalid_request_error",
      code: TOO_LONG.test(message) ? "context_length_exceeded" : named,
      message,
      param: typeof param === "string" && PARAM.test(param) ? param : null,
    },
    cause,
  );
}

/** A server's words, which may repeat what it was sent, as logs and the audit may hold them. */
function harmless(message: unknown): string | null {
  if (typeof message !== "string" || message === "") return null;
  return applyPolicy(message, DEFAULT_POLICY).auditText.slice(0, MAX_MESSAGE);
}

/** The server answered, but not as OpenAI's wire has it. */
export const badAnswer = (what: string) =>
  new UpstreamError("bad_answer", "again", FAILED, new Error(`The server sent ${what}`));

export const tooLargeAnswer = () =>
  new UpstreamError("answer_too_large", "none", {
    status: 502,
    type: "upstream_error",
    code: "answer_too_large",
    message: "The answer is larger than the platform can check. Ask for less, or for a stream.",
  });
