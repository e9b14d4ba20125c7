import { expect, it } from "vitest";
import { cost, modelFamily } from "./price.ts";

it.each([
  ["claude-3-5-sonnet", { promptTokens: 150, completionTokens: 300 }, 0.00495],
  // 1,000 of 10,000 read at a tenth, 4,000 written at five quarters, 5,000 at the full $3.
  [
    "claude-sonnet-4-5",
    {
      promptTokens: 10_000,
      cachedPromptTokens: 1_000,
      cacheWritePromptTokens: 4_000,
      completionTokens: 0,
    },
    0.0303,
  ],
  ["claude-haiku-5-5", { promptTokens: 100_000, completionTokens: 1_000 }, 0.0105],
  ["claude-haiku-5-5", { promptTokens: 100_001, completionTokens: 1_000 }, 0.0525005],
  ["amazon.titan-embed-text-v2:0", { promptTokens: 1_000_000, completionTokens: 0 }, 0.02],
])("reckons what %s costs for %o", (model, usage, usd) => {
  expect(cost(usage, model, "bedrock")?.usd).toBe(usd);
});

it("knows one model by its many ids", () => {
  for (const id of ["eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock/anthropic.claude-sonnet-4-5"])
    expect(modelFamily(id)).toBe("claude-sonnet-4-5");
  expect(modelFamily("cohere.embed-english-v3")).toBe("cohere-embed-english");
});
