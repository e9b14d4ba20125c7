/**
 * The models that the gateway offers: a name that callers use, where its calls go, what it can do and what stands in for
 * it. Names are the callers' contract: they outlive the provider's ids.
 */
import { z } from "zod";

const bedrock = z.strictObject({
  provider: z.literal("bedrock"),
  /** A foundation model's id, an inference profile's id (`eu.…`, `us.…`, `global.…`) or an inference profile's ARN. */
  modelId: z.string().min(1),
  region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "must be an AWS region, e.g. eu-west-2"),
});

const openAiCompatible = z.strictObject({
  provider: z.literal("openai-compatible"),
  /** Of the API's root, with its `/v1`, e.g. `http://central:8000/v1`. */
  url: z
    .url({ protocol: /^https?$/ })
    .refine(isBare, "must hold no user, password, query or fragment: it is shown to callers"),
  /** The environment variable that holds the key; the list itself never holds a secret. */
  apiKeyEnv: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]*$/, "must name an environment variable")
    .optional(),
  /** Which header takes the key: OpenAI's, API Gateway's, or Azure's. */
  apiKeyHeader: z.enum(["authorization", "x-api-key", "api-key"]).default("authorization"),
  /** The model's name at that server, where it is another. */
  model: z.string().min(1).optional(),
  /** The name of the answer's limit where the gateway sets it; OpenAI's newer models know only the second. */
  limitParameter: z.enum(["max_tokens", "max_completion_tokens"]).default("max_tokens"),
  /** Tells the server whose request it is (`x-llm-source`, `x-llm-user`, `x-llm-request-type`): for servers of our own. */
  tellsCaller: z.boolean().default(false),
});

/** US dollars for a million tokens. */
const price = z.strictObject({
  input: z.number().nonnegative(),
  output: z.number().nonnegative(),
  /** Tokens that the provider read from its prompt cache, or wrote to it; default: as `input`. */
  cachedInput: z.number().nonnegative().optional(),
  cacheWrite: z.number().nonnegative().optional(),
});

const chat = z.strictObject({
  kind: z.literal("chat"),
  /** Tokens of prompt and answer together. */
  contextWindow: z.int().positive(),
  maxOutputTokens: z.int().positive(),
  /** The answer's limit when the caller names none; it is what a budget must reserve. */
  defaultOutputTokens: z.int().positive().optional(),
  images: z.boolean().default(true),
  documents: z.boolean().default(true),
  tools: z.boolean().default(true),
  /** `tool_choice` may demand a call. */
  forcedTools: z.boolean().default(true),
  strictTools: z.boolean().default(false),
  promptCache: z.boolean().default(true),
  /** Which of temperature, top_p and top_k may be given: any, one of the first two, or none. */
  sampling: z.enum(["free", "one", "none"]).default("free"),
  /** `budget`: so many tokens; `adaptive`: by effort, may be off; `always`: by effort, cannot be off. */
  thinking: z.enum(["none", "budget", "adaptive", "always"]).default("none"),
  /** How an answer is held to a JSON schema: by the provider, by a forced tool, or only by asking for it. */
  structuredOutput: z.enum(["native", "tool", "instruction"]).default("tool"),
});

const bedrockEmbedding = z.strictObject({
  kind: z.literal("embedding"),
  contextWindow: z.int().positive(),
  /** Whose request body InvokeModel takes. */
  wire: z.enum(["titan-v2", "cohere-v3"]),
  /** What the caller may ask for; the first is the default. */
  dimensions: z.array(z.int().positive()).min(1),
});

/** Of an OpenAI-compatible server, which decides itself what it takes. */
const openAiEmbedding = z.strictObject({
  kind: z.literal("embedding"),
  contextWindow: z.int().positive(),
  wire: z.literal("openai"),
});

const model = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/, "may hold letters, digits and . _ : / -"),
  target: z.discriminatedUnion("provider", [bedrock, openAiCompatible]),
  aliases: z.array(z.string().min(1)).default([]),
  /** Names of models that answer in this one's place, in order, when it is throttled, failing or too slow. */
  fallbacks: z.array(z.string().min(1)).default([]),
  /** The name by which core/price.ts knows what it costs. */
  pricedAs: z.string().min(1).optional(),
  /** What it costs, where that table does not know it; goes before `pricedAs`. */
  price: price.optional(),
  ability: z.discriminatedUnion("kind", [
    chat,
    z.discriminatedUnion("wire", [bedrockEmbedding, openAiEmbedding]),
  ]),
});

