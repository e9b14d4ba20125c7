/**
 * Anthropic's `/v1/messages` request, as far as the gateway reads it.
 * Source: https://platform.claude.com/docs/en/api/messages
 */
import { z } from "zod";

const cacheControl = z.looseObject({ type: z.string(), ttl: z.string().optional() });
const cached = { cache_control: cacheControl.nullish() };
const citations = z.looseObject({ enabled: z.boolean().optional() }).nullish();

const text = z.looseObject({ type: z.literal("text"), text: z.string(), ...cached });
const source = z.looseObject({
  type: z.string(),
  media_type: z.string().optional(),
  data: z.string().optional(),
  content: z.unknown().optional(),
});
const image = z.looseObject({ type: z.literal("image"), source, ...cached });
const document = z.looseObject({
  type: z.literal("document"),
  source,
  title: z.string().nullish(),
  context: z.string().nullish(),
  citations,
  ...cached,
});
const searchResult = z.looseObject({
  type: z.literal("search_result"),
  source: z.string(),
  title: z.string(),
  content: z.array(text),
  citations,
  ...cached,
});
const toolUse = z.looseObject({
  type: z.literal("tool_use"),
  id: z.string().min(1),
  name: z.string(),
  input: z.record(z.string(), z.unknown()),
  ...cached,
});
const toolResult = z.looseObject({
  type: z.literal("tool_result"),
  tool_use_id: z.string().min(1),
  content: z
    .union([z.string(), z.array(z.discriminatedUnion("type", [text, image, document, searchResult]))])
    .nullish(),
  is_error: z.boolean().nullish(),
  ...cached,
});
const thinking = z.looseObject({
  type: z.literal("thinking"),
  thinking: z.string(),
  signature: z.string(),
});
const redacted = z.looseObject({ type: z.literal("redacted_thinking"), data: z.string() });

const block = z.discriminatedUnion("type", [
  text,
  image,
  document,
  searchResult,
  toolUse,
  toolResult,
  thinking,
  redacted,
]);

const message = z.looseObject({
  role: z.enum(["user", "assistant"]),
  content: z.union([z.string(), z.array(block)]),
});

const tool = z.looseObject({
  name: z.string(),
  type: z.string().nullish(),
  description: z.string().nullish(),
  input_schema: z.record(z.string(), z.unknown()).optional(),
  strict: z.boolean().nullish(),
  ...cached,
});

const toolChoice = z.discriminatedUnion("type", [
  z.looseObject({ type: z.enum(["auto", "any"]), disable_parallel_tool_use: z.boolean().optional() }),
  z.looseObject({
    type: z.literal("tool"),
    name: z.string(),
    disable_parallel_tool_use: z.boolean().optional(),
  }),
  z.looseObject({ type: z.literal("none") }),
]);

/** What count_tokens takes too. */
const prompt = {
  model: z.string(),
  messages: z.array(message).min(1),
  system: z.union([z.string(), z.array(text)]).nullish(),
  tools: z.array(tool).nullish(),
  tool_choice: toolChoice.nullish(),
  thinking: z
    .looseObject({
      type: z.enum(["enabled", "disabled", "adaptive", "between_tools"]),
      budget_tokens: z.int().min(1_024).nullish(),
    })
    .nullish(),
  output_config: z
    .looseObject({
      effort: z.enum(["low", "medium", "high", "xhigh", "max"]).nullish(),
      format: z
        .looseObject({ type: z.literal("json_schema"), schema: z.record(z.string(), z.unknown()) })
        .nullish(),
    })
    .nullish(),
};

export const countRequest = z.looseObject(prompt);

export const messagesRequest = z.looseObject({
  ...prompt,
  max_tokens: z.int().positive(),
  temperature: z.number().min(0).max(1).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_k: z.int().min(0).nullish(),
  stop_sequences: z.array(z.string()).nullish(),
  stream: z.boolean().nullish(),
});

export type MessagesRequest = z.output<typeof messagesRequest>;
export type Prompt = z.output<typeof countRequest>;
export type Block = z.output<typeof block>;
export type Source = z.output<typeof source>;
export type DocumentPart = z.output<typeof document>;
export type SearchResultPart = z.output<typeof searchResult>;
export type ImagePart = z.output<typeof image>;
export type TextPart = z.output<typeof text>;
