/**
 * What Bedrock's errors become for the caller. The provider's words reach the caller only where they are about the
 * request; what they say of our account, our permissions or our settings stays with us.
 * Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors
 */
import type { ApiError } from "@central-llm/core/api-error";

/** A call that failed at the provider. */
export class UpstreamError extends Error {
  /** What the caller is told. */
  readonly error: ApiError;
  /** A metric's label and the log's word: the provider's own name of the error, or ours. */
  readonly kind: string;
  /** Another try may help: at this model (`again`), or only at another (`elsewhere`). */
  readonly remedy: "again" | "elsewhere" | "none";

  constructor(kind: string, remedy: UpstreamError["remedy"], error: ApiError, cause?: unknown) {
    super(`${kind}: ${error.message}`, { cause });
    this.name = "UpstreamError";
    this.kind = kind;
    this.remedy = remedy;
    this.error = error;
  }
}

export const THROTTLED: ApiError = {
  status: 429,
  type: "rate_limit_error",
  code: "upstream_rate_limited",
  message: "The model's provider limits the rate of requests at the moment. Try again shortly.",
};
export const NOT_READY: ApiError = {
  status: 503,
  type: "overloaded_error",
  code: "upstream_unavailable",
  message: "The model is not available at the moment. Try again shortly.",
};
export const FAILED: ApiError = {
  status: 502,
  type: "upstream_error",
  code: "upstream_error",
  message: "The model failed to answer this request. Try again.",
};
export const TOO_SLOW: ApiError = {
  status: 504,
  type: "upstream_error",
  code: "upstream_timeout",
  message: "The model did not answer in time.",
};
export const OURS: ApiError = {
  status: 502,
  type: "upstream_error",
  code: "upstream_misconfigured",
  message: "The platform cannot call this model at the moment. Its operators can see why.",
};
const UNREACHABLE: ApiError = {
  ...NOT_READY,
  status: 502,
  message: "The model's provider cannot be reached.",
};

const BY_NAME: Record<string, [remedy: UpstreamError["remedy"], error: ApiError]> = {
  ThrottlingException: ["again", THROTTLED],
  TooManyRequestsException: ["again", THROTTLED],
  ServiceQuotaExceededException: ["elsewhere", { ...THROTTLED, code: "upstream_quota_exceeded" }],
  ServiceUnavailableException: ["again", NOT_READY],
  ModelNotReadyException: ["again", NOT_READY],
  InternalServerException: ["again", FAILED],
  ModelErrorException: ["again", FAILED],
  ModelStreamErrorException: ["again", FAILED],
  ModelTimeoutException: ["elsewhere", TOO_SLOW],
  AccessDeniedException: ["none", OURS],
  UnrecognizedClientException: ["none", OURS],
  InvalidSignatureException: ["none", OURS],
  ExpiredTokenException: ["none", OURS],
  ExpiredToken: ["none", OURS],
  CredentialsProviderError: ["none", OURS],
  ResourceNotFoundException: ["none", OURS],
};

const UNREACHABLE_CODES = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"]);

/** Of ValidationException: what our own settings caused, not the caller's request. */
const OUR_FAULT =
  /model identifier is invalid|on-demand throughput isn.t supported|inference profile|not authorized|end of its life|access to this model/i;
const TOO_LONG =
  /too long|too many (input )?tokens|exceeds? the (model's )?(maximum )?context|context (window|limit)/i;

/** @param problem what the SDK threw, before an answer or in the middle of one */
export function upstreamError(problem: unknown): UpstreamError {
  if (problem instanceof UpstreamError) return problem;
  const error = problem instanceof Error ? problem : new Error(String(problem));
  const name = error.name[0]?.toUpperCase() + error.name.slice(1);
  if (name === "ValidationException") return validation(error);
  const known = Object.hasOwn(BY_NAME, name) ? BY_NAME[name] : undefined;
  if (known) return new UpstreamError(name, known[0], known[1], error);
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (UNREACHABLE_CODES.has(code)) return new UpstreamError(code, "again", UNREACHABLE, error);
  if (name === "TimeoutError" || code === "ETIMEDOUT")
    return new UpstreamError("TimeoutError", "elsewhere", TOO_SLOW, error);
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 0;
  if (status === 429) return new UpstreamError(name, "again", THROTTLED, error);
  if (status === 403 || status === 401) return new UpstreamError(name, "none", OURS, error);
  if (status >= 400 && status < 500) return new UpstreamError(name, "none", FAILED, error);
  return new UpstreamError(code || name, "again", FAILED, error);
}

export const tooSlow = (what: string) => new UpstreamError(what, "elsewhere", TOO_SLOW);

function validation(error: Error): UpstreamError {
  if (OUR_FAULT.test(error.message)) return new UpstreamError("ValidationException", "none", OURS, error);
  const code = TOO_LONG.test(error.message) ? "context_length_exceeded" : "upstream_validation";
  const message = withoutSecrets(error.message) || "The model's provider does not take this request.";
  const refusal: ApiError = { status: 400, type: "invalid_request_error", code, message };
  return new UpstreamError("ValidationException", "none", refusal, error);
}

/** Ids of our account and of what is in it. */
function withoutSecrets(message: string): string {
  return message.replace(/arn:aws[^\s"',;)]*/g, "[resource]").replace(/\b\d{12}\b/g, "[account]");
}
