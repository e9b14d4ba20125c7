/**
 * A stored request and its answer as turns of a conversation, whatever API they came through: OpenAI's chat completions,
 * completions, responses and embeddings, Anthropic's messages. Bodies are whatever a client sent: nothing in them is
 * taken for granted, and what is not understood is shown as it is.
 */
import { type Part, parts, pretty, toolCall } from "./message-part.ts";

export interface Turn {
  side: "request" | "response";
  role: string;
  name: string | null;
  parts: Part[];
  /** Why an answer ended: `stop`, `length`, `tool_calls` … */
  ended: string | null;
}

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string | null => (typeof value === "string" ? value : null);

function turn(side: Turn["side"], role: string, parts: Part[], more: Partial<Turn> = {}): Turn {
  return { side, role, name: null, ended: null, ...more, parts };
}

/** A chat message of either API. */
function message(side: Turn["side"], value: unknown, ended: unknown = null): Turn {
  if (!isObject(value)) return turn(side, "?", parts(value));
  const role = text(value.role) ?? (side === "response" ? "assistant" : "?");
  const refusal: Part[] = typeof value.refusal === "string" ? [{ kind: "refusal", text: value.refusal }] : [];
  const thinking = text(value.reasoning_content) ?? text(value.reasoning);
  const said: Part[] = [
    ...(thinking ? [{ kind: "thinking" as const, text: thinking }] : []),
    ...parts(value.content),
    ...refusal,
    ...list(value.tool_calls).map(toolCall),
    ...(isObject(value.function_call) ? [toolCall(value.function_call)] : []),
  ];
  const own: Part[] =
    role === "tool" ? [{ kind: "tool-result", id: text(value.tool_call_id), parts: said }] : said;
  return turn(side, role, own, { name: text(value.name), ended: text(ended) });
}

/** An item of the responses API, asked or answered. */
function item(side: Turn["side"], value: unknown): Turn {
  if (!isObject(value)) return turn(side, side === "request" ? "user" : "assistant", parts(value));
  switch (value.type) {
    case "function_call": {
      const call = { id: value.call_id, name: value.name, arguments: value.arguments };
      return turn(side, "assistant", [toolCall(call)]);
    }
    case "function_call_output":
      return turn(side, "tool", [
        { kind: "tool-result", id: text(value.call_id), parts: parts(value.output) },
      ]);
    case "reasoning": {
      const pieces = [...list(value.summary), ...list(value.content)];
      const said = pieces.map((piece) => (isObject(piece) ? (text(piece.text) ?? "") : String(piece)));
      return turn(
        side,
        "assistant",
        said.map((text) => ({ kind: "thinking", text })),
      );
    }
    case "message":
    case undefined:
      return message(side, value);
    default:
      return turn(side, side === "request" ? "?" : "assistant", [{ kind: "other", json: pretty(value) }]);
  }
}

/** The turns of a request's body. */
export function asked(body: unknown): Turn[] {
  if (body === null || body === undefined) return [];
  if (!isObject(body)) return [turn("request", "body", parts(text(body) ?? pretty(body)))];
  const turns: Turn[] = [];
  if (body.system !== undefined) turns.push(turn("request", "system", parts(body.system)));
  if (body.instructions) turns.push(turn("request", "system", parts(body.instructions)));
  turns.push(...list(body.messages).map((one) => message("request", one)));
  if (body.prompt !== undefined) {
    for (const one of Array.isArray(body.prompt) ? body.prompt : [body.prompt]) {
      turns.push(turn("request", "prompt", parts(typeof one === "string" ? one : pretty(one))));
    }
  }
  if (body.input !== undefined) {
    const inputs = Array.isArray(body.input) ? body.input : [body.input];
    turns.push(...inputs.map((one) => item("request", one)));
  }
  return turns.length > 0 ? turns : [turn("request", "body", [{ kind: "other", json: pretty(body) }])];
}

/** The turns of an answer's body. */
export function answered(body: unknown): Turn[] {
  if (body === null || body === undefined || body === "") return [];
  if (!isObject(body)) return [turn("response", "body", parts(text(body) ?? pretty(body)))];
  if (isObject(body.error)) {
    const said = text(body.error.message) ?? pretty(body.error);
    return [turn("response", "error", [{ kind: "text", text: said }])];
  }
  if (Array.isArray(body.choices)) {
    return body.choices.map((choice) => {
      if (!isObject(choice)) return turn("response", "assistant", parts(choice));
      if (choice.message !== undefined) return message("response", choice.message, choice.finish_reason);
      return turn("response", "assistant", parts(choice.text ?? ""), { ended: text(choice.finish_reason) });
    });
  }
  if (Array.isArray(body.output)) return body.output.map((one) => item("response", one));
  if (Array.isArray(body.content)) return [message("response", body, body.stop_reason)];
  if (Array.isArray(body.data) && body.data.some((one) => isObject(one) && "embedding" in one)) {
    return [turn("response", "embeddings", [{ kind: "text", text: embeddings(body.data) }])];
  }
  return [turn("response", "body", [{ kind: "other", json: pretty(body) }])];
}

function embeddings(data: unknown[]): string {
  const first = data.find(isObject)?.embedding;
  const size = Array.isArray(first) ? `${first.length} numbers each` : "encoded";
  const many = data.length === 1 ? "1 embedding" : `${data.length} embeddings`;
  return `${many}, ${size}. The numbers are in the raw record.`;
}

/** Names of the tools that the request offered. */
export function toolsOffered(body: unknown): string[] {
  if (!isObject(body)) return [];
  return [...list(body.tools), ...list(body.functions)].flatMap((tool) => {
    if (!isObject(tool)) return [];
    const named = isObject(tool.function) ? tool.function : tool;
    return [text(named.name) ?? text(named.type) ?? "?"];
  });
}
