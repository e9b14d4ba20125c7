/** Puts the events of a ConverseStream together into what Converse would have answered, also of a stream that broke off. */
import type { ContentBlock, ConverseResponse, ReasoningContentBlock } from "@aws-sdk/client-bedrock-runtime";
import type { StreamEvent } from "./translation.ts";

interface Block {
  text: string;
  tool: { toolUseId: string; name: string; input: string } | null;
  thought: string;
  signature: string | undefined;
  redacted: Uint8Array | undefined;
  thinks: boolean;
}

const newBlock = (): Block => ({
  text: "",
  tool: null,
  thought: "",
  signature: undefined,
  redacted: undefined,
  thinks: false,
});

export class ConverseAssembly {
  readonly #blocks = new Map<number, Block>();
  #rest: Pick<ConverseResponse, "stopReason" | "usage" | "additionalModelResponseFields"> = {
    stopReason: undefined,
    usage: undefined,
  };
  /** Of all texts, arguments and thoughts so far. */
  characters = 0;

  add(event: StreamEvent): void {
    const { contentBlockDelta, contentBlockStart, messageStop, metadata } = event;
    if (contentBlockDelta?.delta) {
      const block = this.#at(contentBlockDelta.contentBlockIndex ?? 0);
      const { text, toolUse, reasoningContent } = contentBlockDelta.delta;
      if (text !== undefined) block.text += this.#counted(text);
      if (toolUse) {
        block.tool ??= { toolUseId: "", name: "", input: "" };
        block.tool.input += this.#counted(toolUse.input ?? "");
      }
      if (reasoningContent) {
        block.thinks = true;
        block.thought += this.#counted(reasoningContent.text ?? "");
        block.signature ??= reasoningContent.signature;
        block.redacted ??= reasoningContent.redactedContent;
      }
    } else if (contentBlockStart?.start?.toolUse) {
      const { toolUseId = "", name = "" } = contentBlockStart.start.toolUse;
      this.#at(contentBlockStart.contentBlockIndex ?? 0).tool = { toolUseId, name, input: "" };
    } else if (messageStop) {
      const { stopReason, additionalModelResponseFields } = messageStop;
      this.#rest = { ...this.#rest, stopReason, additionalModelResponseFields };
    } else if (metadata) {
      this.#rest = { ...this.#rest, usage: metadata.usage };
    }
  }

  whole(): ConverseResponse {
    const inOrder = [...this.#blocks].sort(([a], [b]) => a - b);
    const content = inOrder.map(([, block]) => contentOf(block));
    return {
      output: { message: { role: "assistant", content } },
      metrics: { latencyMs: 0 },
      ...this.#rest,
    };
  }

  #at(index: number): Block {
    let block = this.#blocks.get(index);
    if (block === undefined) {
      block = newBlock();
      this.#blocks.set(index, block);
    }
    return block;
  }

  #counted(text: string): string {
    this.characters += text.length;
    return text;
  }
}

function contentOf({ text, tool, thinks, thought, signature, redacted }: Block): ContentBlock {
  if (tool) {
    const { toolUseId, name, input } = tool;
    return { toolUse: { toolUseId, name, input: argumentsOf(input) as never } };
  }
  if (!thinks) return { text };
  const reasoningContent: ReasoningContentBlock =
    redacted === undefined
      ? { reasoningText: { text: thought, ...(signature === undefined ? {} : { signature }) } }
      : { redactedContent: redacted };
  return { reasoningContent };
}

/** What the stream's end cut off is kept as its text. */
function argumentsOf(input: string): unknown {
  if (input === "") return {};
  try {
    return JSON.parse(input);
  } catch {
    return input;
  }
}
