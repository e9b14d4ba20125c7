/**
 * The filter over the parsed events of a streamed answer: OpenAI's chat and text completion chunks and its responses API's
 * events, Anthropic's message events. Text that is held back goes out with the event that ends its choice or block.
 */
import type { ApiError } from "./api-error.ts";
import { rewriteTexts } from "./pii-document.ts";
import type { Finding } from "./pii-entity.ts";
import { applyPolicy } from "./pii-mask.ts";
import type { PiiPolicy } from "./pii-policy.ts";
import { causeOf, FILTER_UNAVAILABLE } from "./pii-refusal.ts";
import { PiiStream } from "./pii-stream.ts";

type Json = Record<string, unknown>;

/** `stop`: send the events, then the error as the stream's last event, and read no more from the model. */
export type AnswerOutcome =
  | { outcome: "events"; events: Json[] }
  | { outcome: "stop"; events: Json[]; error: ApiError; cause?: string };

/** Members of a delta that label it; all other strings in it are pieces of text. */
const LABELS = new Set(["id", "type", "role", "name", "signature", "object"]);

class Stop extends Error {
  readonly error: ApiError;
  readonly why: string | undefined;
  constructor(error: ApiError, why?: string) {
    super("the stream stops here");
    this.error = error;
    this.why = why;
  }
}

export class PiiAnswerStream {
  readonly #policy: PiiPolicy;
  readonly #stream: PiiStream;
  /** For each open channel the way to its text within a delta, and the event that a held rest goes out in. */
  readonly #ways = new Map<string, { way: (string | number)[]; event: (delta: Json) => Json }>();

  /** Texts that were replaced outside of the channels. */
  #replaced = 0;

  constructor(policy: PiiPolicy) {
    this.#policy = policy;
    this.#stream = new PiiStream(policy);
  }

  get findings(): readonly Finding[] {
    return this.#stream.findings;
  }

  /** While nothing is, the events that came out have all of the text that went in. */
  get isHolding(): boolean {
    return this.#stream.held > 0;
  }

  /** Grows with each value that was replaced or stopped the stream. */
  get changes(): number {
    return this.findings.reduce(
      (sum, { action, count }) => sum + (action === "flag" ? 0 : count),
      this.#replaced,
    );
  }

