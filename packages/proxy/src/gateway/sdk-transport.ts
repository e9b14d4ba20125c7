/** Bedrock through its SDK's client: one client a region, one attempt a call (attempts are model-call.ts's). */
import {
  BedrockRuntimeClient,
  ConverseCommand,
  ConverseStreamCommand,
  CountTokensCommand,
  type CountTokensRequest,
  InvokeModelCommand,
} from "@aws-sdk/client-bedrock-runtime";
import type { BedrockTarget } from "@central-llm/core/model";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import type { BedrockTransport, Invoked, TransportSettings } from "./bedrock-transport.ts";
import type { ConverseInput } from "./translation.ts";

export class SdkTransport implements BedrockTransport {
  readonly #settings: TransportSettings;
  readonly #clients = new Map<string, BedrockRuntimeClient>();

  constructor(settings: TransportSettings) {
    this.#settings = settings;
  }

  async converse({ region, modelId }: BedrockTarget, input: ConverseInput, abortSignal: AbortSignal) {
    return this.runtime(region).send(new ConverseCommand({ ...input, modelId }), { abortSignal });
  }

  async converseStream({ region, modelId }: BedrockTarget, input: ConverseInput, abortSignal: AbortSignal) {
    const command = new ConverseStreamCommand({ ...input, modelId });
    const { stream } = await this.runtime(region).send(command, { abortSignal });
    if (!stream) throw new Error("Bedrock answered without a stream");
    return stream;
  }

  async countTokens({ region }: BedrockTarget, request: CountTokensRequest, abortSignal: AbortSignal) {
    const output = await this.runtime(region).send(new CountTokensCommand(request), { abortSignal });
    return output.inputTokens ?? 0;
  }

  async invoke({ region, modelId }: BedrockTarget, body: object, abortSignal: AbortSignal): Promise<Invoked> {
    const type = "application/json";
    const command = new InvokeModelCommand({
      modelId,
      contentType: type,
      accept: type,
      body: JSON.stringify(body),
    });
    const output = await this.runtime(region).send(command, { abortSignal });
    const { inputTokenCount = null } = output.$metadata as { inputTokenCount?: number };
    return { json: JSON.parse(output.body.transformToString()), inputTokens: inputTokenCount };
  }

  /** The SDK's client of a region. */
  runtime(region: string): BedrockRuntimeClient {
    let client = this.#clients.get(region);
    if (!client) {
      client = newClient(region, this.#settings);
      this.#clients.set(region, client);
    }
    return client;
  }

  destroy(): void {
    for (const client of this.#clients.values()) client.destroy();
  }
}

function newClient(region: string, settings: TransportSettings): BedrockRuntimeClient {
  const { endpoint, credentials, connectTimeoutMs, maxConnections } = settings;
  const agent = { keepAlive: true, maxSockets: maxConnections };
  const client = new BedrockRuntimeClient({
    region,
    maxAttempts: 1,
    // The SDK's own default here is HTTP/2 with one request a session: dearer than HTTP/1.1 with kept connections.
    requestHandler: new NodeHttpHandler({
      connectionTimeout: connectTimeoutMs,
      requestTimeout: 0,
      httpAgent: agent,
      httpsAgent: agent,
    }),
    ...(endpoint ? { endpoint } : {}),
    ...(credentials ? { credentials } : {}),
  });
  keepTokenCount(client);
  return client;
}

/** Cohere's answers hold no token count: Bedrock says it in a header, which the SDK does not show. */
function keepTokenCount(client: BedrockRuntimeClient): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { headers?: Record<string, string> };
      const count = Number(headers?.["x-amzn-bedrock-input-token-count"]);
      const output = result.output as { $metadata?: object } | undefined;
      if (Number.isFinite(count) && output?.$metadata)
        Object.assign(output.$metadata, { inputTokenCount: count });
      return result;
    },
    { step: "deserialize", priority: "high", name: "keepTokenCount" },
  );
}
