/** `/v1/models` and `/model/info`: the models that the caller may call, and no others. */
import { permits } from "@central-llm/core/model-access";
import type { ModelEntry } from "./admin-request.ts";
import type { KnownKey } from "./key-directory.ts";

/** @param key null for the master key, which may call all */
export function callableModels(models: readonly ModelEntry[], key: KnownKey | null): ModelEntry[] {
  if (key === null) return [...models];
  const own = key.models.includes("all-team-models") ? key.teamModels : key.models;
  const lists = [own, key.teamModels, ...(key.teamId === null ? [key.userModels] : [])];
  return models.filter(({ name, aliases }) => lists.every((list) => permits(list, [name, ...aliases])));
}

/** OpenAI's list; `created` is a fixed moment, as in LiteLLM: these models were never created here. */
export const openAiList = (models: readonly ModelEntry[]) => ({
  object: "list",
  data: models.map(({ name }) => ({ id: name, object: "model", created: 1_677_610_602, owned_by: "openai" })),
});

export const modelInfo = (models: readonly ModelEntry[]) => ({
  data: models.map(({ name, params, info }) => ({
    model_name: name,
    litellm_params: params,
    model_info: info,
  })),
});
