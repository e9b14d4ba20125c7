/** The stand-in's answers: the same to the same request, and plausible: text, calls of tools, thoughts, JSON. */
import { createHash } from "node:crypto";
import type {
  ContentBlock,
  ConverseRequest,
  ConverseResponse,
  TokenUsage,
} from "@aws-sdk/client-bedrock-runtime";
import { sampleOf } from "./json-sample.ts";

type StopReason = NonNullable<ConverseResponse["stopReason"]>;

export interface Answer {
  content: ContentBlock[];
  stopReason: StopReason;
  stopSequence: string | null;
  usage: TokenUsage;
}

interface Fields {
  thinking?: { type?: string };
  tool_choice?: { type?: string; name?: string; disable_parallel_tool_use?: boolean };
}

/** @param cache token counts of prompts' cached beginnings that were seen before */
export function answerTo(input: ConverseRequest, cache: Set<string>): Answer {
  const fields = (input.additionalModelRequestFields ?? {}) as Fields;
  const content: ContentBlock[] = [];
  const thinking = fields.thinking?.type;
  if (thinking && thinking !== "disabled") content.push(thought(lastText(input)));
  const calls = toolCalls(input, fields);
  let stopReason: StopReason = calls.length > 0 ? "tool_use" : "end_turn";
  let stopSequence: string | null = null;
  if (calls.length > 0) content.push(...calls);
  else {
    const cut = cutAt(text(input), input.inferenceConfig ?? {});
    content.push({ text: cut.text });
    stopReason = cut.stopReason;
    stopSequence = cut.stopSequence;
  }
  return { content, stopReason, stopSequence, usage: usage(input, content, cache) };
}

function lastText({ messages }: ConverseRequest): string {
  const content = messages?.findLast(({ role }) => role === "user")?.content ?? [];
  return content.map((block) => block.text ?? "").join("");
}

/** Tools that must be called, or that the user names, unless their results have just come. */
function toolCalls(input: ConverseRequest, { tool_choice: own }: Fields): ContentBlock[] {
  const specs = (input.toolConfig?.tools ?? []).flatMap(({ toolSpec }) => toolSpec ?? []);
  const choice = input.toolConfig?.toolChoice;
  const last = input.messages?.at(-1)?.content ?? [];
  const forced = choice?.tool?.name ?? own?.name;
  const wanted = lastText(input);
  let called = specs.filter(({ name }) => name === forced);
  if (forced === undefined && own?.type !== "none") {
    called = specs.filter(({ name = "" }) => wanted.includes(name));
    if (last.some((block) => block.toolResult)) called = [];
    else if (called.length === 0 && (choice?.any || own?.type === "any")) called = specs.slice(-1);
  }
  if (own?.disable_parallel_tool_use) called = called.slice(0, 1);
  return called.map(({ name, inputSchema }, index) => ({
    toolUse: {
      toolUseId: `tooluse_${digest(`${name}${index}${wanted}`).slice(0, 22)}`,
      name,
      input: sampleOf(inputSchema?.json) as never,
    },
  }));
}

function text(input: ConverseRequest): string {
  const schema = input.outputConfig?.textFormat?.structure?.jsonSchema?.schema;
  if (schema) return JSON.stringify(sampleOf(JSON.parse(schema)));
  const last = input.messages?.findLast(({ role }) => role === "user")?.content ?? [];
  const said = lastText(input);
  const words = /(\d+) words/.exec(said)?.[1];
  if (words) return Array.from({ length: Number(words) }, (_, n) => `word${n + 1}`).join(" ");
  const seen = last.flatMap(({ image, document, toolResult }) => {
    if (image) return [`an image (${image.format}, ${image.source?.bytes?.length ?? 0} bytes)`];
    if (document) return [`a document (${document.format}, "${document.name}")`];
    const told = toolResult?.content?.map((part) => part.text ?? JSON.stringify(part.json ?? "")).join(" ");
    return toolResult ? [`a tool's result: ${told}`] : [];
  });
  const parts = [said ? `You said: ${said}` : "", seen.length > 0 ? `I see ${seen.join(" and ")}.` : ""];
  return parts.filter(Boolean).join(" ");
}

function cutAt(
  whole: string,
  { maxTokens, stopSequences = [] }: NonNullable<ConverseRequest["inferenceConfig"]>,
) {
  const ends = stopSequences
    .map((sequence) => ({ sequence, at: whole.indexOf(sequence) }))
    .filter(({ at }) => at >= 0)
    .sort((a, b) => a.at - b.at);
  const stop = ends[0];
  const stopped = stop ? whole.slice(0, stop.at) : whole;
  const most = (maxTokens ?? Number.POSITIVE_INFINITY) * CHARACTERS_A_TOKEN;
  if (stopped.length > most)
    return { text: stopped.slice(0, most), stopReason: "max_tokens" as const, stopSequence: null };
  return stop
    ? { text: stopped, stopReason: "stop_sequence" as const, stopSequence: stop.sequence }
    : { text: stopped, stopReason: "end_turn" as const, stopSequence: null };
}

function thought(about: string): ContentBlock {
  const text = `The user says "${about.slice(0, 60)}". I shall answer.`;
  return { reasoningContent: { reasoningText: { text, signature: signatureOf(text) } } };
}

const digest = (text: string) => createHash("sha256").update(text).digest("base64url");
const signatureOf = (text: string) => digest(`stand-in:${text}`);

/** Claude checks that thoughts that come back are its own. */
export function isSigned(text: string, signature: string | undefined): boolean {
  return signature === signatureOf(text);
}

const CHARACTERS_A_TOKEN = 4;
/** Claude caches no beginning that is shorter. */
const LEAST_CACHED = 1_024;

export function tokensOf(...values: unknown[]): number {
  let characters = 0;
  for (const value of values)
    characters += JSON.stringify(value ?? "", (_, item) =>
      item instanceof Uint8Array ? item.length : item,
    ).length;
  return Math.ceil(characters / CHARACTERS_A_TOKEN);
}

function usage(input: ConverseRequest, content: ContentBlock[], seen: Set<string>): TokenUsage {
  const { system = [], messages = [], toolConfig } = input;
  const all = tokensOf(system, messages, toolConfig);
  // In Claude's order: tools, system, messages.
  const blocks: object[] = [
    ...(toolConfig?.tools ?? []),
    ...system,
    ...messages.flatMap((message) => message.content ?? []),
  ];
  const end = blocks.findLastIndex((block) => "cachePoint" in block);
  const cached = end < 0 ? 0 : Math.min(tokensOf(blocks.slice(0, end)), all);
  const counts = cached >= LEAST_CACHED;
  const key = counts ? digest(JSON.stringify([input.modelId, blocks.slice(0, end)])) : "";
  const hit = counts && seen.has(key);
  if (counts) seen.add(key);
  const inputTokens = all - (counts ? cached : 0);
  const outputTokens = tokensOf(content);
  return {
    inputTokens,
    outputTokens,
    totalTokens: all + outputTokens,
    cacheReadInputTokens: hit ? cached : 0,
    cacheWriteInputTokens: counts && !hit ? cached : 0,
  };
}
