/** What a policy makes of a text. */
import { detect } from "./pii-detector.ts";
import {
  type Action,
  type Finding,
  type Match,
  placeholderOf,
  strictestOf,
  sumFindings,
} from "./pii-entity.ts";
import type { PiiPolicy } from "./pii-policy.ts";

export interface Filtered {
  /** The strictest action that something in the text calls for. */
  action: Action | "pass";
  /** For the model: values that the policy masks or blocks replaced. When `action` is `block` nothing is sent at all. */
  text: string;
  /** For the audit, which never holds a value (issue 5): every one replaced, flagged ones too. */
  auditText: string;
  findings: Finding[];
}

export function applyPolicy(text: string, policy: PiiPolicy): Filtered {
  return applyMatches(text, detect(text), policy);
}

/** @param matches from left to right, without overlap */
export function applyMatches(text: string, matches: readonly Match[], policy: PiiPolicy): Filtered {
  if (matches.length === 0) return { action: "pass", text, auditText: text, findings: [] };
  const findings = sumFindings(matches.map(({ entity }) => ({ entity, count: 1, action: policy[entity] })));
  const changed = matches.filter(({ entity }) => policy[entity] !== "flag");
  return {
    action: strictestOf(findings),
    text: replace(text, changed),
    auditText: replace(text, matches),
    findings,
  };
}

function replace(text: string, matches: readonly Match[]): string {
  let result = "";
  let from = 0;
  for (const { entity, start, end } of matches) {
    result += text.slice(from, start) + placeholderOf(entity);
    from = end;
  }
  return result + text.slice(from);
}
