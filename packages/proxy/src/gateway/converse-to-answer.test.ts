/** The table of Bedrock's answers and what OpenAI's and Anthropic's clients get of each, whole and streamed. */
import type { Message } from "@anthropic-ai/sdk/resources/messages";
import type { ConverseResponse, StopReason } from "@aws-sdk/client-bedrock-runtime";
import type { ChatCompletion } from "openai/resources/chat/completions";
import { describe, expect, it } from "vitest";
import { assembleStream } from "../stream-assembly.ts";
import { ChatStreamEncoder } from "./chat-stream.ts";
import { type AnswerSettings, converseToChat } from "./converse-to-chat.ts";
import { converseToMessages } from "./converse-to-messages.ts";
import { MessagesStreamEncoder } from "./messages-stream.ts";
import type { StreamEvent } from "./translation.ts";

const usage = {
  inputTokens: 10,
  outputTokens: 5,
  totalTokens: 115,
  cacheReadInputTokens: 60,
  cacheWriteInputTokens: 40,
};

const answer = (
  content: NonNullable<NonNullable<ConverseResponse["output"]>["message"]>["content"],
  stopReason: StopReason = "end_turn",
  more: Partial<ConverseResponse> = {},
): ConverseResponse => ({
  output: { message: { role: "assistant", content } },
  stopReason,
  usage,
  metrics: { latencyMs: 1 },
  ...more,
});

const settings: AnswerSettings = { id: "r1", model: "m", created: 7, answerTool: null };
const bytes = Buffer.from("hidden");
const use = (name: string, input: object) => ({
  toolUse: { toolUseId: `id_${name}`, name, input: input as never },
});
const thought = { reasoningContent: { reasoningText: { text: "Hm.", signature: "sig" } } };

type ChatMessage = Partial<ChatCompletion["choices"][0]["message"]> & Record<string, unknown>;
type AnthropicContent = Partial<Message["content"][0]>[];

interface Case {
  name: string;
  output: ConverseResponse;
  answerTool?: string;
  message: ChatMessage;
  finish: ChatCompletion["choices"][0]["finish_reason"];
  content: AnthropicContent;
  stop: Message["stop_reason"];
}

const CASES = [
  {
    name: "text",
    output: answer([{ text: "A" }, { text: "B" }]),
    message: { role: "assistant", content: "AB", refusal: null },
    finish: "stop",
    content: [
      { type: "text", text: "A" },
      { type: "text", text: "B" },
    ],
    stop: "end_turn",
  },
  {
    name: "thoughts",
    output: answer([thought, { text: "A" }]),
    message: {
      content: "A",
      reasoning_content: "Hm.",
      thinking_blocks: [{ type: "thinking", thinking: "Hm.", signature: "sig" }],
    },
    finish: "stop",
    content: [
      { type: "thinking", thinking: "Hm.", signature: "sig" },
      { type: "text", text: "A" },
    ],
    stop: "end_turn",
  },
  {
    name: "hidden thoughts",
    output: answer([{ reasoningContent: { redactedContent: bytes } }, { text: "A" }]),
    message: {
      content: "A",
      thinking_blocks: [{ type: "redacted_thinking", data: bytes.toString("base64") }],
    },
    finish: "stop",
    content: [
      { type: "redacted_thinking", data: bytes.toString("base64") },
      { type: "text", text: "A" },
    ],
    stop: "end_turn",
  },
  {
    name: "calls, with and without arguments",
    output: answer([{ text: "Now:" }, use("a", { x: 1 }), use("b", {})], "tool_use"),
    message: {
      content: "Now:",
      tool_calls: [
        { id: "id_a", type: "function", function: { name: "a", arguments: '{"x":1}' } },
        { id: "id_b", type: "function", function: { name: "b", arguments: "{}" } },
      ],
    },
    finish: "tool_calls",
    content: [
      { type: "text", text: "Now:" },
      { type: "tool_use", id: "id_a", name: "a", input: { x: 1 } },
      { type: "tool_use", id: "id_b", name: "b", input: {} },
    ],
    stop: "tool_use",
  },
  {
    name: "a call alone",
    output: answer([use("a", { x: 1 })], "tool_use"),
    message: {
      content: null,
      tool_calls: [{ id: "id_a", type: "function", function: { name: "a", arguments: '{"x":1}' } }],
    },
    finish: "tool_calls",
    content: [{ type: "tool_use", id: "id_a", name: "a", input: { x: 1 } }],
    stop: "tool_use",
  },
  {
    name: "the forced answer, without what was said before it",
    output: answer([{ text: "Here you are:" }, use("thing", { x: 1 })], "tool_use"),
    answerTool: "thing",
    message: { content: '{"x":1}' },
    finish: "stop",
    content: [{ type: "text", text: '{"x":1}' }],
    stop: "end_turn",
  },
  {
    name: "text where an answer was forced and did not come",
    output: answer([{ text: "I cannot." }]),
    answerTool: "thing",
    message: { content: "I cannot." },
    finish: "stop",
    content: [{ type: "text", text: "I cannot." }],
    stop: "end_turn",
  },
  {
    name: "a call of the caller's where an answer was possible",
    output: answer([use("a", { x: 1 })], "tool_use"),
    answerTool: "thing",
    message: {
      content: null,
      tool_calls: [{ id: "id_a", type: "function", function: { name: "a", arguments: '{"x":1}' } }],
    },
    finish: "tool_calls",
    content: [{ type: "tool_use", id: "id_a", name: "a", input: { x: 1 } }],
    stop: "tool_use",
  },
] satisfies Case[];

