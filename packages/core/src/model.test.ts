import { describe, expect, it } from "vitest";
import { defaultModels } from "./default-models.ts";
import { defaultOutputTokens, ModelList, type ModelSetting } from "./model.ts";
import { cost } from "./price.ts";

const chat = (name: string, more: Partial<ModelSetting> = {}): ModelSetting => ({
  name,
  target: { provider: "bedrock", modelId: `anthropic.${name}-v1:0`, region: "eu-west-2" },
  ability: { kind: "chat", contextWindow: 1000, maxOutputTokens: 100 },
  ...more,
});

describe("ModelList", () => {
  it("names every fault with the model that has it", () => {
    const settings = [
      chat("a", { target: { provider: "bedrock", modelId: "", region: "London" } }),
      { ...chat("b"), colour: "red" },
      { target: { provider: "openai-compatible", url: "ftp://x" } },
    ];
    expect(() => ModelList.parse(settings)).toThrow(/model a, target\.modelId: /);
    expect(() => ModelList.parse(settings)).toThrow(/model a, target\.region: must be an AWS region/);
    expect(() => ModelList.parse(settings)).toThrow(/model b: .*colour/);
    expect(() => ModelList.parse(settings)).toThrow(/entry 3, name: /);
    expect(() => ModelList.parse(settings)).toThrow(/entry 3, target\.url: /);
    expect(() => ModelList.parse([])).toThrow(/not valid/);
  });

  it.each([
    ["a fallback that is not listed", [chat("a", { fallbacks: ["z"] })], /model a: fallback "z" is not/],
    ["a model as its own fallback", [chat("a", { fallbacks: ["a"] })], /its own fallback/],
    ["two models of one name", [chat("a"), chat("a")], /model a is listed twice/],
    [
      "an alias of two models",
      [chat("a", { aliases: ["x"] }), chat("b", { aliases: ["x"] })],
      /"x" names both/,
    ],
    ["an alias that is a name", [chat("a"), chat("b", { aliases: ["a"] })], /"a" names both/],
  ])("refuses %s", (_, settings, fault) => {
    expect(() => ModelList.parse(settings)).toThrow(fault);
  });

  it("refuses a fallback of another kind", () => {
    const embedding: ModelSetting = {
      ...chat("e"),
      ability: { kind: "embedding", contextWindow: 1, wire: "titan-v2", dimensions: [4] },
    };
    expect(() => ModelList.parse([chat("a", { fallbacks: ["e"] }), embedding])).toThrow(/kind embedding/);
  });

  it("finds by name and alias, and keeps the fallbacks' order", () => {
    const list = ModelList.parse([
      chat("a", { aliases: ["best"], fallbacks: ["c", "bee", "b"] }),
      chat("b", { aliases: ["bee"], fallbacks: ["a"] }),
      chat("c"),
    ]);
    const best = list.find("best");
    expect(best?.name).toBe("a");
    expect(list.find("worst")).toBeNull();
    expect(best && list.chain(best).map(({ name }) => name)).toEqual(["a", "c", "b"]);
  });

  it("takes a server that speaks OpenAI's wire, whose key is only named", () => {
    const target = {
      provider: "openai-compatible" as const,
      url: "http://127.0.0.1:8000/v1",
      apiKeyEnv: "CENTRAL_API_KEY",
    };
    expect(ModelList.parse([chat("a", { target })]).find("a")?.target).toEqual({
      ...target,
      apiKeyHeader: "authorization",
      limitParameter: "max_tokens",
      tellsCaller: false,
    });
    expect(() => ModelList.parse([chat("a", { target: { ...target, apiKeyEnv: "sk-secret" } })])).toThrow(
      /must name an environment variable/,
    );
  });
});

describe("the default models", () => {
  const list = ModelList.parse(defaultModels({ region: "eu-west-2" }));

  it("hold the seeds' two as the seeds name them", () => {
    expect(list.find("claude-3-5-sonnet")?.target).toEqual({
      provider: "bedrock",
      modelId: "anthropic.claude-3-5-sonnet-20241022-v2:0",
      region: "eu-west-2",
    });
    expect(list.find("claude-3-opus")?.target).toMatchObject({
      modelId: "anthropic.claude-3-opus-20240229-v1:0",
    });
  });

  it("call newer models through the continent's inference profile, or the one that is asked for", () => {
    expect(list.find("claude-sonnet-4-5-20250929")?.target).toMatchObject({
      modelId: "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
    });
    const global = ModelList.parse(defaultModels({ region: "us-east-1", geography: "global" }));
    expect(global.find("claude-opus-5-5")?.target).toMatchObject({
      modelId: "global.anthropic.claude-opus-5-5",
      region: "us-east-1",
    });
  });

  it("all have a price", () => {
    const usage = { promptTokens: 1_000, completionTokens: 1_000 };
    const unpriced = list.models.filter(({ pricedAs }) => cost(usage, pricedAs ?? "", "bedrock") === null);
    expect(unpriced.map(({ name }) => name)).toEqual([]);
  });

  it("never answer by default with more than they can", () => {
    for (const { ability } of list.models) {
      if (ability.kind === "chat")
        expect(defaultOutputTokens(ability)).toBeLessThanOrEqual(ability.maxOutputTokens);
    }
  });
});
