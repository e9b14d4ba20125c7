import { expect, test } from "vitest";
import { cost, modelFamily } from "./price.ts";

test.each([
  "claude-3-5-sonnet",
  "claude-3-5-sonnet-20241022",
  "claude-3-5-sonnet@20241022",
  "claude-3-5-sonnet-latest",
  "anthropic.claude-3-5-sonnet-20241022-v2:0",
  "eu.anthropic.claude-3-5-sonnet-20241022-v2:0",
  "bedrock/us.anthropic.claude-3-5-sonnet-20240620-v1:0",
  "anthropic.claude-3-5-sonnet-20240620-v1:0:200k",
  "arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude-3-5-sonnet-20241022-v2:0",
])("%s is claude-3-5-sonnet", (id) => expect(modelFamily(id)).toBe("claude-3-5-sonnet"));

test.each([
  ["global.anthropic.claude-opus-4-5-20251101-v1:0", 30],
  ["anthropic.claude-3-opus-20240229-v1:0", 90],
  ["claude-3-5-sonnet", 18],
  ["anthropic.claude-haiku-4-5-20251001-v1:0", 6],
])("a million tokens in and out of %s cost $%d", (model, usd) => {
  const usage = { promptTokens: 1e6, completionTokens: 1e6 };
  expect(cost(usage, model, "bedrock")).toEqual({ usd, priceTable: "2026-11" });
});

test("cached input is cheaper, our own models are free, an unknown price is not free", () => {
  const usage = { promptTokens: 1_000, completionTokens: 10, cachedPromptTokens: 900 };
  expect(cost(usage, "claude-3-5-sonnet", "bedrock")?.usd).toBe(0.00072);
  expect(cost(usage, "ministral-8b-instruct", "vllm")?.usd).toBe(0);
  expect(cost(usage, "gpt-9", "litellm")).toBeNull();
  expect(cost(usage, "constructor", "litellm")).toBeNull();
  expect(
    cost({ promptTokens: 1, completionTokens: 0, cachedPromptTokens: 5 }, "claude-3-5-sonnet", "bedrock")
      ?.usd,
  ).toBe(3e-7);
});