describe.each(CASES as Case[])("$name", ({ output, answerTool, message, finish, content, stop }) => {
  const of = { ...settings, answerTool: answerTool ?? null };

  it("for OpenAI's clients", () => {
    const completion = converseToChat(output, of) satisfies ChatCompletion;
    expect(completion).toMatchObject({
      id: "chatcmpl-r1",
      object: "chat.completion",
      created: 7,
      model: "m",
    });
    expect(completion.choices[0]).toMatchObject({ message, finish_reason: finish });
    expect(completion.usage).toEqual({
      prompt_tokens: 110,
      completion_tokens: 5,
      total_tokens: 115,
      prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 40 },
    });
  });

  it("for Anthropic's clients", () => {
    const whole = converseToMessages(output, of);
    expect(whole).toMatchObject({ id: "msg_r1", type: "message", model: "m", stop_reason: stop, content });
    expect(whole.content).toHaveLength(content.length);
    expect(whole.usage).toEqual({
      input_tokens: 10,
      output_tokens: 5,
      cache_creation_input_tokens: 40,
      cache_read_input_tokens: 60,
    });
  });

  it("streamed to OpenAI's clients it assembles to the same", () => {
    const encoder = new ChatStreamEncoder(of, true);
    const text =
      eventsOf(output)
        .map((event) => encoder.push(event))
        .join("") + encoder.end();
    const assembled = assembleStream(text) as unknown as ChatCompletion;
    const whole = converseToChat(output, of);
    expect(assembled.choices[0]?.finish_reason).toBe(finish);
    expect(assembled.choices[0]?.message.content || null).toBe(whole.choices[0].message.content);
    const calls = (list: { function: object }[] | undefined) => list?.map((call) => call.function);
    expect(calls(assembled.choices[0]?.message.tool_calls as never)).toEqual(
      calls(whole.choices[0].message.tool_calls),
    );
    expect(assembled.usage).toEqual(whole.usage);
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
  });

  it("streamed to Anthropic's clients every block begins, ends and is counted", () => {
    const encoder = new MessagesStreamEncoder(of);
    const text =
      eventsOf(output)
        .map((event) => encoder.push(event))
        .join("") + encoder.end();
    const events = [...text.matchAll(/^data: (.*)$/gm)].map((match) => JSON.parse(match[1] ?? ""));
    const begun = events.filter(({ type }) => type === "content_block_start");
    expect(begun.map((event) => event.content_block.type)).toEqual(content.map(({ type }) => type));
    expect(begun.map(({ index }) => index)).toEqual(content.map((_, index) => index));
    expect(events.filter(({ type }) => type === "content_block_stop")).toHaveLength(content.length);
    expect(events.at(-2)).toMatchObject({
      type: "message_delta",
      delta: { stop_reason: stop },
      usage: { input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 60 },
    });
    expect(events.at(-1)).toEqual({ type: "message_stop" });
  });
});

