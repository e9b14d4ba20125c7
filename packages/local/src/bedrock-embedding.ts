/** Embeddings of the stand-in: the same vector to the same text, of length 1. Words in common bring vectors together. */
import { createHash } from "node:crypto";
import { BedrockFault } from "./bedrock-fault.ts";

export interface InvokeAnswer {
  body: object;
  inputTokens: number;
}

interface TitanRequest {
  inputText?: string;
  dimensions?: number;
  normalize?: boolean;
}

interface CohereRequest {
  texts?: string[];
  input_type?: string;
  embedding_types?: string[];
}

const tokens = (text: string) => Math.max(1, Math.ceil(text.length / 4));

export function invokeEmbedding(modelId: string, request: TitanRequest & CohereRequest): InvokeAnswer {
  return modelId.startsWith("cohere.") ? cohere(request) : titan(request);
}

function titan({ inputText, dimensions = 1_024 }: TitanRequest): InvokeAnswer {
  if (typeof inputText !== "string" || inputText.length === 0)
    throw refuse(
      "Malformed input request: #: required key [inputText] not found, please reformat your input and try again.",
    );
  if (![256, 512, 1_024].includes(dimensions)) throw refuse(`Invalid dimensions: ${dimensions}`);
  const inputTextTokenCount = tokens(inputText);
  return {
    body: { embedding: vector(inputText, dimensions), inputTextTokenCount },
    inputTokens: inputTextTokenCount,
  };
}

function cohere({ texts, input_type: type, embedding_types: types }: CohereRequest): InvokeAnswer {
  if (!Array.isArray(texts) || texts.length === 0 || texts.length > 96)
    throw refuse("Malformed input request: texts: between 1 and 96 items are expected.");
  if (!["search_document", "search_query", "classification", "clustering"].includes(type ?? ""))
    throw refuse("Malformed input request: input_type is required.");
  const vectors = texts.map((text) => vector(text, 1_024));
  const embeddings = types ? { float: vectors } : vectors;
  const responseType = types ? "embeddings_by_type" : "embeddings_floats";
  return {
    body: { id: "stand-in", texts, embeddings, response_type: responseType },
    inputTokens: texts.reduce((sum, text) => sum + tokens(text), 0),
  };
}

const refuse = (message: string) => new BedrockFault("ValidationException", message);

function vector(text: string, dimensions: number): number[] {
  const sum = new Array<number>(dimensions).fill(0);
  for (const word of text.toLowerCase().split(/\W+/).filter(Boolean)) {
    const seed = createHash("sha256").update(word).digest();
    for (let n = 0; n < dimensions; n++)
      sum[n] =
        (sum[n] ?? 0) + ((seed[n % 32] ?? 0) / 255 - 0.5) * Math.cos(n * ((seed[(n * 7) % 32] ?? 0) + 1));
  }
  const length = Math.hypot(...sum) || 1;
  return sum.map((value) => value / length);
}