/** One entry of the list, for whoever keeps lists in a configuration of its own. */
export const ModelEntry = model;
export type Model = z.output<typeof model>;
export type ModelSetting = z.input<typeof model>;
export type BedrockTarget = z.output<typeof bedrock>;
export type CompatibleTarget = z.output<typeof openAiCompatible>;
export type ChatAbility = z.output<typeof chat>;
/** Of a model on Bedrock. */
export type EmbeddingAbility = z.output<typeof bedrockEmbedding>;
export type ModelPrice = z.output<typeof price>;

function isBare(address: string): boolean {
  if (!URL.canParse(address)) return true; // Its own fault is told already.
  const { username, password, search, hash } = new URL(address);
  return username + password + search + hash === "";
}

const DEFAULT_OUTPUT_TOKENS = 8_192;

/** The answer's limit in tokens when the caller names none. Never more than the model's own. */
export function defaultOutputTokens(ability: ChatAbility): number {
  return Math.min(ability.defaultOutputTokens ?? DEFAULT_OUTPUT_TOKENS, ability.maxOutputTokens);
}

export class ModelList {
  readonly models: readonly Model[];
  readonly #byName = new Map<string, Model>();

  private constructor(models: Model[]) {
    this.models = models;
    const faults: string[] = [];
    const claim = (name: string, owner: Model) => {
      const other = this.#byName.get(name);
      if (other && other !== owner)
        faults.push(`"${name}" names both model ${other.name} and model ${owner.name}`);
      this.#byName.set(name, owner);
    };
    for (const entry of models) {
      if (this.#byName.has(entry.name)) faults.push(`model ${entry.name} is listed twice`);
      this.#byName.set(entry.name, entry);
    }
    for (const { name, target, ability } of models) {
      const wire = target.provider === "openai-compatible";
      if (ability.kind === "embedding" && (ability.wire === "openai") !== wire)
        faults.push(`model ${name}: wire "openai" is for OpenAI-compatible servers, and theirs only`);
    }
    for (const entry of models) for (const alias of entry.aliases) claim(alias, entry);
    for (const entry of models) {
      for (const name of entry.fallbacks) {
        const other = this.#byName.get(name);
        if (!other) faults.push(`model ${entry.name}: fallback "${name}" is not a listed model`);
        else if (other === entry) faults.push(`model ${entry.name}: it cannot be its own fallback`);
        else if (other.ability.kind !== entry.ability.kind)
          faults.push(`model ${entry.name}: fallback "${name}" is of kind ${other.ability.kind}`);
      }
    }
    if (faults.length > 0) throw new ModelListError(faults);
  }

  /** @param settings JSON or typed settings @throws ModelListError that names every fault */
  static parse(settings: unknown): ModelList {
    const parsed = z.array(model).min(1).safeParse(settings);
    if (parsed.success) return new ModelList(parsed.data);
    throw new ModelListError(
      parsed.error.issues.map(({ path, message }) => `${place(path, settings)}${message}`),
    );
  }

  /** @returns the model that a caller means by its name or one of its aliases */
  find(name: string): Model | null {
    return this.#byName.get(name) ?? null;
  }

  /** The model and its fallbacks, in the order in which they are tried. Fallbacks of fallbacks are not followed. */
  chain(first: Model): Model[] {
    const chain = [first];
    for (const name of first.fallbacks) {
      const next = this.#byName.get(name);
      if (next && !chain.includes(next)) chain.push(next);
    }
    return chain;
  }
}

export class ModelListError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`The model list is not valid: ${faults.join("; ")}`);
    this.name = "ModelListError";
    this.faults = faults;
  }
}

/** `model claude-3-opus, target.region: `, or its place in the list where it has no name. */
function place(path: PropertyKey[], settings: unknown): string {
  const [index, ...rest] = path;
  if (index === undefined) return "";
  const name = (settings as { name?: unknown }[] | undefined)?.[Number(index)]?.name;
  const who = typeof name === "string" && name !== "" ? `model ${name}` : `entry ${Number(index) + 1}`;
  return `${who}${rest.length > 0 ? `, ${rest.join(".")}` : ""}: `;
}
