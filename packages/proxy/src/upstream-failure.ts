/** What went wrong between us and the model server, in the client's words and as a metric's label. */
import type { ApiError } from "@central-llm/core/api-error";

interface Failure {
  error: ApiError;
  kind: string;
}

function failure(kind: string, status: 502 | 504, message: string): Failure {
  const code = status === 504 ? "upstream_timeout" : "upstream_unavailable";
  return { kind, error: { status, type: "upstream_error", code, message } };
}

const DOWN = "The model server cannot be reached. Try again shortly.";
const BROKEN = "The model server broke off the connection before it answered.";

/** @param problem what undici reports (https://undici.nodejs.org, "Errors") or the system's error */
export function upstreamFailure(problem: Error): Failure {
  const code = (problem as NodeJS.ErrnoException).code ?? problem.name;
  switch (code) {
    case "UND_ERR_CONNECT_TIMEOUT":
      return failure("connect_timeout", 504, "The model server did not accept a connection in time.");
    case "UND_ERR_HEADERS_TIMEOUT":
      return failure("first_byte_timeout", 504, "The model server did not begin its answer in time.");
    case "UND_ERR_BODY_TIMEOUT":
      return failure("idle_timeout", 504, "The model server stopped in the middle of its answer.");
    case "ECONNREFUSED":
    case "ENOTFOUND":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EAI_AGAIN":
      return failure("unreachable", 502, DOWN);
    case "ECONNRESET":
    case "EPIPE":
    case "UND_ERR_SOCKET":
      return failure("reset", 502, BROKEN);
    default:
      if (code.startsWith("HPE_"))
        return failure("bad_response", 502, "The model server's answer was not valid HTTP.");
      return failure("other", 502, BROKEN);
  }
}

export const drained = (): ApiError => ({
  status: 503,
  type: "overloaded_error",
  code: "shutting_down",
  message: "This instance of the platform is shutting down. Try again: another one will answer.",
});

export const auditUnavailable = (): ApiError => ({
  status: 503,
  type: "audit_unavailable",
  code: "audit_unavailable",
  message:
    "This request cannot be audited at the moment, and the platform is set to refuse what it cannot audit.",
});

export const clientGone = () => ({
  type: "client_aborted",
  message: "The client closed the connection before the answer's end.",
});
