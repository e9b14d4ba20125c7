/** Converse's answer as Anthropic's message. */
import type { Citation, ContentBlock, ConverseResponse, StopReason } from "@aws-sdk/client-bedrock-runtime";
import type { AnswerSettings } from "./converse-to-chat.ts";
import { type Usage, usageOf } from "./translation.ts";

export type AnthropicStop =
  | "end_turn"
  | "max_tokens"
  | "stop_sequence"
  | "tool_use"
  | "refusal"
  | "model_context_window_exceeded";

export type AnthropicBlock =
  | { type: "text"; text: string; citations: null | object[] }
  | { type: "thinking"; thinking: string; signature: string }
  | { type: "redacted_thinking"; data: string }
  | { type: "tool_use"; id: string; name: string; input: unknown };

export interface AnthropicUsage {
  input_tokens: number;
  output_tokens: number;
  cache_creation_input_tokens: number;
  cache_read_input_tokens: number;
}

export interface AnthropicMessage {
  id: string;
  type: "message";
  role: "assistant";
  model: string;
  content: AnthropicBlock[];
  stop_reason: AnthropicStop | null;
  stop_sequence: string | null;
  usage: AnthropicUsage;
}

export function converseToMessages(output: ConverseResponse, settings: AnswerSettings): AnthropicMessage {
  const blocks = (output.output?.message?.content ?? []).flatMap((block) => contentBlock(block));
  const isAnswer = (block: AnthropicBlock) => block.type === "tool_use" && block.name === settings.answerTool;
  const content = blocks.some(isAnswer)
    ? blocks
        .filter(({ type }) => type !== "text")
        .map(
          (block): AnthropicBlock =>
            block.type === "tool_use" && isAnswer(block)
              ? { type: "text", text: JSON.stringify(block.input), citations: null }
              : block,
        )
    : blocks;
  const calls = content.some(({ type }) => type === "tool_use");
  return {
    id: `msg_${settings.id}`,
    type: "message",
    role: "assistant",
    model: settings.model,
    content,
    stop_reason: stopReason(output.stopReason, calls),
    stop_sequence: stopSequence(output.stopReason, output.additionalModelResponseFields),
    usage: anthropicUsage(usageOf(output.usage)),
  };
}

function contentBlock(block: ContentBlock): AnthropicBlock[] {
  if (block.text !== undefined) return [{ type: "text", text: block.text, citations: null }];
  if (block.citationsContent) {
    const { content = [], citations = [] } = block.citationsContent;
    const text = content.map((part) => part.text ?? "").join("");
    return [{ type: "text", text, citations: citations.map(citation) }];
  }
  if (block.toolUse) {
    const { toolUseId: id = "", name = "", input } = block.toolUse;
    return [{ type: "tool_use", id, name, input: input ?? {} }];
  }
  if (block.reasoningContent?.redactedContent) {
    const data = Buffer.from(block.reasoningContent.redactedContent).toString("base64");
    return [{ type: "redacted_thinking", data }];
  }
  if (block.reasoningContent?.reasoningText) {
    const { text = "", signature = "" } = block.reasoningContent.reasoningText;
    return [{ type: "thinking", thinking: text, signature }];
  }
  return [];
}

/** Converse's citation as Anthropic's, by the place that it names. */
export function citation({ title, source, sourceContent, location }: Citation): object {
  const cited = (sourceContent ?? []).map(({ text }) => text ?? "").join("");
  const common = { cited_text: cited, document_title: title ?? null };
  const { documentChar, documentPage, documentChunk, searchResultLocation } = location ?? {};
  if (documentChar)
    return {
      type: "char_location",
      ...common,
      document_index: documentChar.documentIndex,
      start_char_index: documentChar.start,
      end_char_index: documentChar.end,
    };
  if (documentPage)
    return {
      type: "page_location",
      ...common,
      document_index: documentPage.documentIndex,
      start_page_number: documentPage.start,
      end_page_number: documentPage.end,
    };
  if (searchResultLocation)
    return {
      type: "search_result_location",
      cited_text: cited,
      title: title ?? null,
      source: source ?? "",
      search_result_index: searchResultLocation.searchResultIndex,
      start_block_index: searchResultLocation.start,
      end_block_index: searchResultLocation.end,
    };
  return {
    type: "content_block_location",
    ...common,
    document_index: documentChunk?.documentIndex ?? 0,
    start_block_index: documentChunk?.start ?? 0,
    end_block_index: documentChunk?.end ?? 0,
  };
}

/** @param calls whether the answer holds calls of the caller's tools, which the answer tool's is not */
export function stopReason(reason: StopReason | undefined, calls: boolean): AnthropicStop {
  switch (reason) {
    case "max_tokens":
    case "stop_sequence":
    case "model_context_window_exceeded":
      return reason;
    case "tool_use":
      return calls ? "tool_use" : "end_turn";
    case "content_filtered":
    case "guardrail_intervened":
      return "refusal";
    default:
      return "end_turn";
  }
}

/** @param fields Converse's `additionalModelResponseFields`, asked for as `/stop_sequence` */
export function stopSequence(reason: StopReason | undefined, fields: unknown): string | null {
  if (reason !== "stop_sequence" || typeof fields !== "object" || fields === null) return null;
  const sequence = (fields as { stop_sequence?: unknown }).stop_sequence;
  return typeof sequence === "string" ? sequence : null;
}

/** Anthropic counts cached tokens apart, as Bedrock does. */
export function anthropicUsage(usage: Usage): AnthropicUsage {
  return {
    input_tokens: usage.promptTokens - usage.cachedPromptTokens - usage.cacheWritePromptTokens,
    output_tokens: usage.completionTokens,
    cache_creation_input_tokens: usage.cacheWritePromptTokens,
    cache_read_input_tokens: usage.cachedPromptTokens,
  };
}
