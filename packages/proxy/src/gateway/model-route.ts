/**
 * What a door to models makes of a request and of a model's answer. A door knows nothing of keys, limits and audit, which are
 * the same behind all of them (model-exchange.ts). The doors themselves are in model-doors.ts.
 */
import type { ConverseResponse } from "@aws-sdk/client-bedrock-runtime";
import type { ApiError } from "@central-llm/core/api-error";
import type { Model } from "@central-llm/core/model";
import type { BedrockClient } from "./bedrock-client.ts";
import type { Estimate } from "./reservation-estimate.ts";
import type { StreamEvent, Usage } from "./translation.ts";

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
}

/** Writes a stream as server-sent events. */
export interface Encoder {
  readonly usage: Usage | null;
  push(event: StreamEvent): string;
  end(): string;
  fail(error: ApiError): string;
}

export type ModelAnswer =
  | {
      body: object;
      usage: Usage | null;
      headers?: Record<string, string>;
      /** There is no text in it that the filter could read. */
      numbers?: boolean;
    }
  | {
      events: AsyncIterable<StreamEvent>;
      encoder: Encoder;
      /** The answer as it would have been without streaming, for the audit. */
      whole(output: ConverseResponse): object;
    };

/** A request made ready for one model. */
export interface Prepared {
  estimate: Estimate;
  /** The prompt alone, for calls of which the provider never says what they used. */
  promptTokens: number;
  dropped: readonly string[];
  run(client: BedrockClient, signal: AbortSignal): Promise<ModelAnswer>;
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
