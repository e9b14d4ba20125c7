/** The Bedrock stand-in, the client and the translation server in one: what tests with real clients start. */

import { defaultModels } from "@central-llm/core/default-models";
import { ModelList, type ModelSetting } from "@central-llm/core/model";
import { type BedrockStandIn, startBedrockStandIn } from "@central-llm/local/bedrock-stand-in";
import { BEDROCK_DEFAULTS, BedrockClient, type BedrockSettings } from "../gateway/bedrock-client.ts";
import { startTranslationServer } from "./translation-server.ts";

export interface BedrockGateway {
  /** With `/v1`, for OpenAI's clients. */
  url: string;
  standIn: BedrockStandIn;
  client: BedrockClient;
  models: ModelList;
  stop(): Promise<void>;
}

export interface BedrockGatewayOptions {
  dropParams?: boolean;
  deadlineMs?: number;
  /** Fallbacks by model. */
  fallbacks?: Record<string, string[]>;
  bedrock?: Partial<BedrockSettings>;
  /** Between two events of the stand-in's streams. */
  delayMs?: number;
}

export async function startBedrockGateway(options: BedrockGatewayOptions = {}): Promise<BedrockGateway> {
  const { fallbacks = {}, bedrock, delayMs = 0, ...rest } = options;
  const standIn = await startBedrockStandIn({ delayMs });
  const client = new BedrockClient({
    ...BEDROCK_DEFAULTS,
    endpoint: standIn.url,
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
    ...bedrock,
  });
  const settings: ModelSetting[] = defaultModels({ region: "eu-west-2" });
  const models = ModelList.parse(
    settings.map((model) => ({ ...model, fallbacks: fallbacks[model.name] ?? [] })),
  );
  const server = await startTranslationServer({ models, client, ...rest });
  return {
    url: `${server.url}/v1`,
    standIn,
    client,
    models,
    async stop() {
      await server.stop();
      client.destroy();
      await standIn.stop();
    },
  };
}
