/** The gateway's doors to models: OpenAI's chat completions, completions and embeddings, Anthropic's messages and their count of tokens. */
import type { ConverseResponse } from "@aws-sdk/client-bedrock-runtime";
import type { BedrockTarget, ChatAbility } from "@central-llm/core/model";
import { ChatStreamEncoder } from "./chat-stream.ts";
import { chatToConverse } from "./chat-to-converse.ts";
import { compatibleChat, compatibleCompletion, compatibleEmbedding } from "./compatible-doors.ts";
import { charactersOf } from "./compatible-stream.ts";
import { ConverseAnswer } from "./converse-answer.ts";
import { type AnswerSettings, converseToChat } from "./converse-to-chat.ts";
import { converseToMessages } from "./converse-to-messages.ts";
import { type ConverseTransport, onBedrock, onCompatible } from "./converse-transport.ts";
import { invokeAll } from "./embedding-call.ts";
import { embeddingsToInvoke, invokeToEmbeddings } from "./embeddings.ts";
import { MessagesStreamEncoder } from "./messages-stream.ts";
import { countToConverse, messagesToConverse } from "./messages-to-converse.ts";
import { chatAbility, wrongKind } from "./model-kind.ts";
import type { Asked, Encoder, Json, ModelRoute } from "./model-route.ts";
import { Refusal } from "./refusal.ts";
import { chatEstimate, mostCost, NOTHING } from "./reservation-estimate.ts";
import { countTokens, estimateTokens } from "./token-count.ts";
import { type Translated, type Translation, usageOf } from "./translation.ts";

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

function chat(wire: ChatWire, transport: ConverseTransport): ModelRoute["prepare"] {
  return (body, model, asked) => {
    const ability = chatAbility(model);
    const translated = accepted(wire.translate(body, ability, asked));
    const { input, answerTool, maxOutputTokens } = translated;
    const settings = { id: asked.id, created: asked.created, model: asked.model, answerTool };
    const call = transport.ready(model, input);
    return {
      estimate: chatEstimate(model, ability, input, maxOutputTokens),
      promptTokens: estimateTokens(input),
      dropped: translated.dropped,
      draft: (bedrock) => call.draft?.(bedrock, translated.stream),
      async run(calling) {
        if (translated.stream) {
          const events = await call.stream(calling);
          const encoder = wire.encoder(settings, translated.includeUsage);
          return { events, encoder, assembly: new ConverseAnswer((output) => wire.json(output, settings)) };
        }
        const output = await call.whole(calling);
        const body = wire.json(output, settings);
        if (output.usage) return { body, usage: usageOf(output.usage) };
        return { body, usage: null, characters: charactersOf(output.output?.message?.content) };
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
    async run({ bedrock, signal }) {
      const { target } = model;
      const { tokens, source } =
        target.provider === "bedrock"
          ? await countTokens(bedrock, target, input, signal)
          : { tokens: estimateTokens(input), source: "estimated" };
      const headers = { "x-token-count-source": source };
      return { body: { input_tokens: tokens }, usage: null, headers, numbers: true };
    },
  };
};

const embed: ModelRoute["prepare"] = (body, model, asked) => {
  const { ability } = model;
  if (ability.kind !== "embedding" || ability.wire === "openai") throw wrongKind(model, "embedding");
  const planned = embeddingsToInvoke(body, ability);
  if (!planned.ok) throw new Refusal(planned.error);
  const { calls, maxTokens, encoding } = planned.plan;
  return {
    estimate: { tokens: maxTokens, cost: mostCost(model, maxTokens, 0) },
    promptTokens: Math.ceil(maxTokens / 4),
    dropped: [],
    async run({ bedrock, signal }) {
      const answers = await invokeAll(bedrock, model.target as BedrockTarget, calls, signal);
      const list = invokeToEmbeddings(answers, ability, encoding, asked.model);
      const promptTokens = list.usage.prompt_tokens;
      const none = { completionTokens: 0, cachedPromptTokens: 0, cacheWritePromptTokens: 0 };
      return { body: list, usage: { promptTokens, ...none }, numbers: true };
    },
  };
};

/** Amazon Bedrock's Converse has messages alone. */
const noCompletions: ModelRoute["prepare"] = (_, { name }) => {
  throw new Refusal({
    status: 400,
    type: "invalid_request_error",
    code: "model_not_supported",
    param: "model",
    message: `The model ${name} takes no text completions. Use /v1/chat/completions, with the prompt as a message.`,
  });
};

/** By where a model is served. */
const either =
  (bedrock: ModelRoute["prepare"], compatible: ModelRoute["prepare"]): ModelRoute["prepare"] =>
  (body, model, asked) =>
    (model.target.provider === "bedrock" ? bedrock : compatible)(body, model, asked);

const ROUTES: ModelRoute[] = [
  {
    path: "/v1/chat/completions",
    kind: "chat",
    callType: "acompletion",
    wire: "openai",
    prepare: either(chat(openAi, onBedrock), compatibleChat),
  },
  {
    path: "/v1/messages",
    kind: "chat",
    callType: "anthropic_messages",
    wire: "anthropic",
    prepare: either(chat(anthropic, onBedrock), chat(anthropic, onCompatible)),
  },
  {
    path: "/v1/messages/count_tokens",
    kind: "count_tokens",
    callType: null,
    wire: "anthropic",
    prepare: count,
  },
  {
    path: "/v1/completions",
    kind: "completion",
    callType: "atext_completion",
    wire: "openai",
    prepare: either(noCompletions, compatibleCompletion),
  },
  {
    path: "/v1/embeddings",
    kind: "embedding",
    callType: "aembedding",
    wire: "openai",
    prepare: either(embed, compatibleEmbedding),
  },
];
/** LiteLLM answers OpenAI's paths also without `/v1`. */
const BY_PATH = new Map(
  ROUTES.flatMap((route) => [route.path, route.path.slice(3)].map((path) => [path, route])),
);

/** @param path without its query */
export const modelRoute = (path: string): ModelRoute | null => BY_PATH.get(path) ?? null;
