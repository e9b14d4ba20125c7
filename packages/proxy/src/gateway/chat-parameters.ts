/** The parameters of a chat completion that are neither messages nor tools, and what becomes of each. */
import type { ChatAbility } from "@central-llm/core/model";
import type { ChatRequest } from "./chat-request.ts";
import { invalid, type Refusal, unsupported } from "./refusal.ts";
import { cannotHonour, type Draft } from "./translation.ts";

type Loose = Record<string, unknown>;

/** Parameters that the translation reads, and hints whose loss changes no answer. Everything else is refused. */
const KNOWN = new Set([
  ...["model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "stop"],
  ...["stream", "stream_options", "tools", "tool_choice", "parallel_tool_calls", "response_format"],
  ...["reasoning_effort", "thinking", "metadata", "service_tier"],
  ...["user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"],
]);

/** Parameters that Bedrock cannot honour, the values that ask for nothing, and why the others are refused. */
const NOT_ON_BEDROCK: Record<string, { harmless: (value: unknown) => boolean; why: string }> = {
  n: { harmless: (n) => n === 1, why: "Bedrock gives one answer a call." },
  logprobs: { harmless: (on) => on === false, why: "Bedrock gives no log probabilities." },
  top_logprobs: { harmless: (n) => n === 0, why: "Bedrock gives no log probabilities." },
  logit_bias: { harmless: isEmpty, why: "Bedrock takes no biases." },
  frequency_penalty: { harmless: (n) => n === 0, why: "Claude takes no penalties." },
  presence_penalty: { harmless: (n) => n === 0, why: "Claude takes no penalties." },
  seed: { harmless: () => false, why: "Claude's answers cannot be made to repeat." },
  modalities: {
    harmless: (list) => Array.isArray(list) && list.every((item) => item === "text"),
    why: "The answer is text.",
  },
  audio: { harmless: () => false, why: "The answer is text." },
  prediction: { harmless: () => false, why: "Bedrock takes no predicted output." },
  web_search_options: { harmless: () => false, why: "The gateway does not search the web." },
  store: { harmless: (on) => on === false, why: "The gateway stores no completions for retrieval." },
  functions: { harmless: isEmpty, why: "Take 'tools' in its place." },
  function_call: { harmless: () => false, why: "Take 'tool_choice' in its place." },
  verbosity: { harmless: (level) => level === "medium", why: "Say it in the prompt." },
  moderation: { harmless: () => false, why: "The gateway's own filters apply." },
};

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

export function refuseUnsupported(draft: Draft, request: Loose): void {
  for (const [name, value] of Object.entries(request)) {
    if (KNOWN.has(name) || value === null || value === undefined) continue;
    const known = Object.hasOwn(NOT_ON_BEDROCK, name) ? NOT_ON_BEDROCK[name] : undefined;
    if (known?.harmless(value)) continue;
    cannotHonour(draft, unsupported(name, known?.why ?? "The gateway does not know it."));
  }
}

/** @returns the caller's limit of the answer in tokens, or null for none */
export function outputLimit(
  draft: Pick<Draft, "settings" | "dropped">,
  param: string,
  limit: number | null | undefined,
): number | null {
  const { maxOutputTokens } = draft.settings.ability;
  if (limit === null || limit === undefined) return null;
  if (limit <= maxOutputTokens) return limit;
  const why = `${limit} is more than this model can answer with: ${maxOutputTokens} tokens.`;
  cannotHonour(draft, invalid(param, why, "max_tokens_exceeded"));
  return maxOutputTokens;
}

interface Sampling {
  temperature?: number | null | undefined;
  top_p?: number | null | undefined;
  top_k?: number | null | undefined;
}

/** @param thinking with it Claude takes neither a temperature nor top_k, and a top_p of 0.95 at least */
export function sample(draft: Draft, wanted: Sampling, thinking: boolean): void {
  const { ability } = draft.settings;
  // 1 is the default of both, and some models refuse even that.
  let temperature = wanted.temperature === 1 ? null : (wanted.temperature ?? null);
  let topP = wanted.top_p === 1 ? null : (wanted.top_p ?? null);
  let topK = wanted.top_k ?? null;
  if (temperature !== null && temperature > 1) {
    const why = "Claude's temperature goes from 0 to 1.";
    cannotHonour(draft, invalid("temperature", `Invalid 'temperature': ${why}`));
    temperature = null;
  }
  const refused = (name: string) => cannotHonour(draft, samplingRefusal(ability, name, thinking));
  const none = ability.sampling === "none";
  if (temperature !== null && (none || thinking)) {
    refused("temperature");
    temperature = null;
  }
  if (topP !== null && (none || (thinking && topP < 0.95))) {
    refused("top_p");
    topP = null;
  }
  if (topK !== null && (none || thinking)) {
    refused("top_k");
    topK = null;
  }
  if (temperature !== null && topP !== null && ability.sampling === "one") {
    cannotHonour(draft, unsupported("top_p", "This model takes 'temperature' or 'top_p', not both."));
    topP = null;
  }
  const config = draft.input.inferenceConfig ?? {};
  if (temperature !== null) config.temperature = temperature;
  if (topP !== null) config.topP = topP;
  draft.input.inferenceConfig = config;
  if (topK !== null) draft.fields.top_k = topK;
}

function samplingRefusal(ability: ChatAbility, name: string, thinking: boolean): Refusal {
  const why = ability.sampling === "none" ? "This model does not take it." : "It does not go with thinking.";
  return unsupported(name, thinking && ability.sampling !== "none" ? "It does not go with thinking." : why);
}

export function stopSequences(draft: Draft, param: string, stop: string[]): void {
  const kept = stop.filter((sequence) => sequence.trim() !== "");
  if (kept.length < stop.length)
    cannotHonour(draft, unsupported(param, "Claude takes no stop sequence of white space only."));
  if (kept.length === 0) return;
  draft.input.inferenceConfig = { ...draft.input.inferenceConfig, stopSequences: kept };
  // Converse says that a sequence stopped the answer, but not which one, unless it is asked for.
  draft.input.additionalModelResponseFieldPaths = ["/stop_sequence"];
}

const METADATA = /^[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}$/;

/** OpenAI's metadata become Bedrock's, which its invocation log shows. What Bedrock's pattern forbids stays behind. */
export function requestMetadata(draft: Draft, metadata: Record<string, string> | null | undefined): void {
  const fit = Object.entries(metadata ?? {})
    .filter(([name, value]) => METADATA.test(name) && METADATA.test(value))
    .slice(0, 16);
  if (fit.length > 0) draft.input.requestMetadata = Object.fromEntries(fit);
}

/** `auto` and `default` are what happens anyway. */
export function serviceTier(draft: Draft, tier: string | null | undefined): void {
  if (!tier || tier === "auto" || tier === "default") return;
  if (tier === "flex" || tier === "priority") draft.input.serviceTier = { type: tier };
  else cannotHonour(draft, unsupported("service_tier", "Bedrock has default, flex and priority."));
}

export const stopList = (stop: ChatRequest["stop"]) =>
  stop === null || stop === undefined ? [] : typeof stop === "string" ? [stop] : stop;
