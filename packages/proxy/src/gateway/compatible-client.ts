/**
 * Calls OpenAI-compatible servers (vLLM, OpenAI, our own central path …): one attempt a call, with the same time-outs as
 * Bedrock's, the caller's abort, and errors in the callers' words. A server's key goes into its header and nowhere else.
 */
import type { CompatibleTarget } from "@central-llm/core/model";
import { Pool } from "undici";
import { boundedBody } from "../bounded-body.ts";
import type { BufferBudget } from "../request-body.ts";
import { parseObject } from "../stream-assembly.ts";
import { passOn, type Trace } from "../trace-context.ts";
import { type AnswerBody, callUpstream, type UpstreamAnswer } from "../upstream-call.ts";
import { chunksOf, errorIn } from "./compatible-chunks.ts";
import { badAnswer, refusedByServer, tooLargeAnswer } from "./compatible-error.ts";
import type { Json } from "./model-route.ts";
import { type Patience, patientStream } from "./patient-stream.ts";
import { within } from "./time-limit.ts";
import { upstreamError } from "./upstream-error.ts";

/** What a server may be told of the request. */
export interface ToldUpstream {
  requestId: string;
  kind: string;
  projectId: string;
  userId: string;
  trace: Trace | null;
  /** The client's own `traceparent` and `tracestate`. */
  traceHeaders: Record<string, string>;
}

export interface CompatibleSettings extends Patience {
  /** By the variable that the model's entry names. */
  keys: ReadonlyMap<string, string>;
  connectTimeoutMs: number;
  /** Connections a server: the cap on concurrent calls and streams. */
  maxConnections: number;
  /** Of an answer that is not streamed. */
  maxAnswerBytes: number;
  /** What the gateway holds in memory. */
  budget: BufferBudget;
}

/** Enough for any server's words about a refusal. */
const MAX_REFUSAL_BYTES = 64 * 1024;
const IDENTITY = new Set([undefined, "", "identity"]);

export class CompatibleClient {
  readonly #settings: CompatibleSettings;
  readonly #pools = new Map<string, Pool>();

  constructor(settings: CompatibleSettings) {
    this.#settings = settings;
  }

  /**
   * @param path below the target's root, e.g. `/chat/completions`
   * @returns the answer's JSON object @throws UpstreamError
   */
  async post(
    target: CompatibleTarget,
    path: string,
    body: string,
    told: ToldUpstream,
    signal: AbortSignal,
  ): Promise<Json> {
    const { firstByteTimeoutMs, maxAnswerBytes, budget } = this.#settings;
    try {
      return await within(firstByteTimeoutMs, "first_byte_timeout", signal, async (attempt) => {
        const answer = await this.#send(target, path, body, told, attempt, "application/json");
        const length = Number(answer.headers["content-length"] ?? 0);
        const bytes = await boundedBody(answer.body, length, maxAnswerBytes, budget, tooLargeAnswer);
        const text = bytes.toString("utf8");
        const json = parseObject(text);
        if (json === null) throw badAnswer("no JSON object");
        const status = errorIn(json);
        if (status !== null) throw this.#refusal(target, status, text);
        return json;
      });
    } catch (problem) {
      throw upstreamError(problem);
    }
  }

  /** As patientStream: the parsed `data:` of each event. */
  stream(
    target: CompatibleTarget,
    path: string,
    body: string,
    told: ToldUpstream,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Json>> {
    return patientStream(this.#settings, signal, async (whole) => {
      const answer = await this.#send(target, path, body, told, whole, "text/event-stream");
      if (!String(answer.headers["content-type"]).startsWith("text/event-stream")) {
        answer.body.destroy();
        throw badAnswer("no stream");
      }
      return chunksOf(answer.body, (status, text) => this.#refusal(target, status, text));
    });
  }

  destroy(): void {
    for (const pool of this.#pools.values()) pool.destroy().catch(() => {});
  }

  async #send(
    target: CompatibleTarget,
    path: string,
    body: string,
    told: ToldUpstream,
    signal: AbortSignal,
    accept: string,
  ): Promise<UpstreamAnswer> {
    const url = new URL(target.url);
    const answer = await callUpstream(this.#pool(url.origin), {
      method: "POST",
      path: `${url.pathname.replace(/\/$/, "")}${path}`,
      headers: this.#headers(target, told, accept),
      body,
      signal,
    });
    if (answer.statusCode === 200 && IDENTITY.has(single(answer.headers["content-encoding"]))) return answer;
    if (answer.statusCode === 200) {
      answer.body.destroy();
      throw badAnswer("a packed answer");
    }
    const text = await beginning(answer.body);
    throw this.#refusal(target, answer.statusCode, text);
  }

  #headers(target: CompatibleTarget, told: ToldUpstream, accept: string): string[] {
    const headers = ["content-type", "application/json", "accept", accept, "accept-encoding", "identity"];
    // Not the same: the central path would give its record the name that our client was told for ours.
    headers.push("x-request-id", `${told.requestId}-upstream`);
    const key = this.#key(target);
    if (key !== null)
      headers.push(target.apiKeyHeader, target.apiKeyHeader === "authorization" ? `Bearer ${key}` : key);
    if (target.tellsCaller)
      headers.push(
        ...["x-llm-source", asHeader(told.projectId), "x-llm-user", asHeader(told.userId)],
        ...["x-llm-request-type", asHeader(told.kind)],
      );
    headers.push(...Object.entries(told.traceHeaders).flat());
    if (told.trace) passOn(told.trace, headers);
    return headers;
  }

  #key({ apiKeyEnv }: CompatibleTarget): string | null {
    return apiKeyEnv === undefined ? null : (this.#settings.keys.get(apiKeyEnv) ?? null);
  }

  #refusal(target: CompatibleTarget, status: number, text: string): Error {
    const key = this.#key(target);
    return refusedByServer(status, key === null ? text : text.replaceAll(key, "[key]"));
  }

  #pool(origin: string): Pool {
    const known = this.#pools.get(origin);
    if (known) return known;
    const { connectTimeoutMs, maxConnections } = this.#settings;
    // Time-outs of head and body are ours above, which know what the caller can wait for.
    const made = new Pool(origin, {
      connections: maxConnections,
      pipelining: 1,
      connect: { timeout: connectTimeoutMs },
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    this.#pools.set(origin, made);
    return made;
  }
}

const single = (value: string | string[] | undefined) => (Array.isArray(value) ? value.join() : value);

/** Names of users and projects may hold what no header can. */
const asHeader = (text: string) => (/^[\x21-\x7e]+$/.test(text) ? text : encodeURIComponent(text));

async function beginning(body: AnswerBody): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of body) {
    pieces.push(piece);
    length += piece.length;
    if (length >= MAX_REFUSAL_BYTES) break; // Leaving the loop ends the answer.
  }
  return Buffer.concat(pieces).toString("utf8", 0, MAX_REFUSAL_BYTES);
}
