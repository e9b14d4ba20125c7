import { expect, test } from "vitest";
import { bedrockModels, keyVariables, litellmModels } from "./gateway-models.ts";
import { parseSettings, settingsOf } from "./settings.ts";

const ability = { kind: "chat", contextWindow: 128_000, maxOutputTokens: 4_096 };
const server = {
  provider: "openai-compatible",
  url: "https://models.example.org/v1",
  apiKeyEnv: "HOUSE_KEY",
};

/** The gateway's models of a stage that lists these. */
function listed(models: unknown[]) {
  const prod = settingsOf("prod");
  const { gateway } = parseSettings("prod", { ...prod, gateway: { ...prod.gateway, models } });
  if (!gateway) throw new Error("no gateway");
  return gateway.models;
}

test("a stage lists models by Bedrock's id, by a whole entry, and on servers of OpenAI's wire", () => {
  const models = listed([
    { name: "opus", bedrockId: "anthropic.claude-3-opus-20240229-v1:0" },
    { name: "far", target: { provider: "bedrock", modelId: "us.anthropic.x", region: "us-east-1" }, ability },
    { name: "house", target: { ...server, model: "ministral" }, price: { input: 0, output: 0 }, ability },
    { name: "open", target: { provider: "openai-compatible", url: "https://open.example.org/v1" }, ability },
  ]);
  expect(bedrockModels(models, "eu-west-2")).toEqual([
    { name: "opus", modelId: "anthropic.claude-3-opus-20240229-v1:0", region: "eu-west-2" },
    { name: "far", modelId: "us.anthropic.x", region: "us-east-1" },
  ]);
  expect(keyVariables(models)).toEqual(["HOUSE_KEY"]);
  expect(litellmModels(models, "eu-west-2").slice(2)).toEqual([
    {
      model_name: "house",
      litellm_params: {
        model: "openai/ministral",
        api_base: "https://models.example.org/v1",
        api_key: "os.environ/HOUSE_KEY",
      },
    },
    { model_name: "open", litellm_params: { model: "openai/open", api_base: "https://open.example.org/v1" } },
  ]);
});

test("an entry that cannot be right is refused with its place", () => {
  expect(() => listed([{ name: "house", target: { ...server, apiKeyEnv: "sk-secret" }, ability }])).toThrow(
    /gateway\.models\.0\.target\.apiKeyEnv: must name an environment variable/,
  );
});
