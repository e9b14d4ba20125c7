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
  /** Another client of the same stand-in. */
  connect(settings: Partial<BedrockSettings>): BedrockClient;
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
  const clients: BedrockClient[] = [];
  const connect = (more: Partial<BedrockSettings>) => {
    const credentials = { accessKeyId: "test", secretAccessKey: "test" };
    const made = new BedrockClient({
      ...BEDROCK_DEFAULTS,
      endpoint: standIn.url,
      credentials,
      ...bedrock,
      ...more,
    });
    clients.push(made);
    return made;
  };
  const client = connect({});
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
    connect,
    async stop() {
      await server.stop();
      for (const made of clients) made.destroy();
      await standIn.stop();
    },
  };
}
