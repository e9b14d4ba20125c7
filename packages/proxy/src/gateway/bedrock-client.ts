/**
 * Calls Amazon Bedrock through its SDK: one client a region, one attempt a call (attempts are model-call.ts's), time-outs
 * for the first byte and between events, and the caller's abort, which ends the call at Bedrock too.
 */
import {
  BedrockRuntimeClient,
  type BedrockRuntimeClientConfig,
  ConverseCommand,
  type ConverseResponse,
  ConverseStreamCommand,
  CountTokensCommand,
  InvokeModelCommand,
} from "@aws-sdk/client-bedrock-runtime";
import type { BedrockTarget } from "@central-llm/core/model";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import type { ConverseInput, StreamEvent } from "./translation.ts";
import { tooSlow, upstreamError } from "./upstream-error.ts";

export interface BedrockSettings {
  /** Another endpoint than AWS's own, e.g. the local stand-in or a VPC endpoint. */
  endpoint?: string;
  /** Default: the SDK's chain (task role, environment, profile). */
  credentials?: BedrockRuntimeClientConfig["credentials"];
  connectTimeoutMs: number;
  /** For an answer's head; of an answer that is not streamed that is the whole time of thinking. */
  firstByteTimeoutMs: number;
  /** Between two events of a stream. */
  idleTimeoutMs: number;
  /** Connections a region: the cap on concurrent calls and streams. */
  maxConnections: number;
}

export const BEDROCK_DEFAULTS = {
  connectTimeoutMs: 2_000,
  firstByteTimeoutMs: 300_000,
  idleTimeoutMs: 120_000,
  maxConnections: 512,
} satisfies BedrockSettings;

export class BedrockClient {
  readonly #settings: BedrockSettings;
  readonly #clients = new Map<string, BedrockRuntimeClient>();

  constructor(settings: BedrockSettings) {
    this.#settings = settings;
  }

  /** The SDK's client of a region, e.g. for ApplyGuardrail. */
  runtime(region: string): BedrockRuntimeClient {
    let client = this.#clients.get(region);
    if (!client) {
      const { endpoint, credentials, connectTimeoutMs, maxConnections } = this.#settings;
      const agent = { keepAlive: true, maxSockets: maxConnections };
      client = new BedrockRuntimeClient({
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
      this.#clients.set(region, client);
    }
    return client;
  }

  /** @throws UpstreamError */
  async converse(
    target: BedrockTarget,
    input: ConverseInput,
    signal?: AbortSignal,
  ): Promise<ConverseResponse> {
    return this.#call(signal, (abortSignal) =>
      this.runtime(target.region).send(new ConverseCommand({ ...input, modelId: target.modelId }), {
        abortSignal,
      }),
    );
  }

  /**
   * Resolves with the first event, so that what Bedrock refuses in the stream is refused before an answer has begun.
   * @throws UpstreamError, also while it is read
   */
  async converseStream(
    target: BedrockTarget,
    input: ConverseInput,
    signal?: AbortSignal,
  ): Promise<AsyncIterable<StreamEvent>> {
    const call = new AbortController();
    const abort = () => call.abort();
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    const release = () => signal?.removeEventListener("abort", abort);
    try {
      return await this.#call(call.signal, async (abortSignal) => {
        const command = new ConverseStreamCommand({ ...input, modelId: target.modelId });
        const { stream } = await this.runtime(target.region).send(command, { abortSignal });
        if (!stream) throw new Error("Bedrock answered without a stream");
        const events = stream[Symbol.asyncIterator]();
        const first = await events.next();
        return this.#read(first, events, abort, call.signal, release);
      });
    } catch (error) {
      abort();
      release();
      throw error;
    }
  }

  /** @returns tokens of the prompt @throws UpstreamError, e.g. for a model that cannot be asked */
  async countTokens(target: BedrockTarget, input: ConverseInput, signal?: AbortSignal): Promise<number> {
    const { messages, system, toolConfig, additionalModelRequestFields } = input;
    const command = new CountTokensCommand({
      // Counting is the foundation model's: an inference profile's geography is not part of its name.
      modelId: target.modelId.replace(/^(us|eu|apac|au|jp|ca|global)\./, ""),
      input: { converse: { messages, system, toolConfig, additionalModelRequestFields } },
    });
    const { inputTokens } = await this.#call(signal, (abortSignal) =>
      this.runtime(target.region).send(command, { abortSignal }),
    );
    return inputTokens ?? 0;
  }

  /** @returns the answer's JSON and the tokens that Bedrock says it read, or null @throws UpstreamError */
  async invoke(
    target: BedrockTarget,
    body: object,
    signal?: AbortSignal,
  ): Promise<{ json: unknown; inputTokens: number | null }> {
    const command = new InvokeModelCommand({
      modelId: target.modelId,
      contentType: "application/json",
      accept: "application/json",
      body: JSON.stringify(body),
    });
    const output = await this.#call(signal, (abortSignal) =>
      this.runtime(target.region).send(command, { abortSignal }),
    );
    const counted = (output.$metadata as { inputTokenCount?: number }).inputTokenCount;
    return { json: JSON.parse(output.body.transformToString()), inputTokens: counted ?? null };
  }

  destroy(): void {
    for (const client of this.#clients.values()) client.destroy();
  }

  async #call<T>(signal: AbortSignal | undefined, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const call = new AbortController();
    const abort = () => call.abort();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      call.abort();
    }, this.#settings.firstByteTimeoutMs);
    if (signal?.aborted) call.abort();
    signal?.addEventListener("abort", abort, { once: true });
    try {
      return await send(call.signal);
    } catch (error) {
      throw late ? tooSlow("first_byte_timeout") : upstreamError(error);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  async *#read(
    first: IteratorResult<StreamEvent>,
    events: AsyncIterator<StreamEvent>,
    abort: () => void,
    aborted: AbortSignal,
    release: () => void,
  ): AsyncGenerator<StreamEvent> {
    let item = first;
    try {
      while (!item.done) {
        yield item.value;
        item = await inTime(events.next(), this.#settings.idleTimeoutMs, aborted);
      }
    } catch (error) {
      throw upstreamError(error);
    } finally {
      release();
      abort();
      // Ends the connection when the reader has left before the end.
      if (!item.done) events.return?.().catch(() => {});
    }
  }
}

async function inTime<T>(next: Promise<T>, idleMs: number, aborted: AbortSignal): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let stop: (() => void) | undefined;
  const cut = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooSlow("idle_timeout")), idleMs);
    stop = () => reject(new DOMException("The caller has left", "AbortError"));
    aborted.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([next, cut]);
  } finally {
    clearTimeout(timer);
    if (stop) aborted.removeEventListener("abort", stop);
  }
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
