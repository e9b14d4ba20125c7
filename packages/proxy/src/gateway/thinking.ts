/**
 * Thinking. Claude up to 4.5 takes a budget of tokens, later ones an effort; both travel as the model's own fields.
 * Source: https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html and -adaptive-thinking.html
 */
import { invalid, unsupported } from "./refusal.ts";
import { cannotHonour, type Draft } from "./translation.ts";

export type Effort = "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max";

/** Claude's least budget. */
const LEAST = 1_024;
/** The part of the answer's limit that thoughts may take, so that some is left for the answer. */
const MOST = 0.8;
/** LiteLLM's budgets for OpenAI's efforts, so that a switch from it changes no bill. */
const BUDGETS: Record<Exclude<Effort, "none">, number> = {
  minimal: LEAST,
  low: LEAST,
  medium: 2_048,
  high: 4_096,
  xhigh: 8_192,
  max: 16_384,
};

/**
 * OpenAI's `reasoning_effort`.
 * @param limit the answer's limit in tokens: the caller's, or null for none
 * @param fallbackLimit what the answer may have when the caller says nothing
 * @returns the answer's limit, thinking included
 */
export function byEffort(
  draft: Draft,
  effort: Effort | null | undefined,
  limit: number | null,
  fallbackLimit: number,
): number {
  const answer = limit ?? fallbackLimit;
  if (effort === null || effort === undefined) return answer;
  const { ability } = draft.settings;
  switch (ability.thinking) {
    case "none":
      if (effort !== "none")
        cannotHonour(draft, unsupported("reasoning_effort", "This model does not think before it answers."));
      return answer;
    case "budget":
      return effort === "none" ? answer : withBudget(draft, BUDGETS[effort], limit, fallbackLimit);
    case "always":
      if (effort === "none") {
        cannotHonour(draft, unsupported("reasoning_effort", "This model always thinks: take 'low'."));
        return answer;
      }
      adaptive(draft, effort);
      return answer;
    case "adaptive":
      if (effort === "none") draft.fields.thinking = { type: "disabled" };
      else adaptive(draft, effort);
      return answer;
  }
}

function adaptive(draft: Draft, effort: Exclude<Effort, "none">): void {
  // Later models send no text of their thoughts unless they are asked for it.
  draft.fields.thinking =
    draft.settings.ability.sampling === "none"
      ? { type: "adaptive", display: "summarized" }
      : { type: "adaptive" };
  draft.input.outputConfig = {
    ...draft.input.outputConfig,
    effort: effort === "minimal" ? "low" : effort,
  };
}

function withBudget(draft: Draft, wanted: number, limit: number | null, fallbackLimit: number): number {
  if (!thoughtsAreKept(draft)) {
    // Claude refuses to think on in a tool loop whose thoughts are lost, and OpenAI's clients do not send them back.
    draft.dropped.push("reasoning_effort");
    return limit ?? fallbackLimit;
  }
  const { maxOutputTokens } = draft.settings.ability;
  // OpenAI's limit includes reasoning, as Claude's does; a default of ours must leave room for both.
  const answer = limit ?? Math.min(fallbackLimit + wanted, maxOutputTokens);
  const budget = Math.min(wanted, Math.floor(answer * MOST));
  if (budget < LEAST) {
    const why = `With 'reasoning_effort' the answer's limit must be at least ${LEAST / MOST} tokens.`;
    cannotHonour(draft, invalid("reasoning_effort", why, "unsupported_parameter"));
    return answer;
  }
  draft.fields.thinking = { type: "enabled", budget_tokens: budget };
  return answer;
}

/** Whether the last turn of the assistant's, if it called tools, still carries its signed thoughts. */
function thoughtsAreKept(draft: Draft): boolean {
  const last = draft.messages.findLast(({ role }) => role === "assistant");
  const content = last?.content ?? [];
  return !content.some((block) => block.toolUse) || content.some((block) => block.reasoningContent);
}

export const thinks = (draft: Draft) =>
  isThinking(draft.fields.thinking) || draft.settings.ability.thinking === "always";

const isThinking = (thinking: unknown) =>
  typeof thinking === "object" && thinking !== null && "type" in thinking && thinking.type !== "disabled";