/** As Claude streams it through Converse: only calls are announced, and a call without arguments says nothing. */
function eventsOf({ output, stopReason, usage: counted }: ConverseResponse): StreamEvent[] {
  const blocks = output?.message?.content ?? [];
  const deltas = blocks.flatMap((block, contentBlockIndex): StreamEvent[] => {
    const delta = (piece: object) =>
      ({ contentBlockDelta: { contentBlockIndex, delta: piece } }) as StreamEvent;
    const stopped = { contentBlockStop: { contentBlockIndex } } as StreamEvent;
    if (block.text !== undefined) return [...[...block.text].map((text) => delta({ text })), stopped];
    if (block.reasoningContent?.redactedContent)
      return [delta({ reasoningContent: block.reasoningContent }), stopped];
    if (block.reasoningContent?.reasoningText) {
      const { text, signature } = block.reasoningContent.reasoningText;
      return [delta({ reasoningContent: { text } }), delta({ reasoningContent: { signature } }), stopped];
    }
    const { toolUseId, name, input } = block.toolUse ?? {};
    const written = JSON.stringify(input);
    const pieces = written === "{}" ? [] : [written.slice(0, 3), written.slice(3)];
    return [
      { contentBlockStart: { contentBlockIndex, start: { toolUse: { toolUseId, name } } } } as StreamEvent,
      ...pieces.map((piece) => delta({ toolUse: { input: piece } })),
      stopped,
    ];
  });
  return [
    { messageStart: { role: "assistant" } },
    ...deltas,
    { messageStop: { stopReason } },
    { metadata: { usage: counted, metrics: { latencyMs: 1 } } },
  ];
}

describe("why an answer ended", () => {
  it.each<[StopReason, ChatCompletion["choices"][0]["finish_reason"], Message["stop_reason"]]>([
    ["end_turn", "stop", "end_turn"],
    ["stop_sequence", "stop", "stop_sequence"],
    ["max_tokens", "length", "max_tokens"],
    ["model_context_window_exceeded", "length", "model_context_window_exceeded"],
    ["content_filtered", "content_filter", "refusal"],
    ["guardrail_intervened", "content_filter", "refusal"],
    ["malformed_tool_use", "stop", "end_turn"],
    ["malformed_model_output", "stop", "end_turn"],
  ])("%s", (reason, finish, stop) => {
    const output = answer([{ text: "A" }], reason, {
      additionalModelResponseFields: { stop_sequence: "END" },
    });
    expect(converseToChat(output, settings).choices[0].finish_reason).toBe(finish);
    expect(converseToMessages(output, settings)).toMatchObject({
      stop_reason: stop,
      stop_sequence: reason === "stop_sequence" ? "END" : null,
    });
  });
});

it("names the places that an answer cites", () => {
  const cited = {
    citationsContent: {
      content: [{ text: "It rains." }],
      citations: [
        {
          title: "T",
          sourceContent: [{ text: "rain" }],
          location: { documentPage: { documentIndex: 0, start: 2, end: 3 } },
        },
      ],
    },
  };
  expect(converseToChat(answer([cited]), settings).choices[0].message.content).toBe("It rains.");
  expect(converseToMessages(answer([cited]), settings).content[0]).toMatchObject({
    text: "It rains.",
    citations: [
      {
        type: "page_location",
        cited_text: "rain",
        document_title: "T",
        document_index: 0,
        start_page_number: 2,
        end_page_number: 3,
      },
    ],
  });
});
