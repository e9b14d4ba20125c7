/**
 * OpenAI's chat completion request, as far as the gateway reads it, with LiteLLM's additions for Claude (`cache_control`,
 * `thinking_blocks`, `thinking`, `top_k`). Source: https://platform.openai.com/docs/api-reference/chat/create
 */
import { z } from "zod";

const cacheControl = z.looseObject({ type: z.string(), ttl: z.string().optional() });
const cached = { cache_control: cacheControl.nullish() };

const textPart = z.looseObject({ type: z.literal("text"), text: z.string(), ...cached });
const refusalPart = z.looseObject({ type: z.literal("refusal"), refusal: z.string() });
const imagePart = z.looseObject({
  type: z.literal("image_url"),
  image_url: z.union([z.string(), z.looseObject({ url: z.string() })]),
  ...cached,
});
const filePart = z.looseObject({
  type: z.literal("file"),
  file: z.looseObject({ file_data: z.string().nullish(), filename: z.string().nullish() }),
  ...cached,
});
const audioPart = z.looseObject({ type: z.literal("input_audio") });

const userPart = z.discriminatedUnion("type", [textPart, imagePart, filePart, audioPart]);
const assistantPart = z.discriminatedUnion("type", [textPart, refusalPart]);
const toolPart = z.discriminatedUnion("type", [textPart, imagePart]);

const toolCall = z.looseObject({
  id: z.string().min(1),
  type: z.string().default("function"),
  function: z.looseObject({ name: z.string(), arguments: z.string() }).optional(),
});

const thinkingBlock = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("thinking"), thinking: z.string(), signature: z.string().nullish() }),
  z.looseObject({ type: z.literal("redacted_thinking"), data: z.string() }),
]);

const message = z.discriminatedUnion("role", [
  z.looseObject({
    role: z.enum(["system", "developer"]),
    content: z.union([z.string(), z.array(textPart)]),
    ...cached,
  }),
  z.looseObject({ role: z.literal("user"), content: z.union([z.string(), z.array(userPart)]), ...cached }),
  z.looseObject({
    role: z.literal("assistant"),
    content: z.union([z.string(), z.array(assistantPart)]).nullish(),
    refusal: z.string().nullish(),
    tool_calls: z.array(toolCall).nullish(),
    thinking_blocks: z.array(thinkingBlock).nullish(),
    ...cached,
  }),
  z.looseObject({
    role: z.literal("tool"),
    content: z.union([z.string(), z.array(toolPart)]),
    tool_call_id: z.string().min(1),
    ...cached,
  }),
]);

const tool = z.looseObject({
  type: z.string(),
  function: z
    .looseObject({
      name: z.string(),
      description: z.string().nullish(),
      parameters: z.record(z.string(), z.unknown()).nullish(),
      strict: z.boolean().nullish(),
    })
    .optional(),
  ...cached,
});

const toolChoice = z.union([
  z.enum(["none", "auto", "required"]),
  z.looseObject({ type: z.string(), function: z.looseObject({ name: z.string() }).optional() }),
]);

const responseFormat = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("text") }),
  z.looseObject({ type: z.literal("json_object") }),
  z.looseObject({
    type: z.literal("json_schema"),
    json_schema: z.looseObject({
      name: z.string().default("answer"),
      description: z.string().nullish(),
      schema: z.record(z.string(), z.unknown()).nullish(),
      strict: z.boolean().nullish(),
    }),
  }),
]);

export const chatRequest = z.looseObject({
  model: z.string(),
  messages: z.array(message).min(1),
  max_tokens: z.int().positive().nullish(),
  max_completion_tokens: z.int().positive().nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_k: z.int().positive().nullish(),
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  tools: z.array(tool).nullish(),
  tool_choice: toolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  response_format: responseFormat.nullish(),
  reasoning_effort: z.enum(["none", "minimal", "low", "medium", "high", "xhigh", "max"]).nullish(),
  thinking: z.looseObject({ type: z.string(), budget_tokens: z.int().nullish() }).nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  service_tier: z.string().nullish(),
});

export type ChatRequest = z.output<typeof chatRequest>;
export type ChatMessage = ChatRequest["messages"][number];
export type ChatTool = NonNullable<ChatRequest["tools"]>[number];
export type UserPart = z.output<typeof userPart>;
