/** A model's stream on its way to the client: encoded, filtered, and put together for the audit. */
import type { ApiError } from "@central-llm/core/api-error";
import type { Finding } from "@central-llm/core/pii-entity";
import type { PiiPolicy } from "@central-llm/core/pii-policy";
import { assembleStream } from "../stream-assembly.ts";
import type { AnswerWriter } from "./answer-writer.ts";
import type { StreamedAnswer } from "./model-route.ts";
import type { PiiGuard } from "./pii-guard.ts";
import { PiiSse, type Written } from "./pii-sse.ts";
import { UpstreamError } from "./upstream-error.ts";
import { jsonOf, sseOf } from "./whole-stream.ts";

/** How a stream ended other than well, after its head had gone out. */
export interface BrokenStream {
  error: ApiError;
  outcome: "blocked" | "upstream_error";
  /** For the log. */
  cause: unknown;
}

export class StreamAnswer {
  readonly #answer: StreamedAnswer;
  readonly #guard: PiiGuard;
  readonly #policy: PiiPolicy;
  readonly #writer: AnswerWriter;
  readonly #sse: PiiSse | null;
  #wholeFindings: readonly Finding[] = [];
  /** What the audit keeps of an answer that was checked as a whole. */
  checked: unknown = null;

  constructor(answer: StreamedAnswer, guard: PiiGuard, policy: PiiPolicy, writer: AnswerWriter) {
    this.#answer = answer;
    this.#guard = guard;
    this.#policy = policy;
    this.#writer = writer;
    this.#sse = guard.streams ? new PiiSse(policy) : null;
  }

  get findings(): readonly Finding[] {
    return this.#sse?.findings ?? this.#wholeFindings;
  }

  /** What the provider counted; null while it has not said it. */
  get usage() {
    return this.#answer.encoder.usage;
  }

  /** Of what has come so far. */
  get characters(): number {
    return this.#answer.assembly.characters;
  }

  /** The answer so far, as it would have been without streaming. */
  whole(): object {
    return this.#answer.assembly.whole();
  }

  /** @returns null when all is well @throws Error when the client is gone */
  relay(): Promise<BrokenStream | null> {
    return this.#sse === null ? this.#relayWhole() : this.#relay(this.#sse);
  }

  async #relay(sse: PiiSse): Promise<BrokenStream | null> {
    const { encoder, assembly } = this.#answer;
    try {
      for await (const event of this.#answer.events) {
        assembly.add(event);
        const text = encoder.push(event);
        if (text === "") continue;
        const broken = await this.#send(sse.push(text));
        // Leaving the loop ends the call at the provider too.
        if (broken) return broken;
      }
    } catch (problem) {
      if (!(problem instanceof UpstreamError)) throw problem;
      return (await this.#send(sse.end())) ?? this.#broken(problem.error, "upstream_error", problem);
    }
    // What is held belongs into the last block, which Anthropic's encoder closes only now.
    return (await this.#send(sse.end())) ?? this.#send(sse.push(encoder.end()));
  }

  /** The guardrail reads whole texts: the answer is checked when all of it is there, and sent in one piece. */
  async #relayWhole(): Promise<BrokenStream | null> {
    const { encoder, assembly } = this.#answer;
    let text = "";
    try {
      for await (const event of this.#answer.events) assembly.add(event);
      for (const event of assembly.condensed()) text += encoder.push(event);
    } catch (problem) {
      if (!(problem instanceof UpstreamError)) throw problem;
      return this.#broken(problem.error, "upstream_error", problem);
    }
    const checked = await this.#guard.answer(jsonOf(text), this.#policy);
    if (checked.outcome === "failed") return this.#broken(checked.error, "blocked", checked.cause);
    this.#wholeFindings = checked.findings;
    this.checked = assembleStream(sseOf(checked.auditBody as object[])) ?? checked.auditBody;
    if (checked.outcome === "blocked") return this.#broken(checked.error, "blocked", "pii");
    await this.#writer.write(checked.changed ? sseOf(checked.body as object[]) : text);
    await this.#writer.write(encoder.end());
    return null;
  }

  async #send({ text, stop }: Written): Promise<BrokenStream | null> {
    if (text !== "") await this.#writer.write(text);
    return stop && this.#broken(stop.error, "blocked", stop.cause ?? "pii");
  }

  async #broken(error: ApiError, outcome: BrokenStream["outcome"], cause: unknown): Promise<BrokenStream> {
    await this.#writer.write(this.#answer.encoder.fail(error));
    return { error, outcome, cause };
  }
}
