/** LiteLLM's answer on its way to the client: read by the filter, or passed on as it comes. */
import { isUtf8 } from "node:buffer";
import type { ApiError } from "@central-llm/core/api-error";
import { FILTER_UNAVAILABLE } from "@central-llm/core/pii-refusal";
import type { Dispatcher } from "undici";
import { boundedBody } from "../bounded-body.ts";
import { RefusedRequest } from "../gateway/refused-request.ts";
import { forwardedToClient, withoutHeader } from "../header-policy.ts";
import { isObject } from "../stream-assembly.ts";
import { upstreamFailure } from "../upstream-failure.ts";
import type { Ended } from "./ended.ts";
import type { LitellmCall } from "./litellm-call.ts";
import { passStream } from "./litellm-stream.ts";

export type Answer = Dispatcher.ResponseData;

/** What went wrong between us and LiteLLM, as an answer of ours. */
export function litellmFailed(call: LitellmCall, problem: unknown): unknown {
  if (call.left.signal.aborted) return problem;
  const { error, kind } = upstreamFailure(problem instanceof Error ? problem : new Error(String(problem)));
  const { log, metrics } = call.gateway;
  metrics.upstreamErrors.inc({ kind });
  log.warn({ requestId: call.audited.name, kind, err: problem }, "LiteLLM failed");
  return new RefusedRequest(error, "upstream_error", "upstream");
}

/** The body's pieces. @throws RefusedRequest when LiteLLM breaks off */
export async function* pieces(call: LitellmCall, body: Answer["body"]): AsyncGenerator<Buffer> {
  try {
    for await (const piece of body) yield piece as Buffer;
  } catch (problem) {
    throw litellmFailed(call, problem);
  }
}

/** What the filter cannot read does not pass. */
export function unreadable(call: LitellmCall, cause: string): RefusedRequest {
  call.gateway.log.error({ requestId: call.audited.name, cause }, "The filter failed on an answer");
  return new RefusedRequest(FILTER_UNAVAILABLE, "blocked", "filter_unavailable");
}

export async function passOn(call: LitellmCall, answer: Answer, hidesUsage: boolean): Promise<Ended> {
  const { statusCode, headers } = answer;
  const { door, audited } = call;
  call.told = toldBy(headers);
  const isGood = statusCode >= 200 && statusCode < 300;
  const forwarded = forwardedToClient(headers, audited.name);
  if (door.answer !== "text" || !isGood) {
    heard(call, answer);
    if (door.kind === "model") call.answer.form = isGood ? "numbers" : "error";
    return relay(call, answer, forwarded);
  }
  if ((headers["content-encoding"] ?? "identity") !== "identity") {
    throw unreadable(call, "a packed answer");
  }
  if (String(headers["content-type"]).startsWith("text/event-stream")) {
    withoutHeader(forwarded, "content-length");
    return passStream(call, answer, forwarded, hidesUsage);
  }
  return passWhole(call, answer, forwarded);
}

function toldBy(headers: Answer["headers"]): LitellmCall["told"] {
  const named = { cost: "response-cost", group: "model-group", modelId: "model-id" };
  const found = Object.entries(named).map(([name, header]) => [name, headers[`x-litellm-${header}`]]);
  return Object.fromEntries(found.filter(([, value]) => typeof value === "string"));
}

/** From here on it is LiteLLM's answer that the record tells of. */
export function heard(call: LitellmCall, { statusCode, headers }: Answer): void {
  call.status = statusCode;
  call.headers = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(", ") : (value ?? ""),
    ]),
  );
}

/** As it comes: errors, numbers, and what administrators get. */
async function relay(call: LitellmCall, { statusCode, body }: Answer, forwarded: string[]): Promise<Ended> {
  const { writer, answer, door } = call;
  // An administrator's answer may hold a key; of a refusal the type must be known, to tell which ones are of keys.
  const keeps = door.kind === "model" || statusCode >= 400;
  writer.head(statusCode, forwarded);
  for await (const piece of pieces(call, body)) {
    if (keeps) answer.add(piece);
    await writer.write(piece);
  }
  writer.end();
  await writer.flushed();
  const { json } = answer;
  if (statusCode < 400 && json !== null) call.said.hear(json);
  return { outcome: "completed", error: null, complete: true };
}

const TOO_LARGE: ApiError = {
  status: 502,
  type: "upstream_error",
  code: "answer_too_large",
  message: "The answer is larger than the platform can check. Ask for less, or for a stream.",
};

async function passWhole(call: LitellmCall, answer: Answer, forwarded: string[]): Promise<Ended> {
  const { gateway, writer, policy } = call;
  const bytes = await gathered(call, answer);
  if (policy === null) throw new Error("no policy");
  if (!isUtf8(bytes)) throw unreadable(call, "bytes that are no text");
  const text = bytes.toString("utf8");
  const body = parsed(text);
  if (isObject(body)) call.said.hear(body);
  const checked = await gateway.guard.answer(body, policy.pii);
  if (checked.outcome === "failed") throw unreadable(call, checked.cause);
  call.answerFindings = checked.findings;
  if (checked.outcome === "blocked") throw new RefusedRequest(checked.error, "blocked", "pii");
  heard(call, answer);
  call.answer.check(checked.findings.length > 0 ? checked.auditBody : body);
  const changed = typeof checked.body === "string" ? checked.body : JSON.stringify(checked.body);
  const out = checked.changed ? Buffer.from(changed) : bytes;
  withoutHeader(forwarded, "content-length");
  forwarded.push("content-length", String(out.length));
  writer.head(answer.statusCode, forwarded);
  if (out.length > 0) await writer.write(out);
  writer.end();
  await writer.flushed();
  return { outcome: "completed", error: null, complete: true };
}

/** What is no JSON is read as one text. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function gathered(call: LitellmCall, { headers, body }: Answer): Promise<Buffer> {
  const { budget, config } = call.gateway;
  const expected = Number(headers["content-length"] ?? 0);
  return boundedBody(pieces(call, body), expected, config.MAX_BUFFERED_BYTES, budget, () => {
    return new RefusedRequest(TOO_LARGE, "upstream_error", "answer_too_large");
  });
}
