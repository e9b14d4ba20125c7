/**
 * Calls Amazon Bedrock: one attempt a call (attempts are model-call.ts's), time-outs for the first byte and between
 * events, the caller's abort, which ends the call at Bedrock too, and errors in the callers' words.
 */
import type { ConverseResponse } from "@aws-sdk/client-bedrock-runtime";
import type { BedrockTarget } from "@central-llm/core/model";
import type { BedrockTransport, Invoked, TransportSettings } from "./bedrock-transport.ts";
import { type Patience, patientStream } from "./patient-stream.ts";
import { SdkTransport } from "./sdk-transport.ts";
import { SignedTransport } from "./signed-transport.ts";
import { within } from "./time-limit.ts";
import type { ConverseInput, StreamEvent } from "./translation.ts";
import { upstreamError } from "./upstream-error.ts";

export interface BedrockSettings extends TransportSettings, Patience {
  /** `sdk`: the SDK's client. `signed`: requests signed by hand, for a fraction of the CPU. The wire is the same. */
  transport: "sdk" | "signed";
}

export const BEDROCK_DEFAULTS = {
  transport: "signed",
  connectTimeoutMs: 2_000,
  firstByteTimeoutMs: 300_000,
  idleTimeoutMs: 120_000,
  maxConnections: 512,
} satisfies BedrockSettings;

export class BedrockClient {
  readonly #settings: BedrockSettings;
  readonly #transport: BedrockTransport;

  constructor(settings: BedrockSettings) {
    this.#settings = settings;
    this.#transport =
      settings.transport === "sdk" ? new SdkTransport(settings) : new SignedTransport(settings);
  }

  /** Makes the request of a call that will most likely be made, of the same input. */
  draft(target: BedrockTarget, stream: boolean, input: ConverseInput): void {
    this.#transport.draft?.(target, stream ? "converse-stream" : "converse", input);
  }

  /** @throws UpstreamError */
  converse(target: BedrockTarget, input: ConverseInput, signal?: AbortSignal): Promise<ConverseResponse> {
    return this.#call(signal, (attempt) => this.#transport.converse(target, input, attempt));
  }

  /** As patientStream. */
  converseStream(
    target: BedrockTarget,
    input: ConverseInput,
    signal?: AbortSignal,
  ): Promise<AsyncIterable<StreamEvent>> {
    return patientStream(this.#settings, signal, (whole) =>
      this.#transport.converseStream(target, input, whole),
    );
  }

  /** @returns tokens of the prompt @throws UpstreamError, e.g. for a model that cannot be asked */
  countTokens(target: BedrockTarget, input: ConverseInput, signal?: AbortSignal): Promise<number> {
    const { messages, system, toolConfig, additionalModelRequestFields } = input;
    // Counting is the foundation model's: an inference profile's geography is not part of its name.
    const modelId = target.modelId.replace(/^(us|eu|apac|au|jp|ca|global)\./, "");
    const converse = { messages, system, toolConfig, additionalModelRequestFields };
    return this.#call(signal, (attempt) =>
      this.#transport.countTokens(target, { modelId, input: { converse } }, attempt),
    );
  }

  /** @throws UpstreamError */
  invoke(target: BedrockTarget, body: object, signal?: AbortSignal): Promise<Invoked> {
    return this.#call(signal, (attempt) => this.#transport.invoke(target, body, attempt));
  }

  destroy(): void {
    this.#transport.destroy();
  }

  async #call<T>(signal: AbortSignal | undefined, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await within(this.#settings.firstByteTimeoutMs, "first_byte_timeout", signal, send);
    } catch (error) {
      throw upstreamError(error);
    }
  }
}
