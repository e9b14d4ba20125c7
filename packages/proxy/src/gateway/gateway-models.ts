/** The gateway's model list from its configuration. */
import { defaultModels, type Placement } from "@central-llm/core/default-models";
import { ModelList, ModelListError, type ModelSetting } from "@central-llm/core/model";
import { z } from "zod";
import type { ModelEntry } from "./admin-request.ts";
import { costOf } from "./reservation-estimate.ts";

/** As infra/stages.ts lists them; what such a model can do is known from the default list. */
const Short = z.strictObject({ name: z.string().min(1), bedrockId: z.string().min(1) });

/** Of a model that nobody here knows: what every chat model on Bedrock can do. */
const UNKNOWN_MODEL = {
  kind: "chat",
  contextWindow: 128_000,
  maxOutputTokens: 4_096,
  images: false,
  documents: false,
  promptCache: false,
} as const satisfies ModelSetting["ability"];

/**
 * @param settings absent: the default models. Entries are whole settings (core/model.ts) or a name with Bedrock's id
 * @throws ModelListError that names every fault
 */
export function modelList(
  settings: unknown,
  placement: { region: string; geography: string | undefined },
): ModelList {
  const { region, geography } = placement;
  const known = defaultModels({ region, ...(geography === undefined ? {} : { geography }) } as Placement);
  if (settings === undefined) return ModelList.parse(known);
  if (!Array.isArray(settings)) return ModelList.parse(settings);
  const list = ModelList.parse(
    settings.map((entry: unknown) => {
      const short = Short.safeParse(entry);
      if (!short.success) return entry;
      const { name, bedrockId } = short.data;
      const like = known.find(
        ({ target, aliases }) => idOf(target) === bedrockId || aliases?.includes(bedrockId),
      );
      return {
        name,
        target: { provider: "bedrock", modelId: bedrockId, region },
        aliases: (like?.aliases ?? []).filter((alias) => alias !== name),
        pricedAs: like?.pricedAs ?? bedrockId,
        ability: like?.ability ?? UNKNOWN_MODEL,
      } satisfies ModelSetting;
    }),
  );
  const unpriced = list.models.filter(
    (model) => model.target.provider === "openai-compatible" && costOf(model, NO_TOKENS) === null,
  );
  if (unpriced.length > 0)
    throw new ModelListError(
      unpriced.map(
        ({ name }) => `model ${name}: a price is required, 0 for what costs nothing: budgets count by it`,
      ),
    );
  return list;
}

const NO_TOKENS = {
  promptTokens: 0,
  completionTokens: 0,
  cachedPromptTokens: 0,
  cacheWritePromptTokens: 0,
};

/**
 * The keys of OpenAI-compatible servers, by the variables that the models name.
 * @throws Error that names the variables that are missing
 */
export function upstreamKeys(models: ModelList, environment: Record<string, unknown>): Map<string, string> {
  const keys = new Map<string, string>();
  const faults: string[] = [];
  for (const { name, target } of models.models) {
    if (target.provider === "bedrock" || target.apiKeyEnv === undefined) continue;
    const key = environment[target.apiKeyEnv];
    if (typeof key !== "string" || key === "") faults.push(`${target.apiKeyEnv}: required by model ${name}`);
    else if (!/^[\x21-\x7e]+$/.test(key)) faults.push(`${target.apiKeyEnv}: no header can hold it`);
    else keys.set(target.apiKeyEnv, key);
  }
  if (faults.length > 0) throw new Error(`The proxy's configuration is incomplete: ${faults.join("; ")}`);
  return keys;
}

const idOf = (target: ModelSetting["target"]) => (target.provider === "bedrock" ? target.modelId : null);

/** As the admin API shows them: LiteLLM's `litellm_params` and `model_info`, without secrets. */
export function modelEntries(models: ModelList): ModelEntry[] {
  return models.models.map(({ name, aliases, target, ability, pricedAs }) => ({
    name,
    aliases,
    params:
      target.provider === "bedrock"
        ? { model: `bedrock/${target.modelId}`, aws_region_name: target.region }
        : { model: `openai/${target.model ?? name}`, api_base: target.url },
    info: {
      id: name,
      mode: ability.kind,
      max_input_tokens: ability.contextWindow,
      ...(ability.kind === "chat" ? { max_output_tokens: ability.maxOutputTokens } : {}),
      base_model: pricedAs ?? null,
    },
  }));
}
