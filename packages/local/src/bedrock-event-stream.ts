/**
 * An answer as ConverseStream sends it: binary messages of application/vnd.amazon.eventstream, with their checksums.
 * Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
 */
import { EventStreamCodec } from "@smithy/core/event-streams";
import type { Answer } from "./bedrock-answer.ts";
import type { BedrockFault } from "./bedrock-fault.ts";

const utf8 = new TextDecoder();
const codec = new EventStreamCodec(
  (bytes) => utf8.decode(bytes),
  (text) => new TextEncoder().encode(text),
);

export interface StreamItem {
  type: string;
  body: object;
}

/** Characters of text and of a call's input that one event carries. */
const PIECE = 12;

export function* eventsOf(answer: Answer, latencyMs: number): Generator<StreamItem> {
  yield { type: "messageStart", body: { role: "assistant" } };
  for (const [contentBlockIndex, block] of answer.content.entries()) {
    if (block.toolUse) {
      const { toolUseId, name, input } = block.toolUse;
      yield {
        type: "contentBlockStart",
        body: { contentBlockIndex, start: { toolUse: { toolUseId, name } } },
      };
      // Claude sends no input at all for a call without arguments.
      const written = Object.keys(input as object).length > 0 ? JSON.stringify(input) : "";
      for (const piece of pieces(written)) yield delta(contentBlockIndex, { toolUse: { input: piece } });
    } else if (block.reasoningContent?.reasoningText) {
      const { text = "", signature } = block.reasoningContent.reasoningText;
      for (const piece of pieces(text)) yield delta(contentBlockIndex, { reasoningContent: { text: piece } });
      yield delta(contentBlockIndex, { reasoningContent: { signature } });
    } else for (const text of pieces(block.text ?? "")) yield delta(contentBlockIndex, { text });
    yield { type: "contentBlockStop", body: { contentBlockIndex } };
  }
  const { stopReason, stopSequence, usage } = answer;
  const more =
    stopSequence === null ? {} : { additionalModelResponseFields: { stop_sequence: stopSequence } };
  yield { type: "messageStop", body: { stopReason, ...more } };
  yield { type: "metadata", body: { usage, metrics: { latencyMs } } };
}

const delta = (contentBlockIndex: number, piece: object): StreamItem => ({
  type: "contentBlockDelta",
  body: { contentBlockIndex, delta: piece },
});

function pieces(text: string): string[] {
  const characters = [...text];
  const count = Math.ceil(characters.length / PIECE);
  return Array.from({ length: count }, (_, n) => characters.slice(n * PIECE, (n + 1) * PIECE).join(""));
}

const string = (value: string) => ({ type: "string" as const, value });

export function encodeEvent({ type, body }: StreamItem): Uint8Array {
  return codec.encode({
    headers: {
      ":event-type": string(type),
      ":content-type": string("application/json"),
      ":message-type": string("event"),
    },
    body: Buffer.from(JSON.stringify(body)),
  });
}

export function encodeException({ fault, message }: BedrockFault): Uint8Array {
  return codec.encode({
    headers: {
      ":exception-type": string(fault[0]?.toLowerCase() + fault.slice(1)),
      ":content-type": string("application/json"),
      ":message-type": string("exception"),
    },
    body: Buffer.from(JSON.stringify({ message })),
  });
}
