/**
 * Requests to OpenAI-compatible servers: what came, with the model's name there. Only what limits, usage and filter depend on
 * is read; everything else is the server's to take or to refuse.
 */
import {
  type ChatAbility,
  type CompatibleTarget,
  defaultOutputTokens,
  type Model,
} from "@central-llm/core/model";
import { z } from "zod";
import { outputLimit } from "./chat-parameters.ts";
import { guessedTokens, mediaIn } from "./message-media.ts";
import type { Json } from "./model-route.ts";
import { malformed, unsupported } from "./refusal.ts";
import { AROUND, type Estimate, mostCost } from "./reservation-estimate.ts";

const limit = z.int().positive().nullish();
/** OpenAI's own most. */
const answers = z.int().min(1).max(128).nullish();
const options = z.looseObject({ include_usage: z.boolean().nullish() }).nullish();
const streaming = { stream: z.boolean().nullish(), stream_options: options };
const texts = z.union([z.string(), z.array(z.string()).min(1)]);

const chat = z.looseObject({
  messages: z.array(z.looseObject({ role: z.string() })).min(1),
  max_tokens: limit,
  max_completion_tokens: limit,
  n: answers,
  ...streaming,
});
const completion = z.looseObject({
  prompt: z.unknown(),
  max_tokens: limit,
  n: answers,
  best_of: answers,
  ...streaming,
});
const embedding = z.looseObject({ input: z.unknown() });

/** A request as it is sent, and what it may come to. */
export interface CompatibleRequest {
  body: string;
  estimate: Estimate;
  /** Of the prompt, guessed. */
  promptTokens: number;
  dropped: string[];
  stream: boolean;
  /** The usage was asked for by us alone. */
  hidesUsage: boolean;
}

/** OpenAI's and vLLM's default of the older completions. */
const COMPLETION_TOKENS = 16;

/** @param dropParams cuts a limit that is beyond the model's, instead of refusing it @throws Refusal */
export function chatRequest(
  body: Json,
  model: Model,
  ability: ChatAbility,
  dropParams: boolean,
): CompatibleRequest {
  const request = checked(chat, body);
  const { max_tokens, max_completion_tokens } = request;
  return generation(body, model, ability, {
    request,
    limits: { max_tokens, max_completion_tokens },
    answers: request.n ?? 1,
    prompts: 1,
    dropParams,
  });
}

/** @throws Refusal */
export function completionRequest(
  body: Json,
  model: Model,
  ability: ChatAbility,
  dropParams: boolean,
): CompatibleRequest {
  const request = checked(completion, body);
  const prompts = textsOf(request.prompt, "prompt").length;
  return generation(body, model, ability, {
    request,
    // Said, because not every server knows the default.
    limits: { max_tokens: request.max_tokens ?? COMPLETION_TOKENS },
    answers: Math.max(request.n ?? 1, request.best_of ?? 1),
    prompts,
    dropParams,
  });
}

/** Tokens that mark a text's beginning and end. */
const AROUND_A_TEXT = 8;

/** @throws Refusal */
export function embeddingRequest(body: Json, model: Model): CompatibleRequest {
  const { input } = checked(embedding, body);
  const { contextWindow } = model.ability;
  const bytes = textsOf(input, "input").map((text) =>
    Math.min(Buffer.byteLength(text) + AROUND_A_TEXT, contextWindow),
  );
  const most = bytes.reduce((sum, one) => sum + one, 0);
  return {
    body: JSON.stringify({ ...body, model: nameThere(model) }),
    estimate: { tokens: most, cost: mostCost(model, most, 0) },
    promptTokens: Math.ceil(most / 4),
    dropped: [],
    stream: false,
    hidesUsage: false,
  };
}

interface Generation {
  request: Pick<z.output<typeof chat>, "stream" | "stream_options">;
  /** Of one answer's tokens, by the parameters' names. */
  limits: Record<string, number | null | undefined>;
  /** To each prompt. */
  answers: number;
  prompts: number;
  dropParams: boolean;
}

function generation(body: Json, model: Model, ability: ChatAbility, asked: Generation): CompatibleRequest {
  const { request, answers: each, prompts, dropParams } = asked;
  const sent: Json = { ...body, model: nameThere(model) };
  const { most, dropped } = limitAnswer(sent, model, ability, asked.limits, dropParams);
  const stream = request.stream === true;
  const hidesUsage = stream && request.stream_options?.include_usage !== true;
  if (hidesUsage) sent.stream_options = { ...request.stream_options, include_usage: true };
  const text = JSON.stringify(sent);
  const window = ability.contextWindow * prompts;
  const promptTokens = Math.min(guessedTokens(text, body), window);
  // No tokenizer makes more tokens than the text has bytes. What a picture or a sound comes to only the server knows.
  const bound = mediaIn(body) > 0 ? window : Math.min(Buffer.byteLength(text) + AROUND * prompts, window);
  const output = most * each * prompts;
  return {
    body: text,
    estimate: { tokens: promptTokens + output, cost: mostCost(model, bound, output) },
    promptTokens,
    dropped,
    stream,
    hidesUsage,
  };
}

/**
 * The server's own limit holds where the caller names none, unless the operators gave the model another one.
 * @returns the most tokens that one answer can have
 */
function limitAnswer(
  sent: Json,
  model: Model,
  ability: ChatAbility,
  limits: Generation["limits"],
  dropParams: boolean,
): { most: number; dropped: string[] } {
  const dropped: string[] = [];
  const named = Object.entries(limits).filter((entry): entry is [string, number] => Boolean(entry[1]));
  const [first] = named;
  if (first !== undefined) {
    const wanted = Math.max(...named.map(([, limit]) => limit));
    const draft = { settings: { ability, dropParams }, dropped };
    const most = outputLimit(draft, first[0], wanted) ?? wanted;
    for (const [name, limit] of named) sent[name] = Math.min(limit, most);
    return { most, dropped };
  }
  if (ability.defaultOutputTokens === undefined) return { most: ability.maxOutputTokens, dropped };
  const most = defaultOutputTokens(ability);
  sent[(model.target as CompatibleTarget).limitParameter] = most;
  return { most, dropped };
}

export const nameThere = ({ name, target }: Model) =>
  target.provider === "openai-compatible" ? (target.model ?? name) : name;

function checked<Schema extends z.ZodType>(schema: Schema, body: Json): z.output<Schema> {
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw malformed(parsed.error);
  return parsed.data;
}

/** Lists of tokens are of a vocabulary that the filter cannot read. */
function textsOf(value: unknown, param: string): string[] {
  const parsed = texts.safeParse(value);
  if (parsed.success) return [parsed.data].flat();
  throw unsupported(param, "It must be a text or a list of texts: tokens cannot be checked.");
}
