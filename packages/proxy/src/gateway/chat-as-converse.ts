/** Chat completions of an OpenAI-compatible server, whole and streamed, as Converse would have answered. */
import type { ContentBlock, ConverseResponse, StopReason, TokenUsage } from "@aws-sdk/client-bedrock-runtime";
import { isObject, parseObject } from "../stream-assembly.ts";
import { badAnswer } from "./compatible-error.ts";
import { compatibleUsage } from "./compatible-stream.ts";
import type { Json } from "./model-route.ts";
import type { StreamEvent } from "./translation.ts";

/** @throws UpstreamError when it is no chat completion */
export function chatAsConverse(answer: Json): ConverseResponse {
  const [choice] = Array.isArray(answer.choices) ? answer.choices : [];
  if (!isObject(choice) || !isObject(choice.message)) throw badAnswer("no chat completion");
  const { message } = choice;
  const content: ContentBlock[] = [];
  const thought = thoughtIn(message);
  if (thought !== "") content.push({ reasoningContent: { reasoningText: { text: thought } } });
  const text = textIn(message);
  if (text !== "") content.push({ text });
  for (const { id, name, input } of callsIn(message))
    content.push({ toolUse: { toolUseId: id, name, input: parsed(input) as never } });
  return {
    output: { message: { role: "assistant", content } },
    ...stopOf(choice),
    usage: usageIn(answer.usage),
    metrics: { latencyMs: 0 },
  };
}

const string = (value: unknown) => (typeof value === "string" ? value : "");
const thoughtIn = (delta: Json) => string(delta.reasoning_content) || string(delta.reasoning);
const textIn = (delta: Json) => string(delta.content) || string(delta.refusal);

interface Call {
  index: number;
  id: string;
  name: string;
  input: string;
}

function callsIn({ tool_calls: calls }: Json): Call[] {
  return (Array.isArray(calls) ? calls : []).filter(isObject).map((call, place) => {
    const called = isObject(call.function) ? call.function : {};
    const index = typeof call.index === "number" ? call.index : place;
    return { index, id: string(call.id), name: string(called.name), input: string(called.arguments) };
  });
}

function parsed(input: string): Json {
  if (input.trim() === "") return {};
  const value = parseObject(input);
  if (value === null) throw badAnswer("a tool's arguments that are no JSON object");
  return value;
}

const STOPS: Record<string, StopReason> = {
  length: "max_tokens",
  tool_calls: "tool_use",
  function_call: "tool_use",
  content_filter: "content_filtered",
};

/** vLLM says which sequence stopped it, as `stop_reason`. */
function stopOf(choice: Json): Pick<ConverseResponse, "stopReason" | "additionalModelResponseFields"> {
  const { finish_reason: reason, stop_reason: sequence } = choice;
  if (reason === "stop" && typeof sequence === "string")
    return { stopReason: "stop_sequence", additionalModelResponseFields: { stop_sequence: sequence } };
  return { stopReason: STOPS[string(reason)] ?? "end_turn", additionalModelResponseFields: undefined };
}

/** Converse counts cached tokens apart. */
function usageIn(said: unknown): TokenUsage | undefined {
  const usage = compatibleUsage(said);
  if (usage === null) return undefined;
  const { promptTokens, completionTokens, cachedPromptTokens, cacheWritePromptTokens } = usage;
  return {
    inputTokens: promptTokens - cachedPromptTokens - cacheWritePromptTokens,
    outputTokens: completionTokens,
    totalTokens: promptTokens + completionTokens,
    cacheReadInputTokens: cachedPromptTokens,
    cacheWriteInputTokens: cacheWritePromptTokens,
  };
}

export async function* chunksAsConverse(chunks: AsyncIterable<Json>): AsyncGenerator<StreamEvent> {
  const blocks = new Blocks();
  let started = false;
  for await (const chunk of chunks) {
    if (!started) yield { messageStart: { role: "assistant" } };
    started = true;
    const [choice] = Array.isArray(chunk.choices) ? chunk.choices : [];
    if (isObject(choice)) {
      if (isObject(choice.delta)) yield* blocks.add(choice.delta);
      if (choice.finish_reason) {
        yield* blocks.close();
        yield { messageStop: stopOf(choice) as NonNullable<StreamEvent["messageStop"]> };
      }
    }
    const usage = usageIn(chunk.usage);
    if (usage) yield { metadata: { usage, metrics: { latencyMs: 0 } } };
  }
}

/** Converse numbers an answer's blocks; chat completions have one text, and number calls alone. */
class Blocks {
  #open: { kind: string; index: number } | null = null;
  #next = 0;

  *add(delta: Json): Generator<StreamEvent> {
    const thought = thoughtIn(delta);
    if (thought !== "") {
      yield* this.#into("thought");
      yield this.#delta({ reasoningContent: { text: thought } });
    }
    const text = textIn(delta);
    if (text !== "") {
      yield* this.#into("text");
      yield this.#delta({ text });
    }
    for (const { index, id, name, input } of callsIn(delta)) {
      const isNew = this.#open?.kind !== `call ${index}`;
      yield* this.#into(`call ${index}`);
      if (isNew) {
        const start = { toolUse: { toolUseId: id, name } };
        yield { contentBlockStart: { contentBlockIndex: this.#index, start } };
      }
      if (input !== "") yield this.#delta({ toolUse: { input } });
    }
  }

  *close(): Generator<StreamEvent> {
    if (this.#open !== null) yield { contentBlockStop: { contentBlockIndex: this.#open.index } };
    this.#open = null;
  }

  get #index(): number {
    return this.#open?.index ?? 0;
  }

  #delta(delta: NonNullable<StreamEvent["contentBlockDelta"]>["delta"]): StreamEvent {
    return { contentBlockDelta: { contentBlockIndex: this.#index, delta } };
  }

  *#into(kind: string): Generator<StreamEvent> {
    if (this.#open?.kind === kind) return;
    yield* this.close();
    this.#open = { kind, index: this.#next++ };
  }
}
