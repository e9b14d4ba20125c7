/** The filter over LiteLLM's stream: events in which nothing changes go on byte by byte. */
import { type ApiError, errorBody } from "@central-llm/core/api-error";
import { type AnswerOutcome, PiiAnswerStream } from "@central-llm/core/pii-answer-stream";
import type { Finding } from "@central-llm/core/pii-entity";
import type { PiiPolicy } from "@central-llm/core/pii-policy";
import { FILTER_UNAVAILABLE } from "@central-llm/core/pii-refusal";
import { EventBlocks } from "../event-blocks.ts";
import { anthropicErrorBody } from "../gateway/anthropic-error.ts";
import { withoutUsage } from "../hidden-usage.ts";
import { parseEvents, type ServerSentEvent } from "../server-sent-events.ts";
import { isObject, parseObject } from "../stream-assembly.ts";
import type { Door } from "./door.ts";
import { Said } from "./said.ts";

/** Send the bytes; where the filter stops the stream, its error is the last event of them. */
export interface Passed {
  bytes: Buffer[];
  stop: { error: ApiError; cause: string | undefined } | null;
}

/** Events that wait for the filter's word, at most: then the text that is decided goes on in events of ours. */
const MOST_WAITING = 16;

export class CheckedStream {
  readonly #door: Door;
  readonly #filter: PiiAnswerStream;
  readonly #blocks = new EventBlocks();
  /** We asked for the usage, the client did not. */
  readonly #hidesUsage: boolean;
  /** Since the filter last held nothing back: what came, and what the filter made of it. */
  #came: Buffer[] = [];
  #made: Buffer[] = [];
  /** Of what came, a part has gone on in an event of ours, or has been replaced. */
  #differs = false;
  #changes = 0;
  readonly said = new Said();

  constructor(door: Door, policy: PiiPolicy, hidesUsage: boolean) {
    this.#door = door;
    this.#filter = new PiiAnswerStream(policy);
    this.#hidesUsage = hidesUsage;
  }

  get findings(): readonly Finding[] {
    return this.#filter.findings;
  }

  push(chunk: Buffer): Passed {
    const passed: Passed = { bytes: [], stop: null };
    for (const block of this.#cut(chunk, passed)) {
      if (passed.stop === null) this.#event(block, passed);
    }
    return this.#ended(passed);
  }

  /** The stream ended: what the filter still held, and what was no whole event. */
  end(): Passed {
    const passed: Passed = { bytes: [], stop: null };
    const { rest } = this.#blocks;
    // A last line without its empty line is an event to lenient readers, so it is one here.
    if (rest.length > 0) this.#event(rest, passed, "\n\n");
    if (passed.stop === null) this.#make(this.#filter.end(), null, passed);
    return this.#ended(passed);
  }

  #cut(chunk: Buffer, passed: Passed): Buffer[] {
    try {
      return this.#blocks.push(chunk);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      passed.stop = { error: FILTER_UNAVAILABLE, cause: error.message };
      return [];
    }
  }

  /** @param end what the event lacks still */
  #event(block: Buffer, passed: Passed, end = ""): void {
    const [event] = parseEvents(block.toString("utf8") + end);
    // A comment, which keeps the connection alive.
    if (event === undefined) return this.#same(block, passed);
    if (event.data === "[DONE]") {
      this.#make(this.#filter.end(), null, passed);
      if (passed.stop === null) this.#same(block, passed);
      return;
    }
    const json = parseObject(event.data);
    if (json === null) {
      // What cannot be read cannot be checked.
      passed.stop = { error: FILTER_UNAVAILABLE, cause: "an event that is no JSON object" };
      return;
    }
    this.said.hear(json);
    const shown = this.#hidesUsage && isObject(json.usage) ? withoutUsage(json) : json;
    if (shown === null) return;
    if (shown !== json) this.#differs = true;
    this.#came.push(block);
    this.#make(this.#filter.push(shown), event, passed);
  }

  #same(block: Buffer, passed: Passed): void {
    this.#came.push(block);
    this.#made.push(block);
    this.#release(passed);
  }

  /** @param original whose name the events have, unless they say their own */
  #make(outcome: AnswerOutcome, original: ServerSentEvent | null, passed: Passed): void {
    for (const event of outcome.events) {
      const type = typeof event.type === "string" ? event.type : (original?.event ?? null);
      const name = type === null ? "" : `event: ${type}\n`;
      this.#made.push(Buffer.from(`${name}data: ${JSON.stringify(event)}\n\n`));
    }
    if (outcome.outcome === "stop") passed.stop = { error: outcome.error, cause: outcome.cause };
    this.#release(passed);
  }

  #release(passed: Passed): void {
    const { isHolding, changes } = this.#filter;
    const stops = passed.stop !== null;
    if (isHolding && !stops && this.#came.length < MOST_WAITING) return;
    const isSame = !isHolding && !stops && !this.#differs && changes === this.#changes;
    passed.bytes.push(...(isSame ? this.#came : this.#made));
    this.#came = [];
    this.#made = [];
    this.#differs = isHolding;
    this.#changes = changes;
  }

  #ended(passed: Passed): Passed {
    if (passed.stop) passed.bytes.push(Buffer.from(errorEvent(this.#door, passed.stop.error)));
    return passed;
  }
}

/** How a stream says that it broke off. `[DONE]` after it would say that all is well. */
export function errorEvent(door: Door, error: ApiError): string {
  if (door.wire === "anthropic") return `event: error\ndata: ${anthropicErrorBody(error)}\n\n`;
  if (door.requestType !== "responses") return `data: ${errorBody(error)}\n\n`;
  const { code, message, param = null } = error;
  return `event: error\ndata: ${JSON.stringify({ type: "error", code, message, param })}\n\n`;
}
