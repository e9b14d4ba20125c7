/**
 * Amazon Bedrock's runtime on one machine: the real wire (JSON, binary event streams, signed requests), made-up answers.
 * It knows the models of core's list, checks what Bedrock checks, and fails on demand.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ConverseRequest } from "@aws-sdk/client-bedrock-runtime";
import { defaultModels } from "@central-llm/core/default-models";
import { type Model, ModelList } from "@central-llm/core/model";
import { answerTo, tokensOf } from "./bedrock-answer.ts";
import { withBytes } from "./bedrock-blob.ts";
import { invokeEmbedding } from "./bedrock-embedding.ts";
import { encodeEvent, encodeException, eventsOf } from "./bedrock-event-stream.ts";
import { BedrockFault, type FaultOrder, FaultOrders, type OrderedFault } from "./bedrock-fault.ts";
import { applyGuardrail } from "./bedrock-guardrail.ts";
import { answer, refuse, requireSignature } from "./bedrock-http.ts";
import { checkConverse } from "./bedrock-input.ts";
import { listen } from "./bedrock-listener.ts";

export interface StandInOptions {
  /** 0 or absent: any free one. */
  port?: number;
  /** Before an answer, and between two events of a stream. */
  delayMs?: number;
}

export interface StandInCall {
  operation: string;
  modelId: string;
  body: unknown;
}

export interface BedrockStandIn {
  url: string;
  port: number;
  /** The last 1,000 calls, as they came. */
  calls: StandInCall[];
  /** Streams that the client left before their end. */
  abandoned: number;
  /** Also as `POST /_faults` with the same JSON. */
  fail(fault: FaultOrder): void;
  /** Also as `DELETE /_faults`. */
  clearFaults(): void;
  stop(): Promise<void>;
}

const PATH = /^\/model\/([^/]+)\/(converse|converse-stream|count-tokens|invoke)$/;
const GUARDRAIL = /^\/guardrail\/([^/]+)\/version\/([^/]+)\/apply$/;
const KEPT_CALLS = 1_000;

export async function startBedrockStandIn(options: StandInOptions = {}): Promise<BedrockStandIn> {
  const standIn = new StandIn(options.delayMs ?? 0);
  const { port, stop } = await listen((request, response) => {
    standIn.serve(request, response).catch((error: unknown) => refuse(response, error));
  }, options.port ?? 0);
  return Object.assign(standIn, { url: `http://127.0.0.1:${port}`, port, stop });
}

class StandIn {
  readonly calls: StandInCall[] = [];
  abandoned = 0;
  readonly #faults = new FaultOrders();
  readonly #cached = new Set<string>();
  readonly #models = new Map<string, Model>();
  readonly #delayMs: number;

  constructor(delayMs: number) {
    this.#delayMs = delayMs;
    for (const model of ModelList.parse(defaultModels({ region: "eu-west-2" })).models)
      if (model.target.provider === "bedrock") this.#models.set(base(model.target.modelId), model);
  }

  fail(fault: FaultOrder): void {
    this.#faults.order(fault);
  }

