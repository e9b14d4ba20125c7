/** A request that ends here, with an answer of our own. */
import { type ApiError, INTERNAL } from "@central-llm/core/api-error";
import type { Outcome } from "@central-llm/core/audit-record";
import type { Refusal as LimitRefusal, RefusalAnswer } from "@central-llm/core/rate-limit";
import { Refusal } from "./refusal.ts";
import { UpstreamError } from "./upstream-error.ts";

export class RefusedRequest extends Error {
  readonly error: ApiError;
  readonly outcome: Outcome;
  readonly headers: Record<string, string>;
  /** A metric's label. */
  readonly reason: string;

  constructor(error: ApiError, outcome: Outcome, reason: string, headers: Record<string, string> = {}) {
    super(error.message);
    this.name = "RefusedRequest";
    this.error = error;
    this.outcome = outcome;
    this.reason = reason;
    this.headers = headers;
  }
}

/** @param answer with LiteLLM's words, as core/rate-limit.ts has them */
export const refusedBy = (answer: RefusalAnswer, outcome: Outcome, reason: string) =>
  new RefusedRequest(answer.error, outcome, reason, answer.headers);

/** Of keys and limits: a bad key is the client's error, a limit of rate has its own outcome, the rest is policy. */
export function limitOutcome({ reason }: LimitRefusal): Outcome {
  if (reason === "rate_limited") return "rate_limited";
  return reason === "model_denied" || reason === "over_budget" ? "blocked" : "client_error";
}

/** Clients of both wires wait so long before they try again by themselves. */
const AGAIN = { "retry-after": "1" };

/** Whatever was thrown on the way, as an answer. What is unknown is a fault of ours. */
export function refusalOf(problem: unknown): RefusedRequest {
  if (problem instanceof RefusedRequest) return problem;
  if (problem instanceof Refusal) return new RefusedRequest(problem.error, "client_error", "invalid");
  if (problem instanceof UpstreamError) {
    const { status } = problem.error;
    const outcome = status === 429 ? "rate_limited" : status < 500 ? "client_error" : "upstream_error";
    return new RefusedRequest(
      problem.error,
      outcome,
      "upstream",
      status === 429 || status === 503 ? AGAIN : {},
    );
  }
  // Its nearest outcome: it was neither the client's nor the upstream's doing that no answer came.
  return new RefusedRequest(INTERNAL, "interrupted", "internal");
}
