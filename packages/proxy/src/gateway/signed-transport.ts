/**
 * Bedrock without the SDK's client: JSON, signed by us with the SDK's credentials, sent by undici. The SDK's client
 * costs several times the CPU of all the rest of a request, its signer a tenth of it.
 */
import { hash } from "node:crypto";
import type { ConverseResponse, CountTokensRequest } from "@aws-sdk/client-bedrock-runtime";
import { defaultProvider } from "@aws-sdk/credential-provider-node";
import type { BedrockTarget } from "@central-llm/core/model";
import { Pool } from "undici";
import { AwsSigner } from "../aws-signature.ts";
import { callUpstream, type UpstreamAnswer, type UpstreamRequest } from "../upstream-call.ts";
import type { BedrockTransport, Invoked, TransportSettings } from "./bedrock-transport.ts";
import { readEventStream } from "./event-stream.ts";
import type { ConverseInput, StreamEvent } from "./translation.ts";

interface Region {
  pool: Pool;
  host: string;
  prefix: string;
  signer: AwsSigner;
}

/** A request as it goes over the wire. */
type Signed = Omit<UpstreamRequest, "signal">;

export class SignedTransport implements BedrockTransport {
  readonly #settings: TransportSettings;
  readonly #credentials: NonNullable<TransportSettings["credentials"]>;
  readonly #regions = new Map<string, Region>();
  readonly #drafts = new WeakMap<object, Promise<Signed>>();
  /** AWS's time minus ours, learnt from a refusal. */
  #skewMs = 0;

  constructor(settings: TransportSettings) {
    this.#settings = settings;
    this.#credentials = settings.credentials ?? defaultProvider();
  }

  draft(target: BedrockTarget, operation: "converse" | "converse-stream", input: ConverseInput): void {
    const drafted = this.#signed(target, target.modelId, operation, input);
    drafted.catch(() => {}); // The call itself comes to the same, and tells of it.
    this.#drafts.set(input, drafted);
  }

  async converse(
    target: BedrockTarget,
    input: ConverseInput,
    signal: AbortSignal,
  ): Promise<ConverseResponse> {
    const { body } = await this.#post(target, target.modelId, "converse", input, signal);
    const output = JSON.parse(await body.text()) as ConverseResponse;
    for (const block of output.output?.message?.content ?? []) decodeBytes(block.reasoningContent);
    return output;
  }

  async converseStream(target: BedrockTarget, input: ConverseInput, signal: AbortSignal) {
    const { body } = await this.#post(target, target.modelId, "converse-stream", input, signal);
    return events(body);
  }

  async countTokens(target: BedrockTarget, { modelId = "", input }: CountTokensRequest, signal: AbortSignal) {
    const { body } = await this.#post(target, modelId, "count-tokens", { input }, signal);
    const { inputTokens = 0 } = JSON.parse(await body.text()) as { inputTokens?: number };
    return inputTokens;
  }

  async invoke(target: BedrockTarget, request: object, signal: AbortSignal): Promise<Invoked> {
    const { body, headers } = await this.#post(target, target.modelId, "invoke", request, signal);
    const count = headers["x-amzn-bedrock-input-token-count"];
    return {
      json: JSON.parse(await body.text()),
      inputTokens: typeof count === "string" ? Number(count) : null,
    };
  }

