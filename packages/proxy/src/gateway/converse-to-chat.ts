/** Converse's answer as OpenAI's chat completion, with LiteLLM's `reasoning_content` and `thinking_blocks`. */
import type { ContentBlock, ConverseResponse, StopReason } from "@aws-sdk/client-bedrock-runtime";
import { type Usage, usageOf } from "./translation.ts";

export interface AnswerSettings {
  /** The answer's id without prefix, e.g. the request's id. */
  id: string;
  /** The model's name as the caller wrote it. */
  model: string;
  /** Seconds since 1970. */
  created: number;
  /** As in Translated. */
  answerTool: string | null;
}

export type FinishReason = "stop" | "length" | "tool_calls" | "content_filter";

export interface ChatUsage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: { cached_tokens: number; cache_write_tokens: number };
}

export type ThinkingBlock =
  | { type: "thinking"; thinking: string; signature: string }
  | { type: "redacted_thinking"; data: string };

export interface ToolCall {
  id: string;
  type: "function";
  function: { name: string; arguments: string };
}

export interface ChatCompletion {
  id: string;
  object: "chat.completion";
  created: number;
  model: string;
  choices: [
    {
      index: 0;
      message: {
        role: "assistant";
        content: string | null;
        refusal: null;
        tool_calls?: ToolCall[];
        reasoning_content?: string;
        thinking_blocks?: ThinkingBlock[];
      };
      logprobs: null;
      finish_reason: FinishReason;
    },
  ];
  usage: ChatUsage;
}

export function converseToChat(output: ConverseResponse, settings: AnswerSettings): ChatCompletion {
  const message = new AnswerMessage(settings.answerTool);
  for (const block of output.output?.message?.content ?? []) message.add(block);
  return {
    id: `chatcmpl-${settings.id}`,
    object: "chat.completion",
    created: settings.created,
    model: settings.model,
    choices: [
      {
        index: 0,
        message: message.result(),
        logprobs: null,
        finish_reason: finishReason(output.stopReason, message.toolCalls.length > 0),
      },
    ],
    usage: chatUsage(usageOf(output.usage)),
  };
}

class AnswerMessage {
  readonly toolCalls: ToolCall[] = [];
  readonly #answerTool: string | null;
  readonly #thinking: ThinkingBlock[] = [];
  #text = "";
  #answer: string | null = null;

  constructor(answerTool: string | null) {
    this.#answerTool = answerTool;
  }

  add(block: ContentBlock): void {
    if (block.text !== undefined) this.#text += block.text;
    else if (block.citationsContent)
      for (const { text } of block.citationsContent.content ?? []) this.#text += text ?? "";
    else if (block.reasoningContent) this.#thinking.push(thinkingBlock(block.reasoningContent));
    else if (block.toolUse) {
      const { toolUseId: id = "", name = "", input } = block.toolUse;
      const written = JSON.stringify(input ?? {});
      if (name === this.#answerTool) this.#answer = written;
      else this.toolCalls.push({ id, type: "function", function: { name, arguments: written } });
    }
  }

  result(): ChatCompletion["choices"][0]["message"] {
    const text = this.#answer ?? this.#text;
    const thoughts = this.#thinking
      .map((block) => (block.type === "thinking" ? block.thinking : ""))
      .join("");
    return {
      role: "assistant",
      content: text === "" && this.toolCalls.length > 0 ? null : text,
      refusal: null,
      ...(this.toolCalls.length > 0 ? { tool_calls: this.toolCalls } : {}),
      ...(this.#thinking.length > 0 ? { reasoning_content: thoughts, thinking_blocks: this.#thinking } : {}),
    };
  }
}

function thinkingBlock(block: NonNullable<ContentBlock["reasoningContent"]>): ThinkingBlock {
  if (block.redactedContent)
    return { type: "redacted_thinking", data: Buffer.from(block.redactedContent).toString("base64") };
  const { text = "", signature = "" } = block.reasoningText ?? {};
  return { type: "thinking", thinking: text, signature };
}

/** @param calls whether the answer holds calls of the caller's tools, which the answer tool's is not */
export function finishReason(reason: StopReason | undefined, calls: boolean): FinishReason {
  switch (reason) {
    case "tool_use":
      return calls ? "tool_calls" : "stop";
    case "max_tokens":
    case "model_context_window_exceeded":
      return "length";
    case "content_filtered":
    case "guardrail_intervened":
      return "content_filter";
    default:
      // end_turn, stop_sequence, and the malformed_* ones, which OpenAI's wire has no word for: the text is what it is.
      return "stop";
  }
}

export function chatUsage(usage: Usage): ChatUsage {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: {
      cached_tokens: usage.cachedPromptTokens,
      cache_write_tokens: usage.cacheWritePromptTokens,
    },
  };
}
