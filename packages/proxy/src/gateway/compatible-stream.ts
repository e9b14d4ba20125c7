/** Chunks of an OpenAI-compatible server on their way to the client: as they came, but for the model's name and the usage. */
import { type ApiError, errorBody } from "@central-llm/core/api-error";
import { z } from "zod";
import { withoutUsage } from "../hidden-usage.ts";
import { ChunkAssembly, isObject } from "../stream-assembly.ts";
import { tooLargeAnswer } from "./compatible-error.ts";
import type { Assembly, Encoder, Json } from "./model-route.ts";
import type { Usage } from "./translation.ts";

const count = z.int().nonnegative();
const usage = z.looseObject({
  prompt_tokens: count,
  completion_tokens: count.nullish(),
  prompt_tokens_details: z
    .looseObject({ cached_tokens: count.nullish(), cache_write_tokens: count.nullish() })
    .nullish(),
});

/** @returns null where the server does not say it, or not as OpenAI's wire has it */
export function compatibleUsage(said: unknown): Usage | null {
  const parsed = usage.safeParse(said);
  if (!parsed.success) return null;
  const { prompt_tokens: promptTokens, completion_tokens, prompt_tokens_details: details } = parsed.data;
  return {
    promptTokens,
    completionTokens: completion_tokens ?? 0,
    cachedPromptTokens: details?.cached_tokens ?? 0,
    cacheWritePromptTokens: details?.cache_write_tokens ?? 0,
  };
}

export class CompatibleEncoder implements Encoder<Json> {
  usage: Usage | null = null;
  readonly #model: string;
  readonly #hidesUsage: boolean;

  /** @param model as the caller named it @param hidesUsage it was asked for by us alone */
  constructor(model: string, hidesUsage: boolean) {
    this.#model = model;
    this.#hidesUsage = hidesUsage;
  }

  push(chunk: Json): string {
    this.usage = compatibleUsage(chunk.usage) ?? this.usage;
    const shown = this.#shown(chunk);
    if (shown === null) return "";
    return `data: ${JSON.stringify(renamed(shown, this.#model))}\n\n`;
  }

  /** Servers that were asked for usage say `null` in every chunk but the last. */
  #shown(chunk: Json): Json | null {
    if (!this.#hidesUsage || !("usage" in chunk)) return chunk;
    if (isObject(chunk.usage)) return withoutUsage(chunk);
    const { usage: _hidden, ...rest } = chunk;
    return rest;
  }

  end(): string {
    return "data: [DONE]\n\n";
  }

  fail(error: ApiError): string {
    return `data: ${errorBody(error)}\n\n`;
  }
}

/** With the caller's name of the model in place of the server's own, where it says one. */
export const renamed = (answer: Json, model: string): Json =>
  "model" in answer ? { ...answer, model } : answer;

export class CompatibleAssembly implements Assembly<Json> {
  readonly #chunks = new ChunkAssembly();
  readonly #model: string;
  readonly #limit: number;
  #weight = 0;
  #cut = false;
  characters = 0;

  /** @param limit what is kept, in characters: beyond it the audit's copy is cut anyway */
  constructor(model: string, limit: number) {
    this.#model = model;
    this.#limit = limit;
  }

  add(chunk: Json): void {
    for (const choice of Array.isArray(chunk.choices) ? chunk.choices : []) {
      if (!isObject(choice)) continue;
      this.characters += charactersOf(choice.delta ?? choice.text);
      if (choice.logprobs) this.#weight += JSON.stringify(choice.logprobs).length;
    }
    // Always with the piece that goes over the limit: what is kept is then seen to be cut.
    if (this.#cut) return;
    this.#cut = this.characters + this.#weight > this.#limit;
    if (Array.isArray(chunk.choices)) this.#chunks.add(renamed(chunk, this.#model));
  }

  whole(): object {
    return this.#chunks.result();
  }

  /** @throws UpstreamError when not all of it was kept */
  *condensed(): Generator<Json> {
    if (this.#cut) throw tooLargeAnswer();
    const { choices, usage: said, object, ...head } = this.#chunks.result();
    const kind = object === "chat.completion" ? "chat.completion.chunk" : object;
    const chunk = (rest: Json): Json => ({ ...head, object: kind, ...rest });
    for (const choice of choices as Json[]) {
      const { message, ...rest } = choice;
      yield chunk({ choices: [isObject(message) ? { ...rest, delta: message } : rest] });
    }
    if (said !== undefined) yield chunk({ choices: [], usage: said });
  }
}

const LABELS = new Set(["id", "type", "role", "name"]);

/** Of the texts in a delta or an answer's message. */
export function charactersOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 0;
  let sum = 0;
  for (const [name, inner] of Object.entries(value)) if (!LABELS.has(name)) sum += charactersOf(inner);
  return sum;
}
