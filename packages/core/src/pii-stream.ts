/**
 * The filter for a streamed answer. Each text of the stream (a choice's content, a tool call's arguments …) is a
 * channel of its own; a value that is cut by any chunk border is found as if the text had come whole.
 */
import type { ApiError } from "./api-error.ts";
import { PiiChannel } from "./pii-channel.ts";
import { type Finding, sumFindings } from "./pii-entity.ts";
import type { PiiPolicy } from "./pii-policy.ts";
import { blockedError, causeOf, FILTER_UNAVAILABLE } from "./pii-refusal.ts";

/**
 * `text`: pass this on now (it may be empty). `blocked` and `failed`: pass `text` on, send `error` as the stream's last
 * event, and stop; every later call says the same.
 */
export type StreamOutcome =
  | { outcome: "text"; text: string }
  | { outcome: "blocked"; text: string; error: ApiError }
  | { outcome: "failed"; text: ""; error: ApiError; cause: string };

export class PiiStream {
  readonly #policy: PiiPolicy;
  readonly #channels = new Map<string, PiiChannel>();
  #findings: Finding[] = [];
  #end: Exclude<StreamOutcome, { outcome: "text" }> | null = null;

  constructor(policy: PiiPolicy) {
    this.#policy = policy;
  }

  /** What was found so far, for the audit record. */
  get findings(): readonly Finding[] {
    return this.#findings;
  }

  push(channel: string, piece: string): StreamOutcome {
    return this.#pass(channel, piece, false);
  }

  /** A channel is complete: releases what it held. */
  end(channel: string): StreamOutcome {
    const outcome = this.#channels.has(channel) || this.#end ? this.#pass(channel, "", true) : NOTHING;
    this.#channels.delete(channel);
    return outcome;
  }

  /** How many UTF-16 units are held back, over all channels. */
  get held(): number {
    let held = 0;
    for (const channel of this.#channels.values()) held += channel.held;
    return held;
  }

  /** The channels that are not complete yet. */
  openChannels(): string[] {
    return [...this.#channels.keys()];
  }

  #pass(name: string, piece: string, isLast: boolean): StreamOutcome {
    if (this.#end) return { ...this.#end, text: "" };
    try {
      let channel = this.#channels.get(name);
      if (channel === undefined) {
        channel = new PiiChannel(this.#policy);
        this.#channels.set(name, channel);
      }
      const { text, found, blocked } = channel.push(piece, isLast);
      if (found.length > 0) {
        this.#findings = sumFindings([...this.#findings, ...found.map((one) => ({ ...one, count: 1 }))]);
      }
      if (!blocked) return { outcome: "text", text };
      this.#end = { outcome: "blocked", text, error: blockedError(this.#findings, "answer") };
      return this.#end;
    } catch (error) {
      this.#end = { outcome: "failed", text: "", error: FILTER_UNAVAILABLE, cause: causeOf(error) };
      return this.#end;
    }
  }
}

const NOTHING: StreamOutcome = { outcome: "text", text: "" };
