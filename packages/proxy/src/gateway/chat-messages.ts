/** OpenAI's messages as Converse's: system apart, tool results as the user's, roles that alternate. */
import type { ContentBlock, ToolResultContentBlock } from "@aws-sdk/client-bedrock-runtime";
import type { ChatMessage, UserPart } from "./chat-request.ts";
import { bytes, documentFromUrl, imageFromUrl } from "./media.ts";
import { invalid, unsupported } from "./refusal.ts";
import { toolUseId } from "./tool-call-id.ts";
import { addContent, cachePoint, type Draft } from "./translation.ts";

type Of<Role extends ChatMessage["role"]> = Extract<ChatMessage, { role: Role }>;

export function addMessages(draft: Draft, messages: ChatMessage[]): void {
  for (const [index, message] of messages.entries()) {
    const at = `messages[${index}]`;
    switch (message.role) {
      case "system":
      case "developer":
        addSystem(draft, message);
        break;
      case "user":
        addContent(draft, "user", userContent(draft, message, at));
        break;
      case "assistant":
        addContent(draft, "assistant", assistantContent(draft, message, at));
        break;
      case "tool":
        addContent(draft, "user", toolResult(draft, message, at));
    }
  }
  requireConversation(draft);
}

/** Bedrock wants a user's message first, and Claude no white space at the end of an answer that it is to go on with. */
export function requireConversation(draft: Draft): void {
  const [first] = draft.messages;
  if (!first) throw invalid("messages", "There must be at least one message of the user's.");
  if (first.role !== "user")
    throw invalid("messages", "The first message, after the system's, must be the user's.");
  const last = draft.messages.at(-1);
  const block = last?.role === "assistant" ? last.content?.at(-1) : undefined;
  if (block?.text !== undefined) (block as { text: string }).text = block.text.trimEnd();
}

function addSystem(draft: Draft, message: Of<"system" | "developer">): void {
  const parts = typeof message.content === "string" ? [{ text: message.content }] : message.content;
  for (const part of parts) {
    if (part.text.trim() === "") continue;
    draft.system.push({ text: part.text });
    draft.system.push(...cachePoint(draft, "cache_control" in part ? part.cache_control : null));
  }
  if (draft.system.length > 0) draft.system.push(...cachePoint(draft, message.cache_control));
}

function userContent(draft: Draft, message: Of<"user">, at: string): ContentBlock[] {
  const content: ContentBlock[] = [];
  if (typeof message.content === "string") content.push(...text(message.content));
  else
    for (const [index, part] of message.content.entries())
      content.push(...userPart(draft, part, `${at}.content[${index}]`));
  if (content.length === 0) throw invalid(`${at}.content`, "A message of the user's must not be empty.");
  return [...content, ...cachePoint(draft, message.cache_control)];
}

function userPart(draft: Draft, part: UserPart, at: string): ContentBlock[] {
  const { ability } = draft.settings;
  switch (part.type) {
    case "text":
      return [...text(part.text), ...cachePoint(draft, part.text.trim() === "" ? null : part.cache_control)];
    case "image_url": {
      if (!ability.images) throw unsupported(at, "This model takes no images.");
      const url = typeof part.image_url === "string" ? part.image_url : part.image_url.url;
      return [{ image: imageFromUrl(url, `${at}.image_url`) }, ...cachePoint(draft, part.cache_control)];
    }
    case "file": {
      if (!ability.documents) throw unsupported(at, "This model takes no documents.");
      const { file_data: data, filename } = part.file;
      if (!data)
        throw unsupported(`${at}.file`, "The gateway keeps no files: send its content as 'file_data'.");
      const document = documentFromUrl(data, filename ?? undefined, `${at}.file.file_data`);
      return [{ document }, ...cachePoint(draft, part.cache_control)];
    }
    case "input_audio":
      throw unsupported(at, "This model takes no audio.");
  }
}

function assistantContent(draft: Draft, message: Of<"assistant">, at: string): ContentBlock[] {
  const content: ContentBlock[] = [];
  for (const [index, block] of (message.thinking_blocks ?? []).entries()) {
    if (block.type === "thinking") content.push(reasoning(block.thinking, block.signature));
    else {
      const redactedContent = bytes(block.data, `${at}.thinking_blocks[${index}].data`);
      content.push({ reasoningContent: { redactedContent } });
    }
  }
  if (typeof message.content === "string") content.push(...text(message.content));
  else
    for (const part of message.content ?? []) {
      content.push(...text(part.type === "text" ? part.text : part.refusal));
      if (part.type === "text") content.push(...cachePoint(draft, part.cache_control));
    }
  if (message.refusal) content.push(...text(message.refusal));
  for (const [index, call] of (message.tool_calls ?? []).entries())
    content.push(toolUse(call, `${at}.tool_calls[${index}]`));
  return content.length === 0 ? [] : [...content, ...cachePoint(draft, message.cache_control)];
}

export function reasoning(thoughts: string, signature: string | null | undefined): ContentBlock {
  const signed = signature ? { signature } : {};
  return { reasoningContent: { reasoningText: { text: thoughts, ...signed } } };
}

type ToolCall = NonNullable<Of<"assistant">["tool_calls"]>[number];

function toolUse(call: ToolCall, at: string): ContentBlock {
  if (call.type !== "function" || !call.function)
    throw unsupported(`${at}.type`, "Only calls of functions are known.");
  let input: unknown;
  try {
    input = JSON.parse(call.function.arguments.trim() || "{}");
  } catch {
    input = null; // Refused below, with its place.
  }
  if (typeof input !== "object" || input === null || Array.isArray(input))
    throw invalid(`${at}.function.arguments`, "A call's arguments must be a JSON object in a string.");
  return {
    toolUse: { toolUseId: toolUseId(call.id), name: call.function.name, input: input as never },
  };
}

function toolResult(draft: Draft, message: Of<"tool">, at: string): ContentBlock[] {
  const parts = typeof message.content === "string" ? [] : message.content;
  const content: ToolResultContentBlock[] =
    typeof message.content === "string" ? [{ text: message.content }] : [];
  let mark = message.cache_control;
  for (const [index, part] of parts.entries()) {
    if (part.type === "text") content.push({ text: part.text });
    else {
      const url = typeof part.image_url === "string" ? part.image_url : part.image_url.url;
      content.push({ image: imageFromUrl(url, `${at}.content[${index}].image_url`) });
    }
    mark ??= part.cache_control;
  }
  const result = { toolUseId: toolUseId(message.tool_call_id), content };
  return [{ toolResult: result }, ...cachePoint(draft, mark)];
}

/** Claude refuses blank text. */
const text = (value: string): ContentBlock[] => (value.trim() === "" ? [] : [{ text: value }]);
