/** Where a request that was read as Converse's goes: to Bedrock, or as a chat completion to a server of OpenAI's wire. */
import type { ConverseResponse } from "@aws-sdk/client-bedrock-runtime";
import type { BedrockTarget, CompatibleTarget, Model } from "@central-llm/core/model";
import type { BedrockClient } from "./bedrock-client.ts";
import { chatAsConverse, chunksAsConverse } from "./chat-as-converse.ts";
import { converseAsChat } from "./converse-as-chat.ts";
import type { Calling } from "./model-route.ts";
import type { ConverseInput, StreamEvent } from "./translation.ts";

export interface ConverseTransport {
  /** @throws Refusal */
  ready(
    model: Model,
    input: ConverseInput,
  ): {
    draft?(bedrock: BedrockClient, stream: boolean): void;
    whole(calling: Calling): Promise<ConverseResponse>;
    stream(calling: Calling): Promise<AsyncIterable<StreamEvent>>;
  };
}

export const onBedrock: ConverseTransport = {
  ready(model, input) {
    const target = model.target as BedrockTarget;
    return {
      draft: (bedrock, stream) => bedrock.draft(target, stream, input),
      whole: ({ bedrock, signal }) => bedrock.converse(target, input, signal),
      stream: ({ bedrock, signal }) => bedrock.converseStream(target, input, signal),
    };
  },
};

export const onCompatible: ConverseTransport = {
  ready(model, input) {
    const target = model.target as CompatibleTarget;
    const request = converseAsChat(input, model);
    const path = "/chat/completions";
    return {
      async whole({ compatible, told, signal }) {
        return chatAsConverse(await compatible.post(target, path, JSON.stringify(request), told(), signal));
      },
      async stream({ compatible, told, signal }) {
        const asking = { ...request, stream: true, stream_options: { include_usage: true } };
        return chunksAsConverse(
          await compatible.stream(target, path, JSON.stringify(asking), told(), signal),
        );
      },
    };
  },
};
