/** The gateway's models as the stage lists them: where they are, and how each engine is told. */
import type { CompatibleTarget } from "@central-llm/core/model";
import type { Gateway } from "./settings.ts";

type Listed = Gateway["models"][number];

export interface BedrockModel {
  name: string;
  modelId: string;
  region: string;
}

/** @param region of entries that name none */
export function bedrockModels(models: readonly Listed[], region: string): BedrockModel[] {
  return models.flatMap((model) => {
    if ("bedrockId" in model) return [{ name: model.name, modelId: model.bedrockId, region }];
    const { name, target } = model;
    return target.provider === "bedrock" ? [{ name, modelId: target.modelId, region: target.region }] : [];
  });
}

export interface CompatibleModel {
  name: string;
  target: CompatibleTarget;
}

/** On servers of OpenAI's wire. */
export function compatibleModels(models: readonly Listed[]): CompatibleModel[] {
  return models.flatMap((model) => {
    if ("bedrockId" in model) return [];
    const { name, target } = model;
    return target.provider === "openai-compatible" ? [{ name, target }] : [];
  });
}

/** The variables that hold those servers' keys. */
export const keyVariables = (models: readonly Listed[]): string[] => [
  ...new Set(compatibleModels(models).flatMap(({ target }) => target.apiKeyEnv ?? [])),
];

/** As LiteLLM's `model_list` has them; of a key it is told the variable. Source: https://docs.litellm.ai/docs/proxy/configs */
export function litellmModels(models: readonly Listed[], region: string) {
  return [
    ...bedrockModels(models, region).map(({ name, modelId, region }) => ({
      model_name: name,
      litellm_params: { model: `bedrock/${modelId}`, aws_region_name: region },
    })),
    ...compatibleModels(models).map(({ name, target }) => ({
      model_name: name,
      litellm_params: {
        model: `openai/${target.model ?? name}`,
        api_base: target.url,
        ...(target.apiKeyEnv === undefined ? {} : { api_key: `os.environ/${target.apiKeyEnv}` }),
      },
    })),
  ];
}
