/** What a request must reserve before it is made: tokens for rate limits, dollars for budgets. */
import type { ContentBlock, ToolResultContentBlock } from "@aws-sdk/client-bedrock-runtime";
import type { ChatAbility, Model } from "@central-llm/core/model";
import { cost, costAt } from "@central-llm/core/price";
import { estimateTokens } from "./token-count.ts";
import type { ConverseInput, Usage } from "./translation.ts";

export interface Estimate {
  /** A good guess of the prompt, and the most that the answer can have. */
  tokens: number;
  /** US dollars; an upper bound: a budget cannot be overshot. */
  cost: number;
}

export const NOTHING: Estimate = { tokens: 0, cost: 0 };

/** @param usage with the cached tokens of the prompt counted in @returns null where the model has no known price */
export function costOf(model: Model, usage: Usage): { usd: number; priceTable: string } | null {
  const { target, pricedAs, price, name } = model;
  if (price) return costAt(usage, price);
  return cost(usage, pricedAs ?? (target.provider === "bedrock" ? target.modelId : name), target.provider);
}

/** The dearest that so many tokens can be: every token of the prompt written to the cache. */
export function mostCost(model: Model, promptTokens: number, completionTokens: number): number {
  const usage = { promptTokens, completionTokens, cachedPromptTokens: 0 };
  const plain = costOf(model, { ...usage, cacheWritePromptTokens: 0 })?.usd ?? 0;
  return Math.max(plain, costOf(model, { ...usage, cacheWritePromptTokens: promptTokens })?.usd ?? 0);
}

export function chatEstimate(
  model: Model,
  ability: ChatAbility,
  input: ConverseInput,
  maxOutputTokens: number,
): Estimate {
  // What a picture comes to on a server of unknown make only that server knows.
  const image = model.target.provider === "bedrock" ? AN_IMAGE : Number.POSITIVE_INFINITY;
  const most = Math.min(promptBound(input, image), ability.contextWindow);
  return {
    tokens: Math.min(estimateTokens(input), ability.contextWindow) + maxOutputTokens,
    cost: mostCost(model, most, maxOutputTokens),
  };
}

/** What Claude is told around the prompt: roles, and how tools are to be used. */
export const AROUND = 1_000;
const A_MESSAGE = 32;
/** Of the largest picture that newer models take. */
const AN_IMAGE = 6_000;
const A_BLOCK = 64;

/** No tokenizer makes more tokens than the text has bytes. A document's pages are pictures too: no bound but the window's. */
function promptBound({ system = [], messages = [], toolConfig }: ConverseInput, image: number): number {
  let tokens = AROUND;
  for (const block of system) tokens += block.text === undefined ? A_BLOCK : Buffer.byteLength(block.text);
  for (const tool of toolConfig?.tools ?? []) tokens += bytesOf(tool);
  for (const { content = [] } of messages) {
    tokens += A_MESSAGE;
    for (const block of content) tokens += boundOf(block, image);
  }
  return tokens;
}

function boundOf(block: ContentBlock | ToolResultContentBlock, image: number): number {
  if (block.text !== undefined) return Buffer.byteLength(block.text);
  if (block.image) return image;
  if (block.document || block.video) return Number.POSITIVE_INFINITY;
  if ("toolResult" in block && block.toolResult)
    return (block.toolResult.content ?? []).reduce((sum, part) => sum + boundOf(part, image), A_BLOCK);
  return bytesOf(block);
}

const bytesOf = (value: object) => Buffer.byteLength(JSON.stringify(value));
