/** LiteLLM's stream on its way to the client, event by event. */
import type { ApiError } from "@central-llm/core/api-error";
import { RefusedRequest } from "../gateway/refused-request.ts";
import { assembleStream } from "../stream-assembly.ts";
import { CheckedStream, type Passed } from "./checked-stream.ts";
import type { Ended } from "./ended.ts";
import { type Answer, heard, pieces, unreadable } from "./litellm-answer.ts";
import type { LitellmCall } from "./litellm-call.ts";

const BROKEN = { type: "upstream_error", message: "LiteLLM reported an error in the middle of its stream." };

export async function passStream(
  call: LitellmCall,
  answer: Answer,
  forwarded: string[],
  hidesUsage: boolean,
): Promise<Ended> {
  const { gateway, door, policy } = call;
  if (policy === null) throw new Error("no policy");
  call.answer.form = "stream";
  if (!gateway.guard.streams) return passStreamWhole(call, answer, forwarded);
  heard(call, answer);
  const checked = new CheckedStream(door, policy.pii, hidesUsage);
  call.stream = checked;
  call.writer.head(answer.statusCode, forwarded);
  for await (const piece of pieces(call, answer.body)) {
    call.answer.add(piece);
    const stopped = await send(call, checked.push(piece));
    // Leaving the loop ends the call at LiteLLM too.
    if (stopped) return end(call, stopped);
  }
  return end(call, await send(call, checked.end()));
}

/** @returns how it ended, when the filter stopped it */
async function send(
  { writer, gateway, audited }: LitellmCall,
  { bytes, stop }: Passed,
): Promise<Ended | null> {
  if (bytes.length > 0) await writer.write(bytes.length === 1 ? (bytes[0] as Buffer) : Buffer.concat(bytes));
  if (stop === null) return null;
  gateway.log.warn({ requestId: audited.name, cause: stop.cause ?? "pii" }, "The filter ended a stream");
  const { type, message } = stop.error;
  return { outcome: "blocked", error: { type, message }, complete: false };
}

async function end({ writer, said }: LitellmCall, stopped: Ended | null): Promise<Ended> {
  writer.end();
  await writer.flushed();
  if (stopped) return stopped;
  if (said.failed) return { outcome: "upstream_error", error: BROKEN, complete: false };
  return { outcome: "completed", error: null, complete: true };
}

const NOT_MASKED: ApiError = {
  status: 400,
  type: "invalid_request_error",
  code: "pii_blocked",
  message:
    "The answer holds data that the policy of this platform masks, which it can do only in an answer in one piece.",
};

/** The guardrail reads whole texts: the stream is checked when all of it is there, and sent as it came or not at all. */
async function passStreamWhole(call: LitellmCall, answer: Answer, forwarded: string[]): Promise<Ended> {
  const { gateway, policy, writer } = call;
  if (policy === null) throw new Error("no policy");
  const all: Buffer[] = [];
  let length = 0;
  for await (const piece of pieces(call, answer.body)) {
    call.answer.add(piece);
    all.push(piece);
    length += piece.length;
    if (length > gateway.config.MAX_BUFFERED_BYTES) throw unreadable(call, "a stream too large to be held");
  }
  const bytes = Buffer.concat(all);
  const whole = assembleStream(bytes.toString("utf8"));
  if (whole === null) throw unreadable(call, "a stream of no known kind");
  call.said.hear(whole);
  const checked = await gateway.guard.answer(whole, policy.pii);
  if (checked.outcome === "failed") throw unreadable(call, checked.cause);
  call.answerFindings = checked.findings;
  call.answer.check(checked.auditBody);
  if (checked.outcome === "blocked") throw new RefusedRequest(checked.error, "blocked", "pii");
  if (checked.changed) throw new RefusedRequest(NOT_MASKED, "blocked", "pii");
  heard(call, answer);
  writer.head(answer.statusCode, forwarded);
  await writer.write(bytes);
  return end(call, null);
}
