/** What both wires (OpenAI's and Anthropic's) share on their way to Bedrock's Converse. */
import type {
  ContentBlock,
  ConverseRequest,
  ConverseStreamOutput,
  Message,
  SystemContentBlock,
  TokenUsage,
} from "@aws-sdk/client-bedrock-runtime";
import type { ApiError } from "@central-llm/core/api-error";
import type { ChatAbility } from "@central-llm/core/model";
import { Refusal } from "./refusal.ts";

/** The input of Converse and of ConverseStream, but for the model's id, which is the client's business. */
export type ConverseInput = Omit<ConverseRequest, "modelId" | "guardrailConfig">;
export type StreamEvent = ConverseStreamOutput;

export interface TranslationSettings {
  ability: ChatAbility;
  /**
   * `drop_params`: leave out, instead of refusing, what the provider cannot honour. What was left out is listed.
   * LiteLLM's switch of the same name; off by default.
   */
  dropParams: boolean;
}

export interface Translated {
  input: ConverseInput;
  /** The most tokens that the answer can have: what a budget must reserve. */
  maxOutputTokens: number;
  stream: boolean;
  /** OpenAI's `stream_options.include_usage`. Anthropic's streams always say their usage. */
  includeUsage: boolean;
  /** A tool that the translation added to get JSON: its input is the answer's text. */
  answerTool: string | null;
  /** Names of the parameters that were left out. */
  dropped: string[];
}

export type Translation = ({ ok: true } & Translated) | { ok: false; error: ApiError };

/** Turns a translator's refusal into a value, so that no caller has to catch. */
export function attempt(translate: () => Translated): Translation {
  try {
    return { ok: true, ...translate() };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, error: error.error };
    throw error;
  }
}

/** What a translator puts together, part by part. */
export interface Draft {
  readonly settings: TranslationSettings;
  readonly dropped: string[];
  readonly system: SystemContentBlock[];
  readonly messages: Message[];
  /** Model's own fields, which Converse hands on unread (`additionalModelRequestFields`). */
  readonly fields: Record<string, unknown>;
  readonly input: ConverseInput;
  cachePoints: number;
}

export function newDraft(settings: TranslationSettings): Draft {
  return { settings, dropped: [], system: [], messages: [], fields: {}, input: {}, cachePoints: 0 };
}

/** Converse wants the roles to alternate: what follows in the same role joins the message before it. */
export function addContent(draft: Draft, role: "user" | "assistant", content: ContentBlock[]): void {
  if (content.length === 0) return;
  const last = draft.messages.at(-1);
  if (last?.role === role && last.content) last.content.push(...content);
  else draft.messages.push({ role, content });
}

/** Claude takes four cache points a request; more are an error there, so the rest are left out here. */
const MAX_CACHE_POINTS = 4;

export interface CacheControl {
  type: string;
  ttl?: string | undefined;
}

/** @returns the cache point that follows a block marked with `cache_control`, or nothing */
export function cachePoint(draft: Draft, mark: CacheControl | null | undefined) {
  if (!mark || !draft.settings.ability.promptCache || draft.cachePoints === MAX_CACHE_POINTS) return [];
  draft.cachePoints++;
  const ttl = mark.ttl === "1h" ? { ttl: "1h" as const } : {};
  return [{ cachePoint: { type: "default" as const, ...ttl } }];
}

/** Drops a parameter, or refuses the request because of it, as the settings say. */
export function cannotHonour(draft: Pick<Draft, "settings" | "dropped">, refusal: Refusal): void {
  if (!draft.settings.dropParams) throw refusal;
  draft.dropped.push(refusal.error.param ?? refusal.error.message);
}

export interface Usage {
  /** All of the prompt's tokens, also the cached ones. */
  promptTokens: number;
  completionTokens: number;
  cachedPromptTokens: number;
  cacheWritePromptTokens: number;
}

/** Bedrock counts cached tokens apart from `inputTokens`; OpenAI and our price table count them in. */
export function usageOf(usage: TokenUsage | undefined): Usage {
  const cachedPromptTokens = usage?.cacheReadInputTokens ?? 0;
  const cacheWritePromptTokens = usage?.cacheWriteInputTokens ?? 0;
  return {
    promptTokens: (usage?.inputTokens ?? 0) + cachedPromptTokens + cacheWritePromptTokens,
    completionTokens: usage?.outputTokens ?? 0,
    cachedPromptTokens,
    cacheWritePromptTokens,
  };
}
