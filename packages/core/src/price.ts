/**
 * What a call costs at list price, in US dollars per million tokens. A new set of prices gets a new name, since records
 * say by which one they were reckoned. Where they are from:
 * - claude-3-5-sonnet and claude-3-opus: seed 004 §4.6. Bedrock asks up to twice as much for models at the end of their
 *   life ("extended access", since February 2026; $6/$30 is reported for claude-3-5-sonnet), which this table leaves out.
 * - claude-opus-4-1 to claude-opus-5-5, claude-sonnet-5, claude-sonnet-5-5, claude-haiku-4-5: read on 2026-11-21 in copies
 *   of Anthropic's own pages ("Pricing", "Models overview" on platform.claude.com), cache prices included; for the long
 *   prompts of claude-haiku-5-5 and the cache of claude-sonnet-5-5 (cut on 2026-10-07) in two programs' notes that name
 *   that page (kurofune/claudit 1.9.2, TheKrush/PromptFuel 1.0.23).
 * - the other Claude models: the same figures stand in a third party's table made from that page (docs.rs/synaps).
 * - Titan and Cohere embeddings, and that Bedrock has no prompt cache for the three Claude 3: from memory, not checked.
 * Amazon Bedrock's own price list could not be read here. That it asks what Anthropic asks, for the global endpoint,
 * and 10 % more for a regional one from the 4.5 models on, is what third parties say, and not checked.
 */

import type { ModelPrice } from "./model.ts";

export const PRICE_TABLE = "2026-11";

interface Price {
  input: number;
  /** Tokens that the provider read from its prompt cache. */
  cachedInput: number;
  /** Tokens that the provider wrote to its prompt cache, for five minutes. */
  cacheWrite: number;
  output: number;
  /** From so many prompt tokens on, everything costs so many times as much. */
  long?: { above: number; times: number };
}

const SELF_HOSTED: Price = { input: 0, cachedInput: 0, cacheWrite: 0, output: 0 };

const price = (input: number, output: number, cachedInput = input / 10): Price => ({
  input,
  cachedInput,
  cacheWrite: input * 1.25,
  output,
});

/** By the model's own name: without provider, region and version, which the many ids of one model differ in. */
const PRICES: Record<string, Price> = {
  "claude-3-5-sonnet": price(3, 15),
  "claude-3-7-sonnet": price(3, 15),
  "claude-sonnet-4": price(3, 15),
  "claude-sonnet-4-5": price(3, 15),
  "claude-sonnet-4-6": price(3, 15),
  // No prompt cache on Bedrock for these three: cached tokens, were any reported, cost what the others cost.
  "claude-3-opus": price(15, 75, 15),
  "claude-3-sonnet": price(3, 15, 3),
  "claude-3-haiku": price(0.25, 1.25, 0.25),
  "claude-opus-4": price(15, 75),
  "claude-opus-4-1": price(15, 75),
  "claude-opus-4-5": price(5, 25),
  "claude-opus-4-6": price(5, 25),
  "claude-opus-4-7": price(5, 25),
  "claude-opus-4-8": price(5, 25),
  "claude-opus-5": price(5, 25),
  "claude-opus-5-5": price(4, 20, 0.2),
  "claude-sonnet-5": price(2, 10),
  "claude-sonnet-5-5": price(2, 10, 0.1),
  "claude-3-5-haiku": price(0.8, 4),
  "claude-haiku-4-5": price(1, 5),
  "claude-haiku-5-5": { ...price(0.1, 0.5), long: { above: 100_000, times: 5 } },
  "amazon-titan-embed-text": price(0.02, 0),
  "cohere-embed-english": price(0.1, 0),
  "cohere-embed-multilingual": price(0.1, 0),
};

export interface PricedUsage {
  promptTokens: number;
  completionTokens: number;
  /** Of the prompt's tokens, those read from a cache. */
  cachedPromptTokens?: number;
  /** Of the prompt's tokens, those written to a cache. */
  cacheWritePromptTokens?: number;
}

/** `us.anthropic.claude-3-5-sonnet-20241022-v2:0`, `bedrock/anthropic.claude-…`, `claude-3-5-sonnet@20241022` → `claude-3-5-sonnet`. */
export function modelFamily(model: string): string {
  return model
    .toLowerCase()
    .replace(/^.*\//, "")
    .replace(/^([a-z]{2,6}\.)?anthropic\./, "")
    .replace(/(:\w+)+$/, "")
    .replace(/-v\d+$/, "")
    .replace(/[-@](20\d{6}|latest)$/, "")
    .replace(/^(amazon|cohere)\./, "$1-");
}

/**
 * @param provider `vllm` is our own hardware: its tokens have no list price and cost 0
 * @returns null when the model has no known price, which is not the same as costing nothing
 */
export function cost(
  usage: PricedUsage,
  model: string,
  provider: string,
): { usd: number; priceTable: string } | null {
  const family = modelFamily(model);
  const rate = provider === "vllm" ? SELF_HOSTED : Object.hasOwn(PRICES, family) ? PRICES[family] : undefined;
  return rate ? { usd: dollars(usage, rate), priceTable: PRICE_TABLE } : null;
}

/** By a price that the model list states: the record names its four figures in place of a table. */
export function costAt(usage: PricedUsage, price: ModelPrice): { usd: number; priceTable: string } {
  const { input, output, cachedInput = input, cacheWrite = input } = price;
  const rate = { input, cachedInput, cacheWrite, output };
  return { usd: dollars(usage, rate), priceTable: `model-list:${Object.values(rate).join("/")}` };
}

function dollars(usage: PricedUsage, rate: Price): number {
  const cached = Math.min(usage.cachedPromptTokens ?? 0, usage.promptTokens);
  const written = Math.min(usage.cacheWritePromptTokens ?? 0, usage.promptTokens - cached);
  const times = rate.long && usage.promptTokens > rate.long.above ? rate.long.times : 1;
  const millionths =
    times *
    ((usage.promptTokens - cached - written) * rate.input +
      cached * rate.cachedInput +
      written * rate.cacheWrite +
      usage.completionTokens * rate.output);
  // A tenth of a billionth of a dollar: finer than any price, coarse enough to drop binary fractions' tails.
  return Math.round(millionths * 1e4) / 1e10;
}
