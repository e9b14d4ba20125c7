/** How a call gets to Bedrock. Two ways: the SDK's client, and requests signed by hand, which cost a fraction of its CPU. */
import type {
  BedrockRuntimeClientConfig,
  ConverseResponse,
  CountTokensRequest,
} from "@aws-sdk/client-bedrock-runtime";
import type { BedrockTarget } from "@central-llm/core/model";
import type { ConverseInput, StreamEvent } from "./translation.ts";

export interface TransportSettings {
  /** Another endpoint than AWS's own, e.g. the local stand-in or a VPC endpoint. */
  endpoint?: string;
  /** Default: the SDK's chain (task role, environment, profile). */
  credentials?: NonNullable<BedrockRuntimeClientConfig["credentials"]>;
  connectTimeoutMs: number;
  /** Connections a region: the cap on concurrent calls and streams. */
  maxConnections: number;
}

export interface Invoked {
  json: unknown;
  /** Tokens that Bedrock says it read, where it says so. */
  inputTokens: number | null;
}

/** Each call throws what Bedrock said as an Error whose name is the exception's, or the network's error. */
export interface BedrockTransport {
  /** Makes a call's request before it is certain that it will be made: when it is, that is done already. */
  draft?(target: BedrockTarget, operation: "converse" | "converse-stream", input: ConverseInput): void;
  converse(target: BedrockTarget, input: ConverseInput, signal: AbortSignal): Promise<ConverseResponse>;
  /** Resolves when the answer's head is there. */
  converseStream(
    target: BedrockTarget,
    input: ConverseInput,
    signal: AbortSignal,
  ): Promise<AsyncIterable<StreamEvent>>;
  countTokens(target: BedrockTarget, request: CountTokensRequest, signal: AbortSignal): Promise<number>;
  invoke(target: BedrockTarget, body: object, signal: AbortSignal): Promise<Invoked>;
  destroy(): void;
}
