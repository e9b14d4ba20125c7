/** The end of a request's record: what LiteLLM's answer was, what it used, and what it cost. */
import type { KeptBody } from "../gateway/audited-call.ts";
import type { Ended } from "./ended.ts";
import type { LitellmCall } from "./litellm-call.ts";

/** @param own an answer of ours, in place of LiteLLM's */
export function writeEnd(call: LitellmCall, ended: Ended, own: Buffer | null): void {
  const { answer, audited, answerFindings, gateway, headers, said, stream, told, writer } = call;
  const served = said.model ?? told.modelId ?? null;
  // Also of an answer that the filter kept back: LiteLLM has booked it.
  const cost = said.cost(told.cost, [served, call.model]);
  if (cost !== null) gateway.counts.spend.inc({ model: told.group ?? "unknown" }, cost.usd);
  const body: KeptBody = own
    ? { bytes: own, kind: "json" }
    : answer.kept(writer.sha256(), answerFindings.length > 0);
  audited.end(
    {
      status: call.status,
      ...ended,
      headers,
      body,
      bodyBytes: own ? own.length : writer.sentBytes,
      chunks: stream ? writer.chunks : 0,
      firstByteAt: stream ? writer.firstByteAt : null,
      call: { served, usage: said.usage, cost },
      policy: call.auditPolicy,
    },
    () => call.facts(),
  );
}
