/**
 * What was read for Bedrock's Converse as a chat completion request of an OpenAI-compatible server: so Anthropic's messages get there.
 * Cache points, request metadata and service tiers have no counterpart and change no answer.
 */
import type {
  ContentBlock,
  DocumentBlock,
  ImageBlock,
  Message,
  ToolChoice,
  ToolResultBlock,
} from "@aws-sdk/client-bedrock-runtime";
import type { CompatibleTarget, Model } from "@central-llm/core/model";
import { nameThere } from "./compatible-request.ts";
import type { Json } from "./model-route.ts";
import { unsupported } from "./refusal.ts";
import type { ConverseInput } from "./translation.ts";

/** @throws Refusal for what the wire has no form for */
export function converseAsChat(input: ConverseInput, model: Model): Json {
  const { maxTokens, temperature, topP, stopSequences } = input.inferenceConfig ?? {};
  const fields = (input.additionalModelRequestFields ?? {}) as Json;
  const effort = input.outputConfig?.effort;
  return without({
    model: nameThere(model),
    messages: [...system(input), ...(input.messages ?? []).flatMap(messages)],
    [(model.target as CompatibleTarget).limitParameter]: maxTokens,
    temperature,
    top_p: topP,
    top_k: fields.top_k,
    stop: stopSequences,
    // The servers' scale ends there.
    reasoning_effort: effort === "xhigh" || effort === "max" ? "high" : effort,
    ...tools(input, fields.tool_choice),
    response_format: answerFormat(input),
  });
}

const without = (request: Json): Json =>
  Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));

function system({ system: blocks = [] }: ConverseInput): Json[] {
  const text = blocks.flatMap((block) => (block.text === undefined ? [] : [block.text])).join("\n\n");
  return text === "" ? [] : [{ role: "system", content: text }];
}

function messages({ role, content = [] }: Message): Json[] {
  return role === "assistant" ? [assistant(content)] : users(content);
}

/** Thoughts stay behind: only the server that signed them could read them. */
function assistant(content: ContentBlock[]): Json {
  const calls = content.flatMap(({ toolUse }) => {
    if (!toolUse) return [];
    const { toolUseId: id, name, input } = toolUse;
    return [{ id, type: "function", function: { name, arguments: JSON.stringify(input ?? {}) } }];
  });
  const text = content.map((block) => block.text ?? "").join("");
  return {
    role: "assistant",
    content: text === "" && calls.length > 0 ? null : text,
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
  };
}

/** Tools' results are messages of their own, right behind the calls. */
function users(content: ContentBlock[]): Json[] {
  const results = content.flatMap(({ toolResult }) => (toolResult ? [toolResult] : []));
  const pictures = results.flatMap(({ content: parts = [] }) => parts.flatMap(({ image }) => image ?? []));
  const parts = [...pictures.map(picture), ...content.flatMap(part)];
  const [only] = parts;
  const text = parts.length === 1 && only?.type === "text" ? only.text : parts;
  return [
    ...results.map(toolMessage),
    ...(parts.length > 0 ? [{ role: "user", content: text } satisfies Json] : []),
  ];
}

function toolMessage({ toolUseId, content = [] }: ToolResultBlock): Json {
  const texts = content.map((block) => {
    if (block.text !== undefined) return block.text;
    if (block.searchResult) return found(block.searchResult);
    return block.document ? textOf(block.document) : "";
  });
  return { role: "tool", tool_call_id: toolUseId, content: texts.join("\n") };
}

function part(block: ContentBlock): Json[] {
  if (block.text !== undefined) return [{ type: "text", text: block.text }];
  if (block.image) return [picture(block.image)];
  if (block.document) return [{ type: "text", text: textOf(block.document) }];
  return block.searchResult ? [{ type: "text", text: found(block.searchResult) }] : [];
}

function picture({ format, source }: ImageBlock): Json {
  const data = Buffer.from(source?.bytes ?? []).toString("base64");
  return { type: "image_url", image_url: { url: `data:image/${format};base64,${data}` } };
}

function textOf({ source }: DocumentBlock): string {
  if (source?.text !== undefined) return source.text;
  if (source?.content) return source.content.map(({ text }) => text ?? "").join("\n");
  throw unsupported("messages", "This model takes documents as text alone.");
}

const found = ({ title, source, content = [] }: NonNullable<ContentBlock["searchResult"]>) =>
  [`${title} (${source})`, ...content.map(({ text }) => text ?? "")].join("\n");

interface WantedChoice {
  type?: string;
  name?: string;
  disable_parallel_tool_use?: boolean;
}

function tools({ toolConfig }: ConverseInput, field: unknown): Json {
  const specs = (toolConfig?.tools ?? []).flatMap(({ toolSpec }) => toolSpec ?? []);
  if (specs.length === 0) return {};
  const wanted = (field ?? {}) as WantedChoice;
  return {
    tools: specs.map(({ name, description, inputSchema, strict }) => ({
      type: "function",
      function: without({ name, description, parameters: inputSchema?.json, strict }),
    })),
    tool_choice: wanted.type === undefined ? choice(toolConfig?.toolChoice) : named(wanted),
    parallel_tool_calls: wanted.disable_parallel_tool_use ? false : undefined,
  };
}

const one = (name: string | undefined): Json => ({ type: "function", function: { name } });

function choice(wanted: ToolChoice | undefined): Json[string] {
  if (wanted?.tool) return one(wanted.tool.name);
  return wanted?.any ? "required" : wanted?.auto ? "auto" : undefined;
}

const named = ({ type, name }: WantedChoice) =>
  type === "tool" ? one(name) : type === "any" ? "required" : type;

function answerFormat({ outputConfig }: ConverseInput): Json | undefined {
  const form = outputConfig?.textFormat?.structure?.jsonSchema;
  if (!form) return undefined;
  const { name = "answer", schema = "{}" } = form;
  return { type: "json_schema", json_schema: { name, schema: JSON.parse(schema), strict: true } };
}
