/**
 * ConverseStream's events as Anthropic's server-sent events. Converse announces only tool calls' blocks, and counts tokens
 * in its last event: other blocks are announced here, and the message's end waits for the count.
 */
import type { ContentBlockDelta } from "@aws-sdk/client-bedrock-runtime";
import type { ApiError } from "@central-llm/core/api-error";
import { anthropicErrorBody } from "./anthropic-error.ts";
import type { AnswerSettings } from "./converse-to-chat.ts";
import { anthropicUsage, citation, stopReason, stopSequence } from "./converse-to-messages.ts";
import { type StreamEvent, type Usage, usageOf } from "./translation.ts";

const NO_USAGE = { promptTokens: 0, completionTokens: 0, cachedPromptTokens: 0, cacheWritePromptTokens: 0 };

const event = (type: string, data: object) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;

export class MessagesStreamEncoder {
  /** What the provider counted; null until it has said it, which is in its last event. */
  usage: Usage | null = null;
  readonly #settings: AnswerSettings;
  /** The open block: Converse's index of it, and ours, which skips what the client does not see. */
  #open: { converse: number; index: number } | null = null;
  #next = 0;
  #answerBlock = -1;
  #heldText = "";
  #calls = false;
  #stop: { reason: string; sequence: string | null } | null = null;

  constructor(settings: AnswerSettings) {
    this.#settings = settings;
  }

  /** @returns server-sent events for the client; empty when this event says nothing to it */
  push(item: StreamEvent): string {
    if (item.contentBlockDelta)
      return this.#delta(item.contentBlockDelta.delta, item.contentBlockDelta.contentBlockIndex ?? 0);
    if (item.messageStart) return this.#start();
    if (item.contentBlockStart?.start?.toolUse) {
      const { toolUseId: id = "", name = "" } = item.contentBlockStart.start.toolUse;
      return this.#call(item.contentBlockStart.contentBlockIndex ?? 0, id, name);
    }
    if (item.contentBlockStop) return this.#close();
    if (item.messageStop) {
      const { stopReason: reason, additionalModelResponseFields: fields } = item.messageStop;
      const held = this.#releaseText();
      this.#stop = { reason: stopReason(reason, this.#calls), sequence: stopSequence(reason, fields) };
      return held;
    }
    if (item.metadata) this.usage = usageOf(item.metadata.usage);
    return "";
  }

  /** After the last event. */
  end(): string {
    const { reason = "end_turn", sequence = null } = this.#stop ?? {};
    return (
      this.#close() +
      event("message_delta", {
        delta: { stop_reason: reason, stop_sequence: sequence },
        usage: anthropicUsage(this.usage ?? NO_USAGE),
      }) +
      event("message_stop", {})
    );
  }

  /** The stream broke off. */
  fail(error: ApiError): string {
    return `event: error\ndata: ${anthropicErrorBody(error)}\n\n`;
  }

  #start(): string {
    const { id, model } = this.#settings;
    const message = {
      id: `msg_${id}`,
      type: "message",
      role: "assistant",
      model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: anthropicUsage(NO_USAGE),
    };
    return event("message_start", { message });
  }

  #delta(delta: ContentBlockDelta | undefined, block: number): string {
    if (delta?.text !== undefined) return this.#text(delta.text, block);
    if (delta?.toolUse) return this.#input(delta.toolUse.input ?? "", block);
    if (delta?.citation) {
      const cited = citation({ ...delta.citation, sourceContent: delta.citation.sourceContent as never });
      return this.#into(block, TEXT, { type: "citations_delta", citation: cited });
    }
    const { text, signature, redactedContent } = delta?.reasoningContent ?? {};
    if (text !== undefined) return this.#into(block, THINKING, { type: "thinking_delta", thinking: text });
    if (signature !== undefined) return this.#into(block, THINKING, { type: "signature_delta", signature });
    if (redactedContent === undefined) return "";
    const data = Buffer.from(redactedContent).toString("base64");
    return this.#begin(block, { type: "redacted_thinking", data });
  }

  #text(text: string, block: number): string {
    if (this.#settings.answerTool === null) return this.#into(block, TEXT, { type: "text_delta", text });
    this.#heldText += text;
    return "";
  }

  #input(input: string, block: number): string {
    if (block === this.#answerBlock) return this.#into(block, TEXT, { type: "text_delta", text: input });
    return this.#into(block, null, { type: "input_json_delta", partial_json: input });
  }

  #call(block: number, id: string, name: string): string {
    if (name === this.#settings.answerTool) {
      this.#answerBlock = block;
      this.#heldText = "";
      return "";
    }
    this.#calls = true;
    return this.#begin(block, { type: "tool_use", id, name, input: {} });
  }

  /** Text that came where JSON was asked for, and no JSON after it. */
  #releaseText(): string {
    if (this.#heldText === "" || this.#answerBlock >= 0) return "";
    const text = this.#heldText;
    this.#heldText = "";
    return this.#into(Number.MAX_SAFE_INTEGER, TEXT, { type: "text_delta", text }) + this.#close();
  }

  #into(block: number, start: object | null, delta: object): string {
    const begun = this.#open?.converse === block ? "" : start ? this.#begin(block, start) : null;
    if (begun === null || this.#open === null) return "";
    return begun + event("content_block_delta", { index: this.#open.index, delta });
  }

  #begin(block: number, start: object): string {
    const closed = this.#close();
    this.#open = { converse: block, index: this.#next++ };
    return closed + event("content_block_start", { index: this.#open.index, content_block: start });
  }

  #close(): string {
    if (this.#open === null) return "";
    const { index } = this.#open;
    this.#open = null;
    return event("content_block_stop", { index });
  }
}

const TEXT = { type: "text", text: "", citations: null };
const THINKING = { type: "thinking", thinking: "", signature: "" };