  destroy(): void {
    for (const { pool } of this.#regions.values()) pool.destroy().catch(() => {});
  }

  async #post(
    target: BedrockTarget,
    modelId: string,
    operation: string,
    request: object,
    signal: AbortSignal,
  ): Promise<UpstreamAnswer> {
    const drafted = this.#drafts.get(request);
    // Another attempt is signed anew: a signature has its time.
    this.#drafts.delete(request);
    const signed = await (drafted ?? this.#signed(target, modelId, operation, request));
    const response = await callUpstream(this.#region(target.region).pool, { ...signed, signal });
    if (response.statusCode === 200) return response;
    throw await this.#refusal(response);
  }

  async #signed(
    { region }: BedrockTarget,
    modelId: string,
    operation: string,
    request: object,
  ): Promise<Signed> {
    const { host, prefix, signer } = this.#region(region);
    const path = `${prefix}/model/${escaped(modelId)}/${operation}`;
    const body = JSON.stringify(request, encodeBytes);
    const headers = {
      host,
      "content-type": "application/json",
      accept: "*/*",
      "x-amz-content-sha256": hash("sha256", body, "hex"),
    };
    const credentials =
      typeof this.#credentials === "function" ? await this.#credentials() : this.#credentials;
    const signed = signer.sign("POST", path, headers, credentials, Date.now() + this.#skewMs);
    return { method: "POST", path, headers: signed, body };
  }

  async #refusal({ statusCode, headers, body }: UpstreamAnswer): Promise<Error> {
    const text = await body.text();
    const parsed = parse(text);
    const error = new Error(parsed.message ?? parsed.Message ?? "");
    // `ThrottlingException:http://internal.amazon.com/…`, or in the body as `com.amazon…#ThrottlingException`.
    const named = String(headers["x-amzn-errortype"] ?? parsed.__type ?? "UnknownError");
    error.name = named.split(":")[0]?.split("#").at(-1) ?? named;
    const theirs = Date.parse(String(headers.date ?? ""));
    if (statusCode === 403 && /signature (expired|not yet current)/i.test(error.message) && theirs)
      this.#skewMs = theirs - Date.now();
    return Object.assign(error, { $metadata: { httpStatusCode: statusCode } });
  }

  #region(region: string): Region {
    const known = this.#regions.get(region);
    if (known) return known;
    const { endpoint, connectTimeoutMs, maxConnections } = this.#settings;
    const url = new URL(endpoint ?? `https://bedrock-runtime.${region}.amazonaws.com`);
    const made = {
      host: url.host,
      prefix: url.pathname.replace(/\/$/, ""),
      // Time-outs of head and body are the client's, which knows what the caller can wait for.
      pool: new Pool(url.origin, {
        connections: maxConnections,
        pipelining: 1,
        connect: { timeout: connectTimeoutMs },
        headersTimeout: 0,
        bodyTimeout: 0,
      }),
      signer: new AwsSigner("bedrock", region),
    };
    this.#regions.set(region, made);
    return made;
  }
}

/** As signatures have it: what encodeURIComponent leaves of RFC 3986's reserved characters, too. */
const escaped = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

async function* events(body: AsyncIterable<Buffer>): AsyncGenerator<StreamEvent> {
  for await (const { type, exception, payload } of readEventStream(body)) {
    if (exception) {
      const message = (payload as { message?: string }).message ?? "";
      throw Object.assign(new Error(message), { name: type[0]?.toUpperCase() + type.slice(1) });
    }
    const event = { [type]: payload } as unknown as StreamEvent;
    decodeBytes(event.contentBlockDelta?.delta?.reasoningContent);
    yield event;
  }
}

/** Bedrock's JSON carries bytes as base64. JSON.stringify has already asked a Buffer for its own JSON, an Uint8Array not. */
function encodeBytes(this: unknown, name: string, value: unknown): unknown {
  if (name !== "bytes" && name !== "redactedContent") return value;
  const original = (this as Record<string, unknown>)[name];
  return original instanceof Uint8Array ? Buffer.from(original).toString("base64") : value;
}

function decodeBytes(block: object | undefined): void {
  const holder = block as { redactedContent?: unknown } | undefined;
  if (typeof holder?.redactedContent === "string")
    holder.redactedContent = Buffer.from(holder.redactedContent, "base64");
}

function parse(text: string): { message?: string; Message?: string; __type?: string } {
  try {
    return JSON.parse(text);
  } catch {
    return {}; // Not JSON, e.g. a proxy's page: the status says enough, and its words are not for callers.
  }
}
