/**
 * Puts a streamed completion together, so that the audit holds what a reader of the stream had at its end. Names come from outside:
 * objects are made without a prototype, so that `__proto__` is a name like any other.
 */
import { MessageAssembly } from "./message-assembly.ts";
import { parseEvents } from "./server-sent-events.ts";

type Json = Record<string, unknown>;

const empty = (): Json => Object.create(null) as Json;

/** @returns the completion as the server would have sent it without streaming, or null when the stream is of no known kind */
export function assembleStream(text: string): Json | null {
  let chat: ChunkAssembly | null = null;
  const message = new MessageAssembly();
  let response: Json | null = null;
  let partial = "";
  let error: unknown;
  for (const { data } of parseEvents(text)) {
    if (data === "[DONE]") continue;
    const chunk = parseObject(data);
    if (chunk === null || message.add(chunk)) continue;
    if (typeof chunk.type === "string" && chunk.type.startsWith("response.")) {
      if (isObject(chunk.response)) response = chunk.response;
      if (chunk.type === "response.output_text.delta" && typeof chunk.delta === "string")
        partial += chunk.delta;
    } else if (Array.isArray(chunk.choices)) {
      chat ??= new ChunkAssembly();
      chat.add(chunk);
    } else if (chunk.error !== undefined) {
      error = chunk.error;
    }
  }
  if (message.result) return message.result;
  if (chat) return error === undefined ? chat.result() : { ...chat.result(), error };
  if (response)
    return ended(response) || partial === "" ? response : { ...response, partial_output_text: partial };
  return error === undefined ? null : { error };
}

const ended = (response: Json) => response.status !== "in_progress" && response.status !== "queued";

/** `chat.completion.chunk`s and `text_completion` chunks, by the index of their choice. */
export class ChunkAssembly {
  readonly #top: Json = empty();
  readonly #choices = new Map<number, Json>();

  add(chunk: Json): void {
    for (const [name, value] of Object.entries(chunk)) {
      if (name !== "choices" && value !== null && value !== undefined) this.#top[name] = value;
    }
    for (const piece of chunk.choices as unknown[]) {
      if (!isObject(piece)) continue;
      const index = typeof piece.index === "number" ? piece.index : 0;
      let choice = this.#choices.get(index);
      if (choice === undefined) {
        choice = empty();
        choice.index = index;
        this.#choices.set(index, choice);
      }
      const { delta, ...rest } = piece;
      if (isObject(delta)) {
        choice.message ??= empty();
        merge(choice.message as Json, delta);
      }
      merge(choice, rest);
    }
  }

  result(): Json {
    const choices = [...this.#choices.values()].sort((a, b) => Number(a.index) - Number(b.index));
    const object = this.#top.object === "chat.completion.chunk" ? "chat.completion" : this.#top.object;
    return { ...this.#top, ...(object === undefined ? {} : { object }), choices };
  }
}

/** Text that comes in pieces; every other string is a label that later pieces only repeat. */
const PIECEWISE = new Set([
  "content",
  "text",
  "refusal",
  "reasoning",
  "reasoning_content",
  "arguments",
  "thinking",
  "data",
  "transcript",
]);

function merge(into: Json, piece: Json): void {
  for (const [name, value] of Object.entries(piece)) {
    if (value === null || value === undefined) continue;
    const known = into[name];
    if (typeof value === "string") {
      into[name] = typeof known === "string" && PIECEWISE.has(name) ? known + value : value;
    } else if (Array.isArray(value)) {
      into[name] = mergeList(Array.isArray(known) ? known : [], value);
    } else if (isObject(value)) {
      const inner = isObject(known) ? known : empty();
      merge(inner, value);
      into[name] = inner;
    } else {
      into[name] = value;
    }
  }
}

/** Tool calls carry the index of the call that they continue; other lists (log probabilities) grow. */
function mergeList(list: unknown[], pieces: unknown[]): unknown[] {
  for (const piece of pieces) {
    const index = isObject(piece) && typeof piece.index === "number" ? piece.index : null;
    if (index === null) {
      list.push(piece);
      continue;
    }
    let target = list.find((item) => isObject(item) && item.index === index) as Json | undefined;
    if (target === undefined) {
      target = empty();
      list.push(target);
    }
    merge(target, piece as Json);
  }
  return list;
}

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function parseObject(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null; // Not JSON: the caller keeps the text as it is.
  }
}
