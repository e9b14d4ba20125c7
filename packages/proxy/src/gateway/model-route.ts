/**
 * What a door to models makes of a request and of a model's answer. A door knows nothing of keys, limits and audit, which are
 * the same behind all of them (model-exchange.ts). The doors themselves are in model-doors.ts.
 */
import type { ApiError } from "@central-llm/core/api-error";
import type { Model } from "@central-llm/core/model";
import type { BedrockClient } from "./bedrock-client.ts";
import type { CompatibleClient, ToldUpstream } from "./compatible-client.ts";
import type { Estimate } from "./reservation-estimate.ts";
import type { Usage } from "./translation.ts";

export type Json = Record<string, unknown>;

/** Of one request, for all of its attempts. */
export interface Asked {
  /** Without prefix. */
  id: string;
  /** Seconds since 1970. */
  created: number;
  /** The model as the caller named it. */
  model: string;
  /** The `anthropic-beta` header. */
  betas: string | undefined;
  dropParams: boolean;
  /** Of an answer, for the audit. */
  keptBytes: number;
}

/** Writes a stream as server-sent events. `Event` is what the provider sends. */
export interface Encoder<Event = unknown> {
  /** What the provider counted; null while it has not said it. */
  readonly usage: Usage | null;
  push(event: Event): string;
  end(): string;
  fail(error: ApiError): string;
}

/** Puts a stream together, for the audit and for filters that read whole texts. */
export interface Assembly<Event = unknown> {
  /** Of all texts so far. */
  readonly characters: number;
  add(event: Event): void;
  /** The answer so far, as it would have been without streaming. */
  whole(): object;
  /** The same in as few events as it can be. */
  condensed(): Iterable<Event>;
}

export interface StreamedAnswer {
  events: AsyncIterable<unknown>;
  encoder: Encoder;
  assembly: Assembly;
}

export interface WholeAnswer {
  body: object;
  usage: Usage | null;
  /** Of its texts, where the provider did not say what it used. */
  characters?: number;
  headers?: Record<string, string>;
  /** There is no text in it that the filter could read. */
  numbers?: boolean;
}

export type ModelAnswer = WholeAnswer | StreamedAnswer;

/** Whom a call goes to, and what a server of our own is told of it. */
export interface Calling {
  bedrock: BedrockClient;
  compatible: CompatibleClient;
  signal: AbortSignal;
  told(): ToldUpstream;
}

/** A request made ready for one model. */
export interface Prepared {
  estimate: Estimate;
  /** The prompt alone, for calls of which the provider never says what they used. */
  promptTokens: number;
  dropped: readonly string[];
  /** Does of the first attempt what can be done before it is certain. */
  draft?(bedrock: BedrockClient): void;
  run(calling: Calling): Promise<ModelAnswer>;
}

export interface ModelRoute {
  path: string;
  /** The record's requestType. */
  kind: string;
  /** LiteLLM's name of the call, for the spend row. null: costs nothing, and no row is written. */
  callType: string | null;
  /** Whose shape errors have. */
  wire: "openai" | "anthropic";
  /** @throws Refusal when the request cannot become a call of this model */
  prepare(body: Json, model: Model, asked: Asked): Prepared;
}
