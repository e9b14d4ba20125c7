/** What a model's answer says of itself: which model it was, and what it used. */
import type { AuditRecord } from "@central-llm/core/audit-record";
import { cost } from "@central-llm/core/price";
import { isObject } from "../stream-assembly.ts";

export type Json = Record<string, unknown>;

/** Costs that LiteLLM reckoned, by its own table. */
const LITELLM_PRICES = "litellm";

export class Said {
  #usage: Json | null = null;
  model: string | null = null;
  /** An error in the middle of a stream, whose head said that all was well. */
  failed = false;

  /** @param body a whole answer, or one event of a stream */
  hear(body: Json): void {
    if (isObject(body.error) || body.type === "error") this.failed = true;
    // Anthropic's first event and the Responses API's last one hold the whole object.
    for (const part of [body.message, body.response, body]) {
      if (!isObject(part)) continue;
      if (isObject(part.usage)) this.#usage = { ...this.#usage, ...part.usage };
      if (typeof part.model === "string") this.model = part.model;
    }
  }

  /** OpenAI's names for completions, and those of its responses API and of Anthropic, whose cached tokens are counted apart. */
  get usage(): AuditRecord["usage"] {
    const usage = this.#usage;
    if (usage === null) return { promptTokens: 0, completionTokens: 0, totalTokens: 0, source: "none" };
    const cached = count(usage.cache_read_input_tokens) + count(usage.cache_creation_input_tokens);
    const promptTokens =
      "prompt_tokens" in usage ? count(usage.prompt_tokens) : count(usage.input_tokens) + cached;
    const completionTokens = count(usage.completion_tokens ?? usage.output_tokens);
    const totalTokens = count(usage.total_tokens) || promptTokens + completionTokens;
    return { promptTokens, completionTokens, totalTokens, source: "provider" };
  }

  /**
   * @param told LiteLLM's header `x-litellm-response-cost`, US dollars; a stream's head cannot have it
   * @param names of the model, the likeliest first, for our own price table where LiteLLM told nothing
   */
  cost(told: string | undefined, names: (string | null)[]): AuditRecord["cost"] {
    const usd = told === undefined || told.trim() === "" ? Number.NaN : Number(told);
    if (Number.isFinite(usd) && usd >= 0) return { usd, priceTable: LITELLM_PRICES };
    const streamed = this.#usage?.cost;
    if (typeof streamed === "number" && streamed >= 0) return { usd: streamed, priceTable: LITELLM_PRICES };
    const { usage } = this;
    if (usage.source === "none") return null;
    for (const name of names) {
      const ours = name === null ? null : cost(usage, name, "litellm");
      if (ours) return ours;
    }
    return null;
  }
}

const count = (value: unknown) =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : 0;
