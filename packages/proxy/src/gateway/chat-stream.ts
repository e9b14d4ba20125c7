/** ConverseStream's events as OpenAI's server-sent `chat.completion.chunk`s. */
import type { ContentBlockDelta, StopReason } from "@aws-sdk/client-bedrock-runtime";
import { type ApiError, errorBody } from "@central-llm/core/api-error";
import { type AnswerSettings, chatUsage, finishReason, type ThinkingBlock } from "./converse-to-chat.ts";
import { type StreamEvent, type Usage, usageOf } from "./translation.ts";

/** A tool call in the making, by its block's index in Converse. */
interface OpenCall {
  index: number;
  empty: boolean;
}

interface Delta {
  role?: "assistant";
  content?: string;
  reasoning_content?: string;
  thinking_blocks?: ThinkingBlock[];
  tool_calls?: {
    index: number;
    id?: string;
    type?: "function";
    function: { name?: string; arguments: string };
  }[];
}

export class ChatStreamEncoder {
  /** What the provider counted; null until it has said it, which is in its last event. */
  usage: Usage | null = null;
  readonly #settings: AnswerSettings;
  readonly #includeUsage: boolean;
  readonly #head: string;
  readonly #calls = new Map<number, OpenCall>();
  #answerBlock = -1;
  #answered = false;
  /** Text before a forced answer, which is none of the answer's JSON unless no answer follows. */
  #heldText = "";
  #stop: StopReason | undefined;

  constructor(settings: AnswerSettings, includeUsage: boolean) {
    this.#settings = settings;
    this.#includeUsage = includeUsage;
    const { id, created, model } = settings;
    const head = { id: `chatcmpl-${id}`, object: "chat.completion.chunk", created, model };
    this.#head = `data: ${JSON.stringify(head).slice(0, -1)},"choices":[`;
  }

  /** @returns server-sent events for the client; empty when this event says nothing to it */
  push(event: StreamEvent): string {
    if (event.contentBlockDelta)
      return this.#delta(event.contentBlockDelta.delta, event.contentBlockDelta.contentBlockIndex ?? 0);
    if (event.messageStart) return this.#chunk({ role: "assistant", content: "" });
    if (event.contentBlockStart?.start?.toolUse) {
      const { toolUseId = "", name = "" } = event.contentBlockStart.start.toolUse;
      return this.#call(event.contentBlockStart.contentBlockIndex ?? 0, toolUseId, name);
    }
    if (event.contentBlockStop) return this.#endOfBlock(event.contentBlockStop.contentBlockIndex ?? 0);
    if (event.messageStop) {
      this.#stop = event.messageStop.stopReason;
      return this.#finish();
    }
    if (event.metadata) this.usage = usageOf(event.metadata.usage);
    return "";
  }

  /** After the last event. */
  end(): string {
    if (!this.#includeUsage || this.usage === null) return "data: [DONE]\n\n";
    const usage = JSON.stringify(chatUsage(this.usage));
    return `${this.#head}],"usage":${usage}}\n\ndata: [DONE]\n\n`;
  }

  /** The stream broke off. OpenAI's clients throw at an event with an `error`; `[DONE]` would say that all is well. */
  fail(error: ApiError): string {
    return `data: ${errorBody(error)}\n\n`;
  }

  #delta(delta: ContentBlockDelta | undefined, block: number): string {
    if (delta?.text !== undefined) return this.#text(delta.text);
    if (delta?.toolUse) return this.#arguments(block, delta.toolUse.input ?? "");
    if (!delta?.reasoningContent) return "";
    const { text, signature, redactedContent } = delta.reasoningContent;
    if (text !== undefined) return this.#chunk({ reasoning_content: text });
    if (signature !== undefined)
      return this.#chunk({ thinking_blocks: [{ type: "thinking", thinking: "", signature }] });
    if (redactedContent === undefined) return "";
    const data = Buffer.from(redactedContent).toString("base64");
    return this.#chunk({ thinking_blocks: [{ type: "redacted_thinking", data }] });
  }

  #text(text: string): string {
    if (this.#settings.answerTool === null) return text === "" ? "" : this.#chunk({ content: text });
    this.#heldText += text;
    return "";
  }

  #call(block: number, id: string, name: string): string {
    if (name === this.#settings.answerTool) {
      this.#answerBlock = block;
      this.#answered = true;
      return "";
    }
    const call = { index: this.#calls.size, empty: true };
    this.#calls.set(block, call);
    return this.#chunk({
      tool_calls: [{ index: call.index, id, type: "function", function: { name, arguments: "" } }],
    });
  }

  #arguments(block: number, input: string): string {
    if (input === "") return "";
    if (block === this.#answerBlock) return this.#chunk({ content: input });
    const call = this.#calls.get(block);
    if (!call) return "";
    call.empty = false;
    return this.#chunk({ tool_calls: [{ index: call.index, function: { arguments: input } }] });
  }

  /** Claude sends nothing for a call without arguments; OpenAI's clients parse what they got, and "" is not JSON. */
  #endOfBlock(block: number): string {
    const call = this.#calls.get(block);
    if (!call?.empty) return "";
    call.empty = false;
    return this.#chunk({ tool_calls: [{ index: call.index, function: { arguments: "{}" } }] });
  }

  #finish(): string {
    const held = this.#heldText !== "" && !this.#answered ? this.#chunk({ content: this.#heldText }) : "";
    return held + this.#chunk({}, finishReason(this.#stop, this.#calls.size > 0));
  }

  #chunk(delta: Delta, finish: string | null = null): string {
    const usage = this.#includeUsage ? ',"usage":null' : "";
    return `${this.#head}{"index":0,"delta":${JSON.stringify(delta)},"logprobs":null,"finish_reason":${JSON.stringify(finish)}}]${usage}}\n\n`;
  }
}
