/** The last steps of a call of a model: the call itself, and its answer on the way to the client. */
import type { Outcome } from "@central-llm/core/audit-record";
import type { Model } from "@central-llm/core/model";
import { apiBase, type CallAccount } from "./call-account.ts";
import type { CallState } from "./call-state.ts";
import { litellmHeaders } from "./litellm-headers.ts";
import type { Understood } from "./model-admission.ts";
import { type Called, callModel } from "./model-call.ts";
import type { Asked, Json, ModelAnswer, WholeAnswer } from "./model-route.ts";
import { Refusal } from "./refusal.ts";
import { RefusedRequest } from "./refused-request.ts";
import { StreamAnswer } from "./stream-answer.ts";
import { upstreamError } from "./upstream-error.ts";

/** How an answer went that was begun. */
export interface Ended {
  outcome: Outcome;
  error: { type: string; message: string } | null;
  complete: boolean;
}

/** OpenAI's and Anthropic's clients say how long they wait, in seconds; LiteLLM's have a header of their own for it. */
function deadline({ gateway, request }: CallState): number {
  const said = Number(request.headers["x-litellm-timeout"] ?? request.headers["x-stainless-timeout"]);
  const most = gateway.config.MODEL_DEADLINE_MS;
  return performance.now() + (said > 0 ? Math.min(said * 1000, most) : most);
}

export async function call(
  state: CallState,
  understood: Understood,
  body: Json,
  asked: Asked,
): Promise<Called<ModelAnswer>> {
  const { gateway, route, left } = state;
  const account = state.account as CallAccount;
  const { config } = gateway;
  const policy = {
    attempts: config.MODEL_ATTEMPTS,
    baseDelayMs: config.MODEL_RETRY_BASE_MS,
    maxDelayMs: config.MODEL_RETRY_MAX_MS,
    deadline: deadline(state),
  };
  const began = performance.now();
  const { bedrock, compatible } = gateway;
  const told = () => state.toldUpstream();
  const attempt = async (model: Model, signal: AbortSignal) => {
    const isFirst = model === understood.model;
    account.prepared = isFirst ? understood.prepared : route.prepare(body, model, asked);
    account.model = model;
    account.begun = true;
    state.audited.sent();
    try {
      return await account.prepared.run({ bedrock, compatible, signal, told });
    } catch (problem) {
      // A call that the client left goes on to cost; one that failed does not.
      account.begun = left.signal.aborted;
      if (!left.signal.aborted && !(problem instanceof Refusal)) {
        const { kind } = upstreamError(problem);
        gateway.counts.attempts.inc({ model: model.name, kind });
        gateway.metrics.upstreamErrors.inc({ kind });
        gateway.log.warn({ model: model.name, kind, err: problem }, "An attempt failed");
      }
      throw problem;
    }
  };
  const called = await callModel(config.models.chain(understood.model), policy, left.signal, attempt);
  account.upstreamMs = performance.now() - began;
  return called;
}

function head(state: CallState, type: string, called: Called<ModelAnswer>, cost: number | null): void {
  const account = state.account as CallAccount;
  const { model, failed } = called;
  const same = failed.filter((attempt) => attempt.model === model.name).length;
  const others = new Set(failed.map((attempt) => attempt.model)).size - (same > 0 ? 1 : 0);
  const { elapsed } = state.audited;
  const dropped = account.prepared?.dropped.join(",") ?? "";
  state.status = 200;
  state.headers = {
    "content-type": type,
    ...(dropped === "" ? {} : { "x-dropped-params": dropped }),
    ...("headers" in called.value ? called.value.headers : {}),
    ...litellmHeaders({
      callId: state.audited.name,
      call: account.call,
      limits: account.limits,
      model: model.name,
      apiBase: apiBase(model),
      cost,
      retries: same,
      fallbacks: others,
      durationMs: elapsed,
      overheadMs: elapsed - account.upstreamMs,
    }),
  };
}

export async function answerWhole(
  state: CallState,
  called: Called<ModelAnswer>,
  answer: WholeAnswer,
): Promise<Ended> {
  const { gateway, writer, policy } = state;
  const account = state.account as CallAccount;
  account.usage = answer.usage;
  state.wholeCharacters = answer.characters ?? 0;
  let text: string;
  if (answer.numbers || policy === null) {
    text = JSON.stringify(answer.body);
    state.answered = { text, findings: [] };
  } else {
    const checked = await gateway.guard.answer(answer.body, policy.pii);
    if (checked.outcome === "failed") {
      gateway.log.error({ cause: checked.cause }, "The filter failed on an answer");
      throw new RefusedRequest(checked.error, "blocked", "filter_unavailable");
    }
    state.answerFindings = checked.findings;
    if (checked.outcome === "blocked") throw new RefusedRequest(checked.error, "blocked", "pii");
    text = JSON.stringify(checked.body);
    const audited = checked.findings.length === 0 ? text : JSON.stringify(checked.auditBody);
    state.answered = { text: audited, findings: checked.findings };
  }
  head(state, "application/json", called, account.close(state.characters).cost?.usd ?? null);
  writer.whole(200, state.answerHeaders(), text);
  await writer.flushed();
  return { outcome: "completed", error: null, complete: true };
}

export async function answerStream(state: CallState, called: Called<ModelAnswer>): Promise<Ended> {
  const { gateway, writer, policy, audited } = state;
  if (!("events" in called.value) || policy === null) throw new Error("no stream, or no policy");
  const stream = new StreamAnswer(called.value, gateway.guard, policy.pii, writer);
  state.stream = stream;
  head(state, "text/event-stream; charset=utf-8", called, null);
  writer.head(200, { ...state.answerHeaders(), "cache-control": "no-cache" });
  const broken = await stream.relay();
  writer.end();
  await writer.flushed();
  if (broken === null) return { outcome: "completed", error: null, complete: true };
  const { error, outcome, cause } = broken;
  gateway.log.warn({ requestId: audited.name, err: cause }, "A stream broke off");
  return { outcome, error: { type: error.type, message: error.message }, complete: false };
}
