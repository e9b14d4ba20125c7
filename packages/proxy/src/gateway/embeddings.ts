/**
 * OpenAI's embeddings on Amazon Titan (one text a call) and Cohere (96 texts a call).
 * Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html and -embed-v3.html
 */
import type { ApiError } from "@central-llm/core/api-error";
import type { EmbeddingAbility } from "@central-llm/core/model";
import { z } from "zod";
import { invalid, malformed, Refusal, unsupported } from "./refusal.ts";

/** OpenAI's own limit. */
const MAX_TEXTS = 2_048;
const COHERE_BATCH = 96;

const embeddingRequest = z.looseObject({
  model: z.string(),
  input: z.union([z.string(), z.array(z.string()).min(1).max(MAX_TEXTS), z.array(z.unknown()).min(1)]),
  encoding_format: z.enum(["float", "base64"]).nullish(),
  dimensions: z.int().positive().nullish(),
  /** Cohere's, as LiteLLM takes it. */
  input_type: z.enum(["search_document", "search_query", "classification", "clustering"]).nullish(),
  user: z.string().nullish(),
});

export interface EmbeddingCall {
  /** InvokeModel's body. */
  body: object;
  /** How many of the texts it covers. */
  texts: number;
}

export interface EmbeddingPlan {
  calls: EmbeddingCall[];
  encoding: "float" | "base64";
  /** Upper bound of the tokens that will be counted, for a reservation. */
  maxTokens: number;
}

export function embeddingsToInvoke(
  body: unknown,
  ability: EmbeddingAbility,
): { ok: true; plan: EmbeddingPlan } | { ok: false; error: ApiError } {
  try {
    return { ok: true, plan: plan(body, ability) };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, error: error.error };
    throw error;
  }
}

function plan(body: unknown, ability: EmbeddingAbility): EmbeddingPlan {
  const parsed = embeddingRequest.safeParse(body);
  if (!parsed.success) throw malformed(parsed.error);
  const { input, dimensions, input_type: inputType, encoding_format: encoding } = parsed.data;
  const texts = textsOf(input);
  const [standard] = ability.dimensions;
  if (dimensions && !ability.dimensions.includes(dimensions))
    throw invalid("dimensions", `This model gives ${ability.dimensions.join(", ")} dimensions.`);
  if (inputType && ability.wire !== "cohere-v3")
    throw unsupported("input_type", "Only Cohere's models know it.");
  const calls =
    ability.wire === "titan-v2"
      ? texts.map((inputText) => ({
          texts: 1,
          body: { inputText, dimensions: dimensions ?? standard, normalize: true },
        }))
      : batches(texts).map((batch) => ({
          texts: batch.length,
          body: { texts: batch, input_type: inputType ?? "search_document", truncate: "NONE" },
        }));
  // No tokenizer makes more tokens than the text has bytes.
  const maxTokens = texts.reduce(
    (sum, text) => sum + Math.min(Buffer.byteLength(text), ability.contextWindow),
    0,
  );
  return { calls, encoding: encoding ?? "float", maxTokens };
}

function textsOf(input: unknown): string[] {
  const texts = typeof input === "string" ? [input] : (input as unknown[]);
  return texts.map((text, index) => {
    const param = typeof input === "string" ? "input" : `input[${index}]`;
    if (typeof text !== "string")
      throw unsupported(param, "Tokens are of another model's vocabulary: send the text.");
    if (text.trim() === "") throw invalid(param, "The text must not be empty.");
    return text;
  });
}

function batches(texts: string[]): string[][] {
  const count = Math.ceil(texts.length / COHERE_BATCH);
  return Array.from({ length: count }, (_, n) => texts.slice(n * COHERE_BATCH, (n + 1) * COHERE_BATCH));
}

const titanAnswer = z.object({ embedding: z.array(z.number()), inputTextTokenCount: z.number().optional() });
const cohereAnswer = z.object({
  embeddings: z.union([z.array(z.array(z.number())), z.object({ float: z.array(z.array(z.number())) })]),
});

export interface InvokeAnswer {
  json: unknown;
  inputTokens: number | null;
}

export interface EmbeddingList {
  object: "list";
  data: { object: "embedding"; index: number; embedding: number[] | string }[];
  model: string;
  usage: { prompt_tokens: number; total_tokens: number };
}

/** @param answers of the plan's calls, in their order */
export function invokeToEmbeddings(
  answers: InvokeAnswer[],
  ability: EmbeddingAbility,
  encoding: EmbeddingPlan["encoding"],
  model: string,
): EmbeddingList {
  const vectors: number[][] = [];
  let tokens = 0;
  for (const { json, inputTokens } of answers) {
    if (ability.wire === "titan-v2") {
      const { embedding, inputTextTokenCount } = titanAnswer.parse(json);
      vectors.push(embedding);
      tokens += inputTextTokenCount ?? inputTokens ?? 0;
    } else {
      const { embeddings } = cohereAnswer.parse(json);
      vectors.push(...(Array.isArray(embeddings) ? embeddings : embeddings.float));
      tokens += inputTokens ?? 0;
    }
  }
  return {
    object: "list",
    data: vectors.map((vector, index) => ({
      object: "embedding",
      index,
      embedding:
        encoding === "base64" ? Buffer.from(new Float32Array(vector).buffer).toString("base64") : vector,
    })),
    model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}
