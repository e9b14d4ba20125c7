/**
 * The thinnest HTTP server over the gateway's translators and its Bedrock client: no keys, no limits, no audit. Tests prove
 * with it, through real clients, what the gateway's profile builds on.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { BedrockTarget, ChatAbility, Model, ModelList } from "@central-llm/core/model";
import { newRequestId } from "@central-llm/core/request-id";
import type { BedrockClient } from "../gateway/bedrock-client.ts";
import { ChatStreamEncoder } from "../gateway/chat-stream.ts";
import { chatToConverse } from "../gateway/chat-to-converse.ts";
import { type AnswerSettings, converseToChat } from "../gateway/converse-to-chat.ts";
import { converseToMessages } from "../gateway/converse-to-messages.ts";
import { invokeAll } from "../gateway/embedding-call.ts";
import { embeddingsToInvoke, invokeToEmbeddings } from "../gateway/embeddings.ts";
import { MessagesStreamEncoder } from "../gateway/messages-stream.ts";
import { countToConverse, messagesToConverse } from "../gateway/messages-to-converse.ts";
import { callModel } from "../gateway/model-call.ts";
import { Refusal } from "../gateway/refusal.ts";
import { countTokens } from "../gateway/token-count.ts";
import type { StreamEvent, Translated, Translation } from "../gateway/translation.ts";
import { type Encoder, json, notFound, refuse, stream } from "./translation-answer.ts";

export interface TranslationServer {
  url: string;
  stop(): Promise<void>;
}

export interface TranslationServerOptions {
  models: ModelList;
  client: BedrockClient;
  dropParams?: boolean;
  /** For an answer's beginning. */
  deadlineMs?: number;
}

type Body = Record<string, unknown>;

export async function startTranslationServer(options: TranslationServerOptions): Promise<TranslationServer> {
  const doors = new Doors(options);
  const server = createServer((request, response) => {
    const anthropic = request.url?.startsWith("/v1/messages") ?? false;
    doors.serve(request, response).catch((error: unknown) => refuse(response, error, anthropic));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

class Doors {
  readonly #options: TranslationServerOptions;

  constructor(options: TranslationServerOptions) {
    this.#options = options;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Body;
    const left = new AbortController();
    response.on("close", () => left.abort());
    const betas = request.headers["anthropic-beta"];
    const model = this.#options.models.find(String(body.model));
    if (!model) throw new Refusal(notFound(String(body.model)));
    switch (request.url?.split("?")[0]) {
      case "/v1/chat/completions":
        return this.#chat(model, body, response, left.signal);
      case "/v1/messages":
        return this.#messages(model, body, String(betas ?? ""), response, left.signal);
      case "/v1/messages/count_tokens":
        return this.#count(model, body, response);
      case "/v1/embeddings":
        return this.#embed(model, body, response, left.signal);
      default:
        throw new Refusal(notFound(request.url ?? ""));
    }
  }

  async #chat(model: Model, body: Body, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const translate = (ability: ChatAbility) =>
      chatToConverse(body, { ability, dropParams: this.#options.dropParams ?? false });
    const settings = (translated: Translated) => answerSettings(body, translated);
    await this.#answer(model, translate, response, signal, {
      json: (output, translated) => converseToChat(output, settings(translated)),
      encoder: (translated) => new ChatStreamEncoder(settings(translated), translated.includeUsage),
    });
  }

  async #messages(
    model: Model,
    body: Body,
    betas: string,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const translate = (ability: ChatAbility) =>
      messagesToConverse(body, { ability, dropParams: this.#options.dropParams ?? false, betas });
    await this.#answer(model, translate, response, signal, {
      json: (output, translated) => converseToMessages(output, answerSettings(body, translated)),
      encoder: (translated) => new MessagesStreamEncoder(answerSettings(body, translated)),
    });
  }

  async #answer(
    first: Model,
    translate: (ability: ChatAbility) => Translation,
    response: ServerResponse,
    signal: AbortSignal,
    to: {
      json: (output: Parameters<typeof converseToChat>[0], translated: Translated) => object;
      encoder: (translated: Translated) => Encoder;
    },
  ): Promise<void> {
    const { models, client, deadlineMs = 10_000 } = this.#options;
    const policy = {
      attempts: 2,
      baseDelayMs: 5,
      maxDelayMs: 20,
      deadline: performance.now() + deadlineMs,
    };
    const { value, model } = await callModel(models.chain(first), policy, signal, async (next, attempt) => {
      const translated = accepted(translate(chatAbility(next)));
      const target = next.target as BedrockTarget;
      return translated.stream
        ? { translated, events: await client.converseStream(target, translated.input, attempt) }
        : { translated, output: await client.converse(target, translated.input, attempt) };
    });
    response.setHeader("x-served-model", model.name);
    if (value.translated.dropped.length > 0)
      response.setHeader("x-dropped-params", value.translated.dropped.join(","));
    if (value.output) return json(response, 200, to.json(value.output, value.translated));
    await stream(response, value.events as AsyncIterable<StreamEvent>, to.encoder(value.translated));
  }

  async #count(model: Model, body: Body, response: ServerResponse): Promise<void> {
    const { input } = accepted(countToConverse(body, { ability: chatAbility(model), dropParams: false }));
    const { tokens, source } = await countTokens(this.#options.client, model.target as BedrockTarget, input);
    response.setHeader("x-token-count-source", source);
    json(response, 200, { input_tokens: tokens });
  }

  async #embed(model: Model, body: Body, response: ServerResponse, signal: AbortSignal): Promise<void> {
    if (model.ability.kind !== "embedding" || model.ability.wire === "openai")
      throw new Refusal(notFound(model.name));
    const planned = embeddingsToInvoke(body, model.ability);
    if (!planned.ok) throw new Refusal(planned.error);
    const { client } = this.#options;
    const target = model.target as BedrockTarget;
    const answers = await invokeAll(client, target, planned.plan.calls, signal);
    json(
      response,
      200,
      invokeToEmbeddings(answers, model.ability, planned.plan.encoding, String(body.model)),
    );
  }
}

function chatAbility(model: Model): ChatAbility {
  if (model.ability.kind !== "chat") throw new Refusal(notFound(model.name));
  return model.ability;
}

function accepted(translation: Translation): Translated {
  if (!translation.ok) throw new Refusal(translation.error);
  return translation;
}

function answerSettings(body: Body, { answerTool }: Translated): AnswerSettings {
  const { id, receivedAt } = newRequestId();
  return { id, model: String(body.model), created: Math.floor(receivedAt / 1000), answerTool };
}
