/** The steps of one request through LiteLLM, in their order. Whatever stops one is thrown, and ends as an answer of ours. */
import type { Dispatcher } from "undici";
import { RefusedRequest } from "../gateway/refused-request.ts";
import { parseObject } from "../stream-assembly.ts";
import { askForUsage } from "../stream-usage.ts";
import * as TraceContext from "../trace-context.ts";
import { auditUnavailable } from "../upstream-failure.ts";
import { forwardedToLitellm } from "./crossing-headers.ts";
import type { Ended } from "./ended.ts";
import { type Answer, litellmFailed, passOn } from "./litellm-answer.ts";
import type { LitellmCall } from "./litellm-call.ts";
import { filter, identify, keepAdminCall, read, refuseAtTheDoor } from "./litellm-request.ts";

export async function serve(call: LitellmCall, continues: boolean): Promise<Ended> {
  const { door, audited, left } = call;
  refuseAtTheDoor(call);
  await read(call, continues);
  await identify(call);
  if (door.kind === "admin") keepAdminCall(call);
  const body = door.kind === "model" ? await filter(call) : call.body.bytes;
  if (door.audited && !(await audited.begin(call.facts())))
    throw new RefusedRequest(auditUnavailable(), "blocked", "audit_unavailable", { "retry-after": "1" });
  left.signal.throwIfAborted();
  const asking = usageAsked(call, body);
  const answer = await forward(call, asking ?? body);
  return passOn(call, answer, asking !== null);
}

/** The body that asks for a stream's usage, when the client's does not. */
function usageAsked({ door, json }: LitellmCall, body: Buffer): Buffer | null {
  if (door.kind !== "model" || json?.stream !== true) return null;
  // Of what is sent, in which something may be masked.
  const sent = parseObject(body.toString("utf8"));
  return sent && askForUsage(door.path, body, sent);
}

async function forward(call: LitellmCall, body: Buffer): Promise<Answer> {
  const { gateway, door, request, audited, left } = call;
  const headers = forwardedToLitellm(request.headers, audited.name, {
    plain: door.answer === "text",
    cookies: door.kind === "admin",
  });
  if (audited.trace) TraceContext.passOn(audited.trace, headers);
  if (body.length > 0) headers.push("content-length", String(body.length));
  if (door.kind === "model") audited.sent();
  try {
    const answer = await gateway.pool.request({
      method: request.method as Dispatcher.HttpMethod,
      path: gateway.litellmPath(call.url),
      headers,
      body: body.length > 0 ? body : null,
      signal: left.signal,
    });
    // Who reads it is told by the reading; an answer that nobody reads any more must not end the process.
    answer.body.on("error", () => {});
    return answer;
  } catch (problem) {
    throw litellmFailed(call, problem);
  }
}
