/**
 * The models that the gateway offers unless it is told others: the seeds' two, and the Claude and embedding models that
 * Amazon Bedrock serves in November 2026. Ids, limits and abilities: https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html
 * and Anthropic's model pages. Whether an account may call one is the account's matter: `model access` in its console.
 */
import type { ModelSetting } from "./model.ts";

type Chat = Extract<ModelSetting["ability"], { kind: "chat" }>;

export interface Placement {
  /** Where the calls go. The seeds' region is eu-west-2. */
  region: string;
  /**
   * The inference profile's geography, which the models since Claude 3.7 demand: `eu`, `us`, `apac`, `au`, `jp`, or
   * `global`, which may leave the continent. Default: the region's own continent.
   */
  geography?: string;
}

const GEOGRAPHIES: Record<string, string> = { eu: "eu", us: "us", ca: "us", ap: "apac" };

const chat = (contextWindow: number, maxOutputTokens: number, rest: Partial<Chat> = {}): Chat => ({
  kind: "chat",
  contextWindow,
  maxOutputTokens,
  ...rest,
});

const CLAUDE_3: Partial<Chat> = { promptCache: false };
const CLAUDE_4: Partial<Chat> = { thinking: "budget" };
const CLAUDE_4_5: Partial<Chat> = {
  thinking: "budget",
  sampling: "one",
  structuredOutput: "native",
  strictTools: true,
};
/** From 4.7 on Bedrock refuses sampling parameters, and takes thinking by effort instead of by budget. */
const ADAPTIVE: Partial<Chat> = { thinking: "adaptive", sampling: "none" };
const CLAUDE_5: Partial<Chat> = { ...ADAPTIVE, structuredOutput: "native", strictTools: true };
const ALWAYS: Partial<Chat> = { ...CLAUDE_5, thinking: "always" };

const K = 1_000;
const M = 1_000 * K;

/** Name → id without geography, abilities. The dated name is an alias, since Anthropic's own clients send it. */
const PROFILED: [name: string, modelId: string, ability: Chat][] = [
  ["claude-3-7-sonnet", "anthropic.claude-3-7-sonnet-20250219-v1:0", chat(200 * K, 64 * K, CLAUDE_4)],
  ["claude-sonnet-4", "anthropic.claude-sonnet-4-20250514-v1:0", chat(200 * K, 64 * K, CLAUDE_4)],
  [
    "claude-opus-4-1",
    "anthropic.claude-opus-4-1-20250805-v1:0",
    chat(200 * K, 32 * K, { ...CLAUDE_4, sampling: "one" }),
  ],
  ["claude-sonnet-4-5", "anthropic.claude-sonnet-4-5-20250929-v1:0", chat(200 * K, 64 * K, CLAUDE_4_5)],
  [
    "claude-haiku-4-5",
    "anthropic.claude-haiku-4-5-20251001-v1:0",
    chat(200 * K, 64 * K, { ...CLAUDE_4_5, structuredOutput: "tool" }),
  ],
  ["claude-opus-4-5", "anthropic.claude-opus-4-5-20251101-v1:0", chat(200 * K, 64 * K, CLAUDE_4_5)],
  [
    "claude-opus-4-6",
    "anthropic.claude-opus-4-6-v1",
    chat(1 * M, 128 * K, { ...CLAUDE_4_5, thinking: "adaptive" }),
  ],
  [
    "claude-sonnet-4-6",
    "anthropic.claude-sonnet-4-6",
    chat(1 * M, 128 * K, { ...CLAUDE_4_5, thinking: "adaptive", structuredOutput: "tool" }),
  ],
  ["claude-opus-4-7", "anthropic.claude-opus-4-7", chat(1 * M, 128 * K, ADAPTIVE)],
  ["claude-opus-4-8", "anthropic.claude-opus-4-8", chat(1 * M, 128 * K, ADAPTIVE)],
  ["claude-sonnet-5", "anthropic.claude-sonnet-5", chat(1 * M, 128 * K, CLAUDE_5)],
  ["claude-opus-5", "anthropic.claude-opus-5", chat(1 * M, 128 * K, CLAUDE_5)],
  ["claude-haiku-5-5", "anthropic.claude-haiku-5-5", chat(1 * M, 128 * K, CLAUDE_5)],
  [
    "claude-sonnet-5-5",
    "anthropic.claude-sonnet-5-5",
    chat(1 * M, 128 * K, { ...ALWAYS, forcedTools: false }),
  ],
  ["claude-opus-5-5", "anthropic.claude-opus-5-5", chat(1 * M, 128 * K, { ...ALWAYS, forcedTools: false })],
];

/** @returns settings for ModelList.parse; change or add to them before that */
export function defaultModels({ region, geography }: Placement): ModelSetting[] {
  const profile = geography ?? GEOGRAPHIES[region.split("-", 1)[0] ?? ""] ?? "global";
  const onBedrock = (modelId: string) => ({ provider: "bedrock" as const, modelId, region });
  const plain = (name: string, modelId: string, ability: ModelSetting["ability"]): ModelSetting => ({
    name,
    target: onBedrock(modelId),
    aliases: aliasesOf(name, modelId),
    pricedAs: name,
    ability,
  });
  return [
    plain("claude-3-5-sonnet", "anthropic.claude-3-5-sonnet-20241022-v2:0", chat(200 * K, 8_192)),
    plain("claude-3-opus", "anthropic.claude-3-opus-20240229-v1:0", chat(200 * K, 4_096, CLAUDE_3)),
    plain("claude-3-haiku", "anthropic.claude-3-haiku-20240307-v1:0", chat(200 * K, 4_096, CLAUDE_3)),
    ...PROFILED.map(([name, modelId, ability]) => ({
      ...plain(name, modelId, ability),
      target: onBedrock(`${profile}.${modelId}`),
    })),
    plain("amazon-titan-embed-text-v2", "amazon.titan-embed-text-v2:0", {
      kind: "embedding",
      contextWindow: 8_192,
      wire: "titan-v2",
      dimensions: [1_024, 512, 256],
    }),
    plain("cohere-embed-english-v3", "cohere.embed-english-v3", COHERE),
    plain("cohere-embed-multilingual-v3", "cohere.embed-multilingual-v3", COHERE),
  ];
}

const COHERE: ModelSetting["ability"] = {
  kind: "embedding",
  contextWindow: 512,
  wire: "cohere-v3",
  dimensions: [1_024],
};

/** Bedrock's id, LiteLLM's way of writing it, and the dated name that Anthropic's own API knows. */
function aliasesOf(name: string, modelId: string): string[] {
  const dated = /^anthropic\.(claude-.*-20\d{6})/.exec(modelId)?.[1];
  const names = [modelId, `bedrock/${modelId}`, ...(dated ? [dated, `${name}-latest`] : [])];
  return names.filter((alias) => alias !== name);
}