  /** @param event the parsed `data:` of one event; never changed */
  push(event: Json): AnswerOutcome {
    return this.#guard((events) => {
      if (Array.isArray(event.choices)) events.push(this.#chunk(event));
      else if (event.type === "content_block_delta" && isObject(event.delta)) {
        const wrap = (delta: Json): Json => ({ ...event, delta });
        events.push(wrap(this.#pieces(event.delta, `${event.index}`, [], wrap)));
      } else if (isResponseDelta(event)) {
        const wrap = (delta: Json): Json => ({ ...event, ...delta });
        events.push(wrap(this.#pieces({ delta: event.delta }, partOf(event), [], wrap)));
      } else {
        if (typeof event.type === "string" && event.type.startsWith("response."))
          this.#flush(ENDS_RESPONSE.has(event.type) ? "" : partOf(event), events);
        if (event.type === "content_block_stop") this.#flush(`${event.index}`, events);
        if (event.type === "message_stop") this.#flush("", events);
        events.push(rewriteTexts(event, (text) => this.#whole(text)) as Json);
      }
    });
  }

  /** The model's stream ended, however: what is still held, in events of its own. */
  end(): AnswerOutcome {
    return this.#guard((events) => this.#flush("", events));
  }

  #guard(run: (events: Json[]) => void): AnswerOutcome {
    const events: Json[] = [];
    try {
      run(events);
      return { outcome: "events", events };
    } catch (error) {
      if (error instanceof Stop) {
        return { outcome: "stop", events, error: error.error, ...(error.why ? { cause: error.why } : {}) };
      }
      return { outcome: "stop", events: [], error: FILTER_UNAVAILABLE, cause: causeOf(error) };
    }
  }

  #chunk(event: Json): Json {
    const choices = (event.choices as unknown[]).map((choice, place) => {
      if (!isObject(choice)) return choice;
      const index = `${choice.index ?? place}`;
      const member = isObject(choice.delta) ? "delta" : "choice";
      const wrap = (delta: Json): Json => ({
        ...event,
        usage: null,
        choices: [
          member === "delta"
            ? { index: choice.index ?? place, delta, finish_reason: null }
            : { index: choice.index ?? place, ...delta, finish_reason: null },
        ],
      });
      // Token by token, log probabilities would give away what is masked here.
      const { delta, text, ...rest } = { ...choice, ...(choice.logprobs ? { logprobs: null } : {}) } as Json;
      let pieces = this.#pieces(isObject(delta) ? delta : { text: text ?? "" }, index, [], wrap);
      if (choice.finish_reason != null) pieces = this.#flushInto(pieces, index);
      return member === "delta" ? { ...rest, delta: pieces } : { ...rest, ...pieces };
    });
    return { ...event, choices };
  }

  #whole(text: string): string {
    const filtered = applyPolicy(text, this.#policy).text;
    if (filtered !== text) this.#replaced++;
    return filtered;
  }

  /** Passes each piece of text in a delta through its channel. */
  #pieces(delta: Json, owner: string, way: (string | number)[], event: (delta: Json) => Json): Json {
    const copy: Json = { ...delta };
    for (const [name, value] of Object.entries(delta)) {
      const here = [...way, name];
      if (typeof value === "string" && !LABELS.has(name)) {
        const channel = `${owner}/${here.join("/")}`;
        if (!this.#ways.has(channel)) this.#ways.set(channel, { way: here, event });
        copy[name] = this.#released(this.#stream.push(channel, value));
      } else if (Array.isArray(value)) {
        copy[name] = value.map((item, place) =>
          isObject(item)
            ? this.#pieces(item, owner, [...here, typeof item.index === "number" ? item.index : place], event)
            : item,
        );
      } else if (isObject(value)) {
        copy[name] = this.#pieces(value, owner, here, event);
      }
    }
    return copy;
  }

  #flushInto(delta: Json, owner: string): Json {
    let result = delta;
    for (const [channel, { way }] of this.#waysOf(owner)) {
      const rest = this.#finish(channel);
      if (rest !== "") result = append(result, way, rest);
    }
    return result;
  }

  #flush(owner: string, events: Json[]): void {
    for (const [channel, { way, event }] of this.#waysOf(owner)) {
      const rest = this.#finish(channel);
      if (rest !== "") events.push(event(append(deltaType(way), way, rest)));
    }
  }

  #waysOf(owner: string) {
    return [...this.#ways].filter(([channel]) => owner === "" || channel.startsWith(`${owner}/`));
  }

  #finish(channel: string): string {
    this.#ways.delete(channel);
    return this.#released(this.#stream.end(channel));
  }

  #released(outcome: ReturnType<PiiStream["push"]>): string {
    if (outcome.outcome === "text") return outcome.text;
    throw new Stop(outcome.error, outcome.outcome === "failed" ? outcome.cause : undefined);
  }
}

/** The last event of OpenAI's responses API, whatever became of the response. */
const ENDS_RESPONSE = new Set(["response.completed", "response.incomplete", "response.failed"]);

/** OpenAI's responses API: `response.output_text.delta` and its like, each with a piece of one text of one part of an item. */
const isResponseDelta = ({ type, delta }: Json) =>
  typeof type === "string" &&
  type.startsWith("response.") &&
  type.endsWith(".delta") &&
  typeof delta === "string";

/** A text's deltas and its `.done` name the same part. */
function partOf({ type, item_id, output_index, content_index, summary_index }: Json): string {
  const kind = String(type).replace(/\.(delta|done)$/, "");
  return [kind, item_id, output_index, content_index, summary_index].map((part) => part ?? "").join("|");
}

/** Anthropic's deltas say their kind; OpenAI's do not. */
function deltaType(way: (string | number)[]): Json {
  const kinds: Record<string, string> = {
    text: "text_delta",
    partial_json: "input_json_delta",
    thinking: "thinking_delta",
  };
  const kind = way.length === 1 ? kinds[String(way[0])] : undefined;
  return kind === undefined ? {} : { type: kind };
}

/** Adds text at a way through objects and lists; a number in the way is the `index` of a list's item. */
function append(into: Json, way: readonly (string | number)[], text: string): Json {
  const [name, next, ...rest] = way as [string, string | number | undefined, ...(string | number)[]];
  const old = into[name];
  if (next === undefined) return { ...into, [name]: (typeof old === "string" ? old : "") + text };
  if (typeof next === "string") {
    return { ...into, [name]: append(isObject(old) ? old : {}, [next, ...rest], text) };
  }
  const list = Array.isArray(old) ? [...old] : [];
  const at = list.findIndex((item) => isObject(item) && item.index === next);
  const item = append(at < 0 ? { index: next } : list[at], rest, text);
  if (at < 0) list.push(item);
  else list[at] = item;
  return { ...into, [name]: list };
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
