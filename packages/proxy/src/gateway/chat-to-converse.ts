/** An OpenAI chat completion request as a call of Bedrock's Converse. */
import { defaultOutputTokens } from "@central-llm/core/model";
import { addMessages } from "./chat-messages.ts";
import {
  outputLimit,
  refuseUnsupported,
  requestMetadata,
  sample,
  serviceTier,
  stopList,
  stopSequences,
} from "./chat-parameters.ts";
import { type ChatRequest, chatRequest } from "./chat-request.ts";
import { invalid, malformed, unsupported } from "./refusal.ts";
import { byEffort, thinks } from "./thinking.ts";
import { addTools, answerIn, answerInAnyJson, type Choice, type ToolDefinition } from "./tools.ts";
import {
  attempt,
  type Draft,
  newDraft,
  type Translated,
  type Translation,
  type TranslationSettings,
} from "./translation.ts";

/** @param body the request's parsed JSON; its model is already chosen, as `settings.ability` */
export function chatToConverse(body: unknown, settings: TranslationSettings): Translation {
  return attempt(() => {
    const parsed = chatRequest.safeParse(body);
    if (!parsed.success) throw malformed(parsed.error);
    return translate(parsed.data, newDraft(settings));
  });
}

function translate(request: ChatRequest, draft: Draft): Translated {
  refuseUnsupported(draft, request);
  addMessages(draft, request.messages);
  const maxOutputTokens = limitAndThink(draft, request);
  draft.input.inferenceConfig = { ...draft.input.inferenceConfig, maxTokens: maxOutputTokens };
  sample(draft, request, thinks(draft) && draft.settings.ability.sampling !== "none");
  stopSequences(draft, "stop", stopList(request.stop));
  addTools(draft, definitions(request), choice(request), "tool_choice", request.parallel_tool_calls ?? null);
  const answerTool = answerForm(draft, request);
  requestMetadata(draft, request.metadata);
  serviceTier(draft, request.service_tier);
  return finish(draft, {
    maxOutputTokens,
    stream: request.stream === true,
    includeUsage: request.stream_options?.include_usage === true,
    answerTool,
  });
}

/** Puts the draft's parts where Converse wants them. */
export function finish(
  draft: Draft,
  rest: Pick<Translated, "maxOutputTokens" | "stream" | "includeUsage" | "answerTool">,
): Translated {
  const { input } = draft;
  input.messages = draft.messages;
  if (draft.system.length > 0) input.system = draft.system;
  if (Object.keys(draft.fields).length > 0) input.additionalModelRequestFields = draft.fields as never;
  return { input, ...rest, dropped: draft.dropped };
}

function limitAndThink(draft: Draft, request: ChatRequest): number {
  const { ability } = draft.settings;
  const param = request.max_completion_tokens ? "max_completion_tokens" : "max_tokens";
  const limit = outputLimit(draft, param, request.max_completion_tokens ?? request.max_tokens);
  if (!request.thinking)
    return byEffort(draft, request.reasoning_effort, limit, defaultOutputTokens(ability));
  if (ability.thinking === "none" && request.thinking.type !== "disabled")
    throw unsupported("thinking", "This model does not think before it answers.");
  draft.fields.thinking = request.thinking;
  const budget = request.thinking.budget_tokens ?? 0;
  const answer = limit ?? Math.min(defaultOutputTokens(ability) + budget, ability.maxOutputTokens);
  if (budget >= answer)
    throw invalid("thinking.budget_tokens", "The budget must be less than the answer's limit.");
  return answer;
}

function definitions(request: ChatRequest): ToolDefinition[] {
  return (request.tools ?? []).map((tool, index) => {
    const param = `tools[${index}]`;
    if (tool.type !== "function" || !tool.function)
      throw unsupported(`${param}.type`, "Only tools of type 'function' are known.");
    const { name, description, parameters, strict } = tool.function;
    return {
      name,
      description,
      schema: parameters,
      strict,
      cacheControl: tool.cache_control,
      param: `${param}.function`,
    };
  });
}

function choice({ tool_choice: wanted, tools }: ChatRequest): Choice | null {
  if (wanted === null || wanted === undefined) return null;
  if (wanted !== "none" && (tools ?? []).length === 0)
    throw invalid("tool_choice", "'tool_choice' is only allowed when 'tools' are specified.");
  if (wanted === "auto" || wanted === "none") return { type: wanted };
  if (wanted === "required") return { type: "any" };
  if (wanted.type === "function" && wanted.function) return { type: "tool", name: wanted.function.name };
  throw unsupported("tool_choice.type", "Only 'function' is known.");
}

function answerForm(draft: Draft, { response_format: format }: ChatRequest): string | null {
  if (!format || format.type === "text") return null;
  if (format.type === "json_object" || !format.json_schema.schema) {
    answerInAnyJson(draft);
    return null;
  }
  const { name, description, schema } = format.json_schema;
  return answerIn(draft, { name, description, schema, param: "response_format.json_schema" });
}
