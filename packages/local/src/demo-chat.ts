/** The demo model's chat completions and completions, whole or as the chunks of a stream, in OpenAI's shape. */
import { answerTo, countTokens, digest, exampleOf, tokens } from "./demo-text.ts";

// biome-ignore lint/suspicious/noExplicitAny: a client's JSON; what matters of it is checked where it is read.
export type Json = Record<string, any>;

/** A model's time of day: fixed, so that the same request gives the same bytes. */
export const CREATED = 1_763_700_000;

interface ToolCall {
  id: string;
  type: "function";
  function: { name: string; arguments: string };
}

export interface ChatAnswer {
  text: string;
  toolCalls: ToolCall[];
  finish: "stop" | "length" | "tool_calls";
  usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
}

export function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part) => (typeof part?.text === "string" ? part.text : "")).join("\n");
}

/** The functions that the request asks for: by `tool_choice`, or because the last message names them. */
function calledTools(body: Json, last: Json | undefined, text: string): Json[] {
  const functions: Json[] = (body.tools ?? []).flatMap((tool: Json) =>
    tool?.function ? [tool.function] : [],
  );
  const choice = body.tool_choice ?? "auto";
  if (functions.length === 0 || choice === "none" || last?.role === "tool") return [];
  if (typeof choice === "object") return functions.filter(({ name }) => name === choice.function?.name);
  const said = text.toLowerCase();
  const named = functions.filter(({ name }) =>
    String(name)
      .toLowerCase()
      .split(/[_-]/)
      .some((word) => word.length > 3 && said.includes(word)),
  );
  const wanted = named.length > 0 || choice !== "required" ? named : functions.slice(0, 1);
  return body.parallel_tool_calls === false ? wanted.slice(0, 1) : wanted;
}

function limited(text: string, body: Json): { text: string; finish: "stop" | "length" } {
  const stops: string[] = [body.stop ?? []].flat();
  const cuts = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
  const stopped = cuts.length > 0 ? text.slice(0, Math.min(...cuts)) : text;
  const most = body.max_completion_tokens ?? body.max_tokens ?? Number.POSITIVE_INFINITY;
  const parts = tokens(stopped);
  if (parts.length <= most) return { text: stopped, finish: "stop" };
  return { text: parts.slice(0, most).join(""), finish: "length" };
}

export function chatAnswer(body: Json, words?: number): ChatAnswer {
  const messages: Json[] = body.messages;
  const last = messages.at(-1);
  const text = contentText(last?.content);
  // Four for each message's frame, as chat templates add.
  const prompt = messages.reduce((sum, message) => sum + 4 + countTokens(contentText(message?.content)), 0);
  const toolCalls = calledTools(body, last, text).map(
    ({ name, parameters }, i): ToolCall => ({
      id: `call_${digest(name, text, i).toString("hex").slice(0, 24)}`,
      type: "function",
      function: { name, arguments: JSON.stringify(exampleOf(parameters ?? {}, text)) },
    }),
  );
  const usage = (completion: number) => ({
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
  });
  if (toolCalls.length > 0) {
    const completion = toolCalls.reduce((sum, call) => sum + 3 + countTokens(call.function.arguments), 0);
    return { text: "", toolCalls, finish: "tool_calls", usage: usage(completion) };
  }
  const format = body.response_format;
  const answer =
    format?.type === "json_schema"
      ? JSON.stringify(exampleOf(format.json_schema?.schema ?? {}, text))
      : format?.type === "json_object"
        ? JSON.stringify({ answer: answerTo(text, words) })
        : last?.role === "tool"
          ? `The tool answered: ${text}`
          : answerTo(text, words);
  const cut = limited(answer, body);
  return { ...cut, toolCalls, usage: usage(countTokens(cut.text)) };
}

const idOf = (prefix: string, body: Json) => `${prefix}-${digest(body).toString("hex").slice(0, 32)}`;

export function chatCompletion(body: Json, answer: ChatAnswer): Json {
  return {
    id: idOf("chatcmpl", body),
    object: "chat.completion",
    created: CREATED,
    model: body.model,
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: answer.toolCalls.length > 0 ? null : answer.text,
          refusal: null,
          ...(answer.toolCalls.length > 0 && { tool_calls: answer.toolCalls }),
        },
        logprobs: null,
        finish_reason: answer.finish,
      },
    ],
    usage: answer.usage,
  };
}

/** With `include_usage` a last chunk has no choices but the usage, and every other says `usage: null`. */
export function chatChunks(body: Json, answer: ChatAnswer): Json[] {
  const withUsage = body.stream_options?.include_usage === true;
  const frame = {
    id: idOf("chatcmpl", body),
    object: "chat.completion.chunk",
    created: CREATED,
    model: body.model,
  };
  const chunk = (delta: Json, finish: string | null = null): Json => ({
    ...frame,
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
    ...(withUsage && { usage: null }),
  });
  const calls = answer.toolCalls.flatMap(({ id, type, function: { name, arguments: text } }, index) => [
    chunk({ tool_calls: [{ index, id, type, function: { name, arguments: "" } }] }),
    ...(text.match(/[\s\S]{1,8}/g) ?? []).map((part) =>
      chunk({ tool_calls: [{ index, function: { arguments: part } }] }),
    ),
  ]);
  return [
    chunk({ role: "assistant", content: answer.toolCalls.length > 0 ? null : "" }),
    ...tokens(answer.text).map((content) => chunk({ content })),
    ...calls,
    chunk({}, answer.finish),
    ...(withUsage ? [{ ...frame, choices: [], usage: answer.usage }] : []),
  ];
}

/** The older `/v1/completions`. */
export function completionAnswer(body: Json, words?: number): ChatAnswer {
  const prompt = String([body.prompt ?? ""].flat()[0] ?? "");
  const cut = limited(answerTo(prompt, words), body);
  const [before, after] = [countTokens(prompt), countTokens(cut.text)];
  return {
    ...cut,
    toolCalls: [],
    usage: { prompt_tokens: before, completion_tokens: after, total_tokens: before + after },
  };
}

export function completion(body: Json, answer: ChatAnswer): Json {
  return {
    id: idOf("cmpl", body),
    object: "text_completion",
    created: CREATED,
    model: body.model,
    choices: [{ index: 0, text: answer.text, logprobs: null, finish_reason: answer.finish }],
    usage: answer.usage,
  };
}

export function completionChunks(body: Json, answer: ChatAnswer): Json[] {
  const withUsage = body.stream_options?.include_usage === true;
  const { usage, ...whole } = completion(body, answer);
  const parts = tokens(answer.text);
  return [
    ...parts.map((text, i) => ({
      ...whole,
      choices: [
        { index: 0, text, logprobs: null, finish_reason: i === parts.length - 1 ? answer.finish : null },
      ],
      ...(withUsage && { usage: null }),
    })),
    ...(withUsage ? [{ ...whole, choices: [], usage }] : []),
  ];
}
