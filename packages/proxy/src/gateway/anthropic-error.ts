/** Errors in Anthropic's shape. Source: https://platform.claude.com/docs/en/api/errors */
import type { ApiError } from "@central-llm/core/api-error";

const TYPES: Record<number, string> = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  422: "invalid_request_error",
  429: "rate_limit_error",
  503: "overloaded_error",
  504: "timeout_error",
  529: "overloaded_error",
};

/** @param requestId as Anthropic puts it beside the error, where there is one */
export function anthropicErrorBody(error: ApiError, requestId?: string): string {
  const type = TYPES[error.status] ?? (error.status < 500 ? "invalid_request_error" : "api_error");
  return JSON.stringify({
    type: "error",
    error: { type, message: error.message },
    ...(requestId === undefined ? {} : { request_id: requestId }),
  });
}
