/**
 * Puts a streamed answer of Anthropic's messages API together (https://platform.claude.com/docs/en/build-with-claude/streaming).
 * Names come from outside: objects are made without a prototype.
 */
type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const bare = (value: Json): Json => Object.assign(Object.create(null), value);

/** Which member of a block a delta's text belongs to. */
const TEXTS = ["text", "thinking", "signature"] as const;

export class MessageAssembly {
  #message: Json | null = null;
  readonly #blocks = new Map<unknown, Json>();
  /** Of blocks whose input comes as pieces of JSON. */
  readonly #inputs = new Map<unknown, string>();
  #error: unknown;

  /** @returns whether the event was one of a message's */
  add(event: Json): boolean {
    if (event.type === "message_start" && isObject(event.message)) {
      this.#message = bare(event.message);
      return true;
    }
    // OpenAI's streams have errors too.
    if (this.#message === null) return false;
    switch (event.type) {
      case "content_block_start":
        if (isObject(event.content_block)) this.#blocks.set(event.index, bare(event.content_block));
        break;
      case "content_block_delta":
        if (isObject(event.delta)) this.#delta(event.index, event.delta);
        break;
      case "message_delta":
        this.#end(event);
        break;
      case "error":
        this.#error = event.error;
        break;
    }
    return true;
  }

  #delta(index: unknown, delta: Json): void {
    const block = this.#blocks.get(index) ?? bare({ type: "text" });
    this.#blocks.set(index, block);
    for (const name of TEXTS) {
      const piece = delta[name];
      if (typeof piece === "string")
        block[name] = `${typeof block[name] === "string" ? block[name] : ""}${piece}`;
    }
    if (typeof delta.partial_json === "string")
      this.#inputs.set(index, (this.#inputs.get(index) ?? "") + delta.partial_json);
    if (delta.citation !== undefined)
      block.citations = [...(Array.isArray(block.citations) ? block.citations : []), delta.citation];
  }

  #end({ delta, usage }: Json): void {
    const message = this.#message as Json;
    if (isObject(delta)) Object.assign(message, delta);
    if (isObject(usage)) message.usage = { ...(isObject(message.usage) ? message.usage : {}), ...usage };
  }

  /** The message as it would have come without streaming, as far as it came; null when there was none. */
  get result(): Json | null {
    if (this.#message === null) return null;
    const content = [...this.#blocks].map(([index, block]) => {
      const input = this.#inputs.get(index);
      return input === undefined ? block : { ...block, input: parsed(input) };
    });
    const error = this.#error === undefined ? {} : { error: this.#error };
    return { ...this.#message, content, ...error };
  }
}

/** Cut off, it stays the text that it is. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}
