/** An Anthropic `/v1/messages` request as a call of Bedrock's Converse. */
import { requireConversation } from "./chat-messages.ts";
import { outputLimit, sample, stopSequences } from "./chat-parameters.ts";
import { finish } from "./chat-to-converse.ts";
import { addPrompt } from "./messages-content.ts";
import { countRequest, type MessagesRequest, messagesRequest, type Prompt } from "./messages-request.ts";
import { invalid, malformed, type Refusal, unsupported } from "./refusal.ts";
import { thinks } from "./thinking.ts";
import { addTools, answerIn, type Choice, type ToolDefinition } from "./tools.ts";
import {
  attempt,
  cannotHonour,
  type Draft,
  newDraft,
  type Translation,
  type TranslationSettings,
} from "./translation.ts";

export interface MessagesSettings extends TranslationSettings {
  /** The request's `anthropic-beta` header, if any. */
  betas?: string | undefined;
}

const KNOWN = new Set([
  ...["model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "max_tokens"],
  ...["temperature", "top_p", "top_k", "stop_sequences", "stream"],
]);

/** Hints, accounting and Anthropic's own upkeep of long contexts: an answer without them is still the answer. */
const HINTS = new Set([
  ...["metadata", "service_tier", "cache_control", "context_management", "diagnostics", "speed"],
  ...["inference_geo", "user_profile_id", "workspace_id", "betas"],
]);

/** The betas that Bedrock's Claude models know and that change how an answer comes; it refuses names that it does not know. */
const BETAS = new Set(["interleaved-thinking-2025-05-14", "context-1m-2025-08-07"]);

/** @param body the request's parsed JSON; its model is already chosen, as `settings.ability` */
export function messagesToConverse(body: unknown, settings: MessagesSettings): Translation {
  return attempt(() => {
    const parsed = messagesRequest.safeParse(body);
    if (!parsed.success) throw malformed(parsed.error);
    const draft = newDraft(settings);
    const request = parsed.data;
    refuseUnknown(draft, request);
    addPrompt(draft, request);
    requireConversation(draft);
    const maxOutputTokens = outputLimit(draft, "max_tokens", request.max_tokens) ?? request.max_tokens;
    draft.input.inferenceConfig = { maxTokens: maxOutputTokens };
    think(draft, request, maxOutputTokens);
    sample(draft, { ...request, top_k: request.top_k || null }, thinks(draft));
    stopSequences(draft, "stop_sequences", request.stop_sequences ?? []);
    const answerTool = toolsAndForm(draft, request);
    if (settings.ability.thinking === "budget") passBetas(draft, settings.betas);
    return finish(draft, {
      maxOutputTokens,
      stream: request.stream === true,
      includeUsage: true,
      answerTool,
    });
  });
}

/** `/v1/messages/count_tokens`: the same prompt, without an answer. */
export function countToConverse(body: unknown, settings: TranslationSettings): Translation {
  return attempt(() => {
    const parsed = countRequest.safeParse(body);
    if (!parsed.success) throw malformed(parsed.error);
    const draft = newDraft(settings);
    addPrompt(draft, parsed.data);
    requireConversation(draft);
    think(draft, parsed.data, Number.POSITIVE_INFINITY);
    toolsAndForm(draft, parsed.data);
    return finish(draft, { maxOutputTokens: 0, stream: false, includeUsage: false, answerTool: null });
  });
}

function refuseUnknown(draft: Draft, request: MessagesRequest): void {
  for (const [name, value] of Object.entries(request)) {
    if (KNOWN.has(name) || value === null || value === undefined) continue;
    if (HINTS.has(name)) {
      if (name !== "metadata" && name !== "service_tier") draft.dropped.push(name);
      continue;
    }
    cannotHonour(draft, unsupported(name, "Bedrock does not offer it."));
  }
}

function think(draft: Draft, { thinking, output_config: output }: Prompt, limit: number): void {
  const { ability } = draft.settings;
  if (output?.effort) {
    if (ability.thinking === "adaptive" || ability.thinking === "always")
      draft.input.outputConfig = { effort: output.effort };
    else cannotHonour(draft, unsupported("output_config.effort", "This model knows no effort."));
  }
  if (!thinking) return;
  const refusal = thinkingRefusal(ability.thinking, thinking.type);
  if (refusal) return cannotHonour(draft, refusal);
  if (ability.thinking === "none") return;
  const budget = thinking.budget_tokens ?? 0;
  if (budget >= limit)
    throw invalid("thinking.budget_tokens", "'max_tokens' must be greater than the budget.");
  draft.fields.thinking = thinking;
}

function thinkingRefusal(ability: string, type: string): Refusal | null {
  if (ability === "none" && type !== "disabled")
    return unsupported("thinking", "This model does not think before it answers.");
  if (ability === "budget" && (type === "adaptive" || type === "between_tools"))
    return unsupported("thinking.type", "This model takes 'enabled' with 'budget_tokens'.");
  if (ability === "always" && (type === "disabled" || type === "enabled"))
    return unsupported("thinking.type", "This model takes 'adaptive' with 'output_config.effort'.");
  return null;
}

function toolsAndForm(draft: Draft, prompt: Prompt): string | null {
  const { tool_choice: wanted, output_config: output } = prompt;
  const parallel = wanted && wanted.type !== "none" ? wanted.disable_parallel_tool_use !== true : true;
  const choice: Choice | null = !wanted
    ? null
    : wanted.type === "tool"
      ? { type: "tool", name: wanted.name }
      : { type: wanted.type };
  addTools(draft, definitions(prompt), choice, "tool_choice", parallel ? null : false);
  if (!output?.format) return null;
  const { schema } = output.format;
  return answerIn(draft, { name: "answer", description: null, schema, param: "output_config.format" });
}

function definitions(prompt: Prompt): ToolDefinition[] {
  return (prompt.tools ?? []).map((tool, index) => {
    const param = `tools[${index}]`;
    if (tool.type && tool.type !== "custom")
      throw unsupported(`${param}.type`, `Bedrock does not run tools of type '${tool.type}'.`);
    const { name, description, input_schema: schema, strict, cache_control: cacheControl } = tool;
    return { name, description, schema, strict, cacheControl, param };
  });
}

function passBetas(draft: Draft, header: string | undefined): void {
  const known = (header ?? "")
    .split(",")
    .map((beta) => beta.trim())
    .filter((beta) => BETAS.has(beta));
  if (known.length > 0) draft.fields.anthropic_beta = known;
}
