/** The filter for whole bodies: a request before it goes to a model, an answer that came in one piece. */
import type { ApiError } from "./api-error.ts";
import { detect } from "./pii-detector.ts";
import { rewriteTexts } from "./pii-document.ts";
import { type Finding, type Match, strictestOf, sumFindings } from "./pii-entity.ts";
import { applyMatches } from "./pii-mask.ts";
import type { PiiPolicy } from "./pii-policy.ts";
import { blockedError, causeOf, FILTER_UNAVAILABLE } from "./pii-refusal.ts";

/**
 * `pass`: send `body`, which is the caller's own object unless something was masked. `blocked`: 400. `failed`: 503,
 * and the audit gets no body at all. `auditBody` has every value replaced, flagged ones too.
 */
export type FilterOutcome =
  | { outcome: "pass"; body: unknown; auditBody: unknown; findings: Finding[]; changed: boolean }
  | { outcome: "blocked"; auditBody: unknown; findings: Finding[]; error: ApiError }
  | { outcome: "failed"; error: ApiError; cause: string };

export type Detect = (text: string) => readonly Match[];

/** @param find the engine; values that are split over adjacent parts of a message are not joined */
export function filterRequest(body: unknown, policy: PiiPolicy, find: Detect = detect): FilterOutcome {
  return filterBody(body, policy, "request", find);
}

export function filterAnswer(body: unknown, policy: PiiPolicy, find: Detect = detect): FilterOutcome {
  return filterBody(body, policy, "answer", find);
}

function filterBody(
  body: unknown,
  policy: PiiPolicy,
  what: "request" | "answer",
  find: Detect,
): FilterOutcome {
  try {
    const found: Finding[] = [];
    const rewritten = rewriteTexts(body, (text) => {
      const filtered = applyMatches(text, find(text), policy);
      found.push(...filtered.findings);
      return filtered.text;
    });
    const findings = sumFindings(found);
    const masked = rewritten === body ? body : withoutLogProbs(rewritten);
    const auditBody =
      findings.length === 0
        ? body
        : withoutLogProbs(rewriteTexts(body, (text) => applyMatches(text, find(text), policy).auditText));
    if (strictestOf(findings) === "block") {
      return { outcome: "blocked", auditBody, findings, error: blockedError(findings, what) };
    }
    return { outcome: "pass", body: masked, auditBody, findings, changed: masked !== body };
  } catch (error) {
    return { outcome: "failed", error: FILTER_UNAVAILABLE, cause: causeOf(error) };
  }
}

/** Token by token, log probabilities would give away what is masked. */
function withoutLogProbs(body: unknown): unknown {
  const choices = (body as { choices?: unknown } | null)?.choices;
  if (!Array.isArray(choices)) return body;
  return {
    ...(body as object),
    choices: choices.map((choice) => (choice?.logprobs ? { ...choice, logprobs: null } : choice)),
  };
}
