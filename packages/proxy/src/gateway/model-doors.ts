/** The gateway's doors to models: OpenAI's chat completions and embeddings, Anthropic's messages and their count of tokens. */
import type { ConverseResponse } from "@aws-sdk/client-bedrock-runtime";
import type { BedrockTarget, ChatAbility, Model } from "@central-llm/core/model";
import { ChatStreamEncoder } from "./chat-stream.ts";
import { chatToConverse } from "./chat-to-converse.ts";
import { type AnswerSettings, converseToChat } from "./converse-to-chat.ts";
import { converseToMessages } from "./converse-to-messages.ts";
import { invokeAll } from "./embedding-call.ts";
import { embeddingsToInvoke, invokeToEmbeddings } from "./embeddings.ts";
import { MessagesStreamEncoder } from "./messages-stream.ts";
import { countToConverse, messagesToConverse } from "./messages-to-converse.ts";
import type { Asked, Encoder, Json, ModelRoute } from "./model-route.ts";
import { Refusal } from "./refusal.ts";
import { chatEstimate, mostCost, NOTHING } from "./reservation-estimate.ts";
import { countTokens, estimateTokens } from "./token-count.ts";
import { type Translated, type Translation, usageOf } from "./translation.ts";

const wrongKind = (model: Model, need: string) =>
  new Refusal({
    status: 400,
    type: "invalid_request_error",
    code: "model_not_supported",
    param: "model",
    message: `The model ${model.name} cannot be used here: it is no ${need} model.`,
  });

function chatAbility(model: Model): ChatAbility {
  if (model.ability.kind !== "chat") throw wrongKind(model, "chat");
  return model.ability;
}

function accepted(translation: Translation): Translated {
  if (!translation.ok) throw new Refusal(translation.error);
  return translation;
}

interface ChatWire {
  translate(body: Json, ability: ChatAbility, asked: Asked): Translation;
  json(output: ConverseResponse, settings: AnswerSettings): object;
  encoder(settings: AnswerSettings, includeUsage: boolean): Encoder;
}

const openAi: ChatWire = {
  translate: (body, ability, { dropParams }) => chatToConverse(body, { ability, dropParams }),
  json: converseToChat,
  encoder: (settings, includeUsage) => new ChatStreamEncoder(settings, includeUsage),
};
const anthropic: ChatWire = {
  translate: (body, ability, { dropParams, betas }) =>
    messagesToConverse(body, { ability, dropParams, betas }),
  json: converseToMessages,
  encoder: (settings) => new MessagesStreamEncoder(settings),
};

function chat(wire: ChatWire): ModelRoute["prepare"] {
  return (body, model, asked) => {
    const ability = chatAbility(model);
    const translated = accepted(wire.translate(body, ability, asked));
    const { input, answerTool, maxOutputTokens } = translated;
    const settings = { id: asked.id, created: asked.created, model: asked.model, answerTool };
    const target = model.target as BedrockTarget;
    return {
      estimate: chatEstimate(model, ability, input, maxOutputTokens),
      promptTokens: estimateTokens(input),
      dropped: translated.dropped,
      async run(client, signal) {
        if (translated.stream) {
          const events = await client.converseStream(target, input, signal);
          const encoder = wire.encoder(settings, translated.includeUsage);
          return { events, encoder, whole: (output) => wire.json(output, settings) };
        }
        const output = await client.converse(target, input, signal);
        return { body: wire.json(output, settings), usage: usageOf(output.usage) };
      },
    };
  };
}

const count: ModelRoute["prepare"] = (body, model, { dropParams }) => {
  const ability = chatAbility(model);
  const { input, dropped } = accepted(countToConverse(body, { ability, dropParams }));
  return {
    estimate: NOTHING,
    promptTokens: 0,
    dropped,
    async run(client, signal) {
      const { tokens, source } = await countTokens(client, model.target as BedrockTarget, input, signal);
      const headers = { "x-token-count-source": source };
      return { body: { input_tokens: tokens }, usage: null, headers, numbers: true };
    },
  };
};

const embed: ModelRoute["prepare"] = (body, model, asked) => {
  const { ability } = model;
  if (ability.kind !== "embedding") throw wrongKind(model, "embedding");
  const planned = embeddingsToInvoke(body, ability);
  if (!planned.ok) throw new Refusal(planned.error);
  const { calls, maxTokens, encoding } = planned.plan;
  return {
    estimate: { tokens: maxTokens, cost: mostCost(model, maxTokens, 0) },
    promptTokens: Math.ceil(maxTokens / 4),
    dropped: [],
    async run(client, signal) {
      const answers = await invokeAll(client, model.target as BedrockTarget, calls, signal);
      const list = invokeToEmbeddings(answers, ability, encoding, asked.model);
      const promptTokens = list.usage.prompt_tokens;
      const none = { completionTokens: 0, cachedPromptTokens: 0, cacheWritePromptTokens: 0 };
      return { body: list, usage: { promptTokens, ...none }, numbers: true };
    },
  };
};

const ROUTES: ModelRoute[] = [
  {
    path: "/v1/chat/completions",
    kind: "chat",
    callType: "acompletion",
    wire: "openai",
    prepare: chat(openAi),
  },
  {
    path: "/v1/messages",
    kind: "chat",
    callType: "anthropic_messages",
    wire: "anthropic",
    prepare: chat(anthropic),
  },
  {
    path: "/v1/messages/count_tokens",
    kind: "count_tokens",
    callType: null,
    wire: "anthropic",
    prepare: count,
  },
  {
    path: "/v1/embeddings",
    kind: "embedding",
    callType: "aembedding",
    wire: "openai",
    prepare: embed,
  },
];
/** LiteLLM answers OpenAI's paths also without `/v1`. */
const BY_PATH = new Map(
  ROUTES.flatMap((route) => [route.path, route.path.slice(3)].map((path) => [path, route])),
);

/** @param path without its query */
export const modelRoute = (path: string): ModelRoute | null => BY_PATH.get(path) ?? null;
