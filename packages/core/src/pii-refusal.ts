/** What a client learns when the filter stops something: the kinds of data, never a value. */
import type { ApiError } from "./api-error.ts";
import type { Finding } from "./pii-entity.ts";

export function blockedError(findings: readonly Finding[], what: "request" | "answer"): ApiError {
  const kinds = findings
    .filter(({ action }) => action === "block")
    .map(({ entity, count }) => `${entity} (${count})`)
    .join(", ");
  return {
    status: 400,
    type: "invalid_request_error",
    code: "pii_blocked",
    message: `The ${what} holds data that the policy of this platform blocks: ${kinds}.`,
  };
}

/** The filter itself failed: nothing passes. The cause goes to the log by its class only, as its text may hold data. */
export const FILTER_UNAVAILABLE: ApiError = {
  status: 503,
  type: "service_unavailable",
  code: "pii_filter_unavailable",
  message: "The content filter could not check this. Nothing was passed on; try again.",
};

/** What may be logged of a failure of the filter. */
export function causeOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
