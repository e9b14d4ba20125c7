/**
 * Prompts and answers in the shape of OpenTelemetry's GenAI conventions (`gen_ai.input.messages`, `gen_ai.output.messages`: JSON of messages
 * with parts), from OpenAI's and Anthropic's bodies. Only used when content is asked for.
 */
import { isObject } from "./stream-assembly.ts";

interface Message {
  role: string;
  parts: object[];
  finish_reason?: string;
}

const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value ?? null));
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** A block of a message's content; the last three are Anthropic's. */
function block({ type, text: words, ...rest }: Record<string, unknown>): object {
  if (typeof words === "string") return { type: "text", content: words };
  if (type === "tool_use")
    return { type: "tool_call", id: rest.id ?? null, name: rest.name ?? null, arguments: rest.input ?? null };
  if (type === "tool_result")
    return { type: "tool_call_response", id: rest.tool_use_id ?? null, response: rest.content ?? null };
  if (type === "thinking") return { type: "reasoning", content: text(rest.thinking) };
  return { type: text(type), ...rest };
}

function parts(message: Record<string, unknown>): object[] {
  if (message.role === "tool")
    return [
      { type: "tool_call_response", id: message.tool_call_id ?? null, response: message.content ?? null },
    ];
  const { content } = message;
  const said =
    typeof content === "string" ? [{ type: "text", content }] : list(content).filter(isObject).map(block);
  const calls = list(message.tool_calls)
    .filter(isObject)
    .map(({ id, function: fn }) => ({
      type: "tool_call",
      id: id ?? null,
      name: isObject(fn) ? (fn.name ?? null) : null,
      arguments: isObject(fn) ? (fn.arguments ?? null) : null,
    }));
  return [...said, ...calls];
}

const message = (value: unknown): Message[] =>
  isObject(value) ? [{ role: text(value.role), parts: parts(value) }] : [];

/** Of a request's body: chat messages, or the prompt or input of the older and newer APIs. Null when there are none. */
export function inputMessages(body: unknown): string | null {
  if (!isObject(body)) return null;
  if (Array.isArray(body.messages)) {
    const system = body.system === undefined ? [] : [{ role: "system", content: body.system }];
    return JSON.stringify([...system, ...body.messages].flatMap(message));
  }
  const prompt = body.prompt ?? body.input;
  if (prompt === undefined) return null;
  const whole = Array.isArray(prompt) && prompt.some((one) => isObject(one) && "role" in one);
  return JSON.stringify(
    whole ? prompt.flatMap(message) : [{ role: "user", parts: [{ type: "text", content: text(prompt) }] }],
  );
}

/** Of an answer's body. Null when it holds none, as of embeddings and errors. */
export function outputMessages(body: unknown): string | null {
  if (isObject(body) && body.type === "message")
    return JSON.stringify(message(body).map((one) => ({ ...one, finish_reason: text(body.stop_reason) })));
  if (!isObject(body) || !(Array.isArray(body.choices) || Array.isArray(body.output))) return null;
  const messages = [...list(body.choices), ...list(body.output)]
    .filter(isObject)
    .flatMap((choice): Message[] => {
      const said = isObject(choice.message)
        ? choice.message
        : { role: choice.role ?? "assistant", content: choice.text ?? choice.content };
      const { finish_reason: reason } = choice;
      return message({ role: "assistant", ...said }).map((one) =>
        typeof reason === "string" ? { ...one, finish_reason: reason } : one,
      );
    });
  return JSON.stringify(messages);
}
