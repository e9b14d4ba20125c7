/** A stream that is sent when all of it is there. */
import type { ConverseResponse } from "@aws-sdk/client-bedrock-runtime";
import type { StreamEvent } from "./translation.ts";

/** The events of an answer, each block's text in one. */
export function* eventsOf(output: ConverseResponse): Generator<StreamEvent> {
  yield { messageStart: { role: "assistant" } };
  for (const [index, block] of (output.output?.message?.content ?? []).entries()) {
    const delta = (piece: object) =>
      ({ contentBlockDelta: { contentBlockIndex: index, delta: piece } }) as StreamEvent;
    if (block.toolUse) {
      const { toolUseId, name, input } = block.toolUse;
      yield { contentBlockStart: { contentBlockIndex: index, start: { toolUse: { toolUseId, name } } } };
      yield delta({ toolUse: { input: JSON.stringify(input) } });
    } else if (block.reasoningContent) {
      const { reasoningText, redactedContent } = block.reasoningContent;
      if (reasoningText) yield delta({ reasoningContent: { text: reasoningText.text } });
      if (reasoningText?.signature) yield delta({ reasoningContent: { signature: reasoningText.signature } });
      if (redactedContent) yield delta({ reasoningContent: { redactedContent } });
    } else {
      yield delta({ text: block.text ?? "" });
    }
    yield { contentBlockStop: { contentBlockIndex: index } };
  }
  const { stopReason, additionalModelResponseFields, usage, metrics } = output;
  yield { messageStop: { stopReason, additionalModelResponseFields } };
  yield { metadata: { usage, metrics } };
}

/** @param text whole server-sent events with JSON in them */
export function jsonOf(text: string): object[] {
  return text
    .split("\n\n")
    .filter((event) => event !== "")
    .map((event) => JSON.parse(event.slice(event.indexOf("data: ") + 6)));
}

/** Anthropic's events say their type twice. */
export function sseOf(events: readonly object[]): string {
  return events
    .map((event) => {
      const { type } = event as { type?: unknown };
      return `${typeof type === "string" ? `event: ${type}\n` : ""}data: ${JSON.stringify(event)}\n\n`;
    })
    .join("");
}