  clearFaults(): void {
    this.#faults.clear();
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString("utf8");
    const path = request.url ?? "/";
    if (path === "/_faults") return this.#order(request.method ?? "", text, response);
    requireSignature(request);
    const guardrail = GUARDRAIL.exec(path)?.[1];
    const [, id, operation] = PATH.exec(path) ?? [];
    if (request.method !== "POST" || (!guardrail && !operation))
      throw new BedrockFault("ResourceNotFoundException", `Unknown operation: ${request.method} ${path}`);
    const body = JSON.parse(text) as Record<string, unknown>;
    const modelId = decodeURIComponent(id ?? guardrail ?? "");
    if (this.calls.push({ operation: operation ?? "apply", modelId, body }) > KEPT_CALLS) this.calls.shift();
    const fault = this.#faults.take(modelId);
    await pause(this.#delayMs + (fault?.delayMs ?? 0));
    if (fault && fault.afterEvents === undefined && fault.cutAfterEvents === undefined) {
      if (fault.error) throw new BedrockFault(fault.error, fault.message);
      if (fault.hang) return;
    }
    if (guardrail) return answer(response, applyGuardrail(modelId, body));
    return this.#model(operation ?? "", modelId, body, response, fault);
  }

  async #model(
    operation: string,
    modelId: string,
    body: Record<string, unknown>,
    response: ServerResponse,
    fault: OrderedFault | null,
  ): Promise<void> {
    const model = this.#models.get(base(modelId));
    if (!model) throw new BedrockFault("ValidationException", "The provided model identifier is invalid.");
    if (model.ability.kind === "embedding") {
      if (operation !== "invoke")
        throw new BedrockFault("ValidationException", "This model doesn't support the Converse API.");
      const { body: json, inputTokens } = invokeEmbedding(modelId, body);
      return answer(response, json, { "x-amzn-bedrock-input-token-count": String(inputTokens) });
    }
    if (operation === "count-tokens") return answer(response, count(modelId, model, body));
    if (operation === "invoke")
      throw new BedrockFault("ValidationException", "The stand-in invokes embedding models only.");
    const input = withBytes({ ...body, modelId }) as ConverseRequest;
    checkConverse(input, model.ability);
    const made = answerTo(input, this.#cached);
    if (operation === "converse-stream") return this.#stream(response, made, fault);
    const { content, stopReason, stopSequence, usage } = made;
    const more =
      stopSequence === null ? {} : { additionalModelResponseFields: { stop_sequence: stopSequence } };
    const output = { message: { role: "assistant", content } };
    answer(response, { output, stopReason, usage, metrics: { latencyMs: this.#delayMs }, ...more });
  }

  async #stream(
    response: ServerResponse,
    made: ReturnType<typeof answerTo>,
    fault: OrderedFault | null,
  ): Promise<void> {
    response.writeHead(200, {
      "content-type": "application/vnd.amazon.eventstream",
      "x-amzn-requestid": "stand-in",
    });
    let sent = 0;
    let left = false;
    response.on("close", () => {
      left = true;
      if (!response.writableEnded) this.abandoned++;
    });
    for (const event of eventsOf(made, this.#delayMs)) {
      if (sent === fault?.cutAfterEvents) return void response.destroy();
      if (sent === fault?.afterEvents) {
        if (fault.hang) return;
        return void response.end(
          encodeException(new BedrockFault(fault.error ?? "InternalServerException", fault.message)),
        );
      }
      if (left) return;
      response.write(encodeEvent(event));
      sent++;
      if (this.#delayMs > 0) await pause(this.#delayMs);
    }
    response.end();
  }

  #order(method: string, text: string, response: ServerResponse): void {
    if (method === "DELETE") this.clearFaults();
    else this.#faults.order(JSON.parse(text));
    answer(response, {});
  }
}

/** Not every model can be asked: https://docs.aws.amazon.com/bedrock/latest/userguide/count-tokens.html */
function count(modelId: string, model: Model, body: Record<string, unknown>): object {
  if (modelId !== base(modelId) || model.name === "claude-3-opus")
    throw new BedrockFault("ValidationException", "The provided model doesn't support counting tokens.");
  const { converse } = body.input as { converse: ConverseRequest };
  if (!converse?.messages?.length) throw new BedrockFault("ValidationException", "messages is required.");
  return { inputTokens: tokensOf(converse.system, converse.messages, converse.toolConfig) };
}

/** A model's id without the geography of its inference profile. */
const base = (modelId: string) => modelId.replace(/^(us|eu|apac|au|jp|ca|global)\./, "");

const pause = (ms: number) => (ms > 0 ? new Promise((resolve) => setTimeout(resolve, ms)) : undefined);
