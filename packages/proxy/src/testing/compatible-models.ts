/** A model list with OpenAI-compatible servers in it, for tests of the gateway. */
import type { ModelSetting } from "@central-llm/core/model";

/** What the servers ask for; nothing of it may leave the gateway in another way. */
export const UPSTREAM_KEY = "upstream-secret-0123456789";
export const UPSTREAM_KEY_VARIABLE = "TEST_UPSTREAM_KEY";

const CHAT = { kind: "chat", contextWindow: 32_000, maxOutputTokens: 4_000 } as const;

/** @param url of the server, without `/v1` @param more e.g. its fallbacks */
export const compatible = (
  name: string,
  url: string,
  model: string,
  { target, ...more }: Partial<Omit<ModelSetting, "target">> & { target?: object } = {},
): ModelSetting => ({
  name,
  price: { input: 1, output: 2, cachedInput: 0.1 },
  ability: CHAT,
  ...more,
  target: {
    provider: "openai-compatible",
    url: `${url}/v1`,
    apiKeyEnv: UPSTREAM_KEY_VARIABLE,
    model,
    ...target,
  },
});

export const onBedrock = (name: string, fallbacks: string[] = []): ModelSetting => ({
  name,
  target: {
    provider: "bedrock",
    modelId: "anthropic.claude-3-5-sonnet-20241022-v2:0",
    region: "eu-west-2",
  },
  pricedAs: "claude-3-5-sonnet",
  fallbacks,
  ability: { kind: "chat", contextWindow: 200_000, maxOutputTokens: 8_192 },
});

export const settingsOf = (models: ModelSetting[]): Record<string, string> => ({
  MODELS: JSON.stringify(models),
  [UPSTREAM_KEY_VARIABLE]: UPSTREAM_KEY,
});
