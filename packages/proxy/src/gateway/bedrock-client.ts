/**
 * Calls Amazon Bedrock: one attempt a call (attempts are model-call.ts's), time-outs for the first byte and between
 * events, the caller's abort, which ends the call at Bedrock too, and errors in the callers' words.
 */
import type { ConverseResponse } from "@aws-sdk/client-bedrock-runtime";
import type { BedrockTarget } from "@central-llm/core/model";
import type { BedrockTransport, Invoked, TransportSettings } from "./bedrock-transport.ts";
import { PatientReader } from "./patient-reader.ts";
import { SdkTransport } from "./sdk-transport.ts";
import { SignedTransport } from "./signed-transport.ts";
import { within } from "./time-limit.ts";
import type { ConverseInput, StreamEvent } from "./translation.ts";
import { upstreamError } from "./upstream-error.ts";

export interface BedrockSettings extends TransportSettings {
  /** `sdk`: the SDK's client. `signed`: requests signed by hand, for a fraction of the CPU. The wire is the same. */
  transport: "sdk" | "signed";
  /** For an answer's head; of an answer that is not streamed that is the whole time of thinking. */
  firstByteTimeoutMs: number;
  /** Between two events of a stream. */
  idleTimeoutMs: number;
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

  /** @throws UpstreamError */
  converse(target: BedrockTarget, input: ConverseInput, signal?: AbortSignal): Promise<ConverseResponse> {
    return this.#call(signal, (attempt) => this.#transport.converse(target, input, attempt));
  }

  /**
   * Resolves with the first event, so that what Bedrock refuses in the stream is refused before an answer has begun.
   * @param signal ends the call at Bedrock too, also while it is read; so does leaving the loop that reads
   * @throws UpstreamError, also while it is read
   */
  async converseStream(
    target: BedrockTarget,
    input: ConverseInput,
    signal?: AbortSignal,
  ): Promise<AsyncIterable<StreamEvent>> {
    const whole = new AbortController();
    const abort = () => whole.abort(ENDED);
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    const end = () => {
      signal?.removeEventListener("abort", abort);
      abort();
    };
    try {
      return await this.#call(whole.signal, async (attempt) => {
        // When the first event is there, the attempt is over and `whole` alone can end the call.
        attempt.addEventListener("abort", abort, { once: true });
        const stream = await this.#transport.converseStream(target, input, whole.signal);
        const { idleTimeoutMs } = this.#settings;
        const reader = new PatientReader(stream[Symbol.asyncIterator](), idleTimeoutMs, whole.signal);
        try {
          const first = await reader.first();
          attempt.removeEventListener("abort", abort);
          return read(first, reader, end);
        } catch (error) {
          reader.close(false);
          throw error;
        }
      });
    } catch (error) {
      end();
      throw error;
    }
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

/** Made once: every stream ends with it, and a reason of its own would cost a stack trace each. */
const ENDED = new DOMException("The call was given up", "AbortError");

async function* read(
  first: IteratorResult<StreamEvent>,
  reader: PatientReader<StreamEvent>,
  end: () => void,
): AsyncGenerator<StreamEvent> {
  let item = first;
  try {
    while (!item.done) {
      yield item.value;
      item = await reader.next();
    }
  } catch (error) {
    throw upstreamError(error);
  } finally {
    reader.close(item.done === true);
    end();
  }
}
