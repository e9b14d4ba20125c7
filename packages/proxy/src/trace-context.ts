/**
 * The trace that a request belongs to (W3C Trace Context, `traceparent`). All that telemetry does on the data path: without it
 * and without the header this is one look at a header. Spans are made by the uploader's thread: gen-ai-telemetry.ts.
 */
import { randomBytes } from "node:crypto";
import type { AuditRecord } from "@central-llm/core/audit-record";
import { withoutHeader } from "./header-policy.ts";
import type { TelemetrySettings } from "./telemetry-settings.ts";

export type Trace = NonNullable<AuditRecord["trace"]>;

/** Version 00; of later ones the first four parts, as the specification asks. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
const ZEROS = /^0+$/;

/**
 * @param header `traceparent` as the client sent it; one that is not valid counts as none
 * @param telemetry null when it is off: then a client's trace is only noted
 * @returns null when there is nothing to note
 */
export function traceOf(header: unknown, telemetry: TelemetrySettings | null): Trace | null {
  if (header === undefined && telemetry === null) return null;
  const match = typeof header === "string" ? TRACEPARENT.exec(header) : null;
  const [, traceId = "", parent = "", flags = "00"] = match ?? [];
  const parentSpanId = match && !ZEROS.test(traceId) && !ZEROS.test(parent) ? parent : null;
  const sampled = parentSpanId === null ? null : (Number.parseInt(flags, 16) & 1) === 1;
  if (telemetry === null)
    return sampled === null ? null : { traceId, spanId: null, parentSpanId, sampled: false };
  const id = sampled === null ? randomBytes(16).toString("hex") : traceId;
  const spanId = randomBytes(8).toString("hex");
  return { traceId: id, spanId, parentSpanId, sampled: isSampled(telemetry, id, sampled) };
}

/** @param parent whether the caller's own span is; null when there is none */
function isSampled(
  { sampler, ratio, traces }: TelemetrySettings,
  traceId: string,
  parent: boolean | null,
): boolean {
  if (traces === null) return parent ?? false;
  if (parent !== null && sampler.startsWith("parentbased_")) return parent;
  if (sampler.endsWith("always_on")) return true;
  if (sampler.endsWith("always_off")) return false;
  // By the identifier, so that every process of a trace decides alike.
  return Number.parseInt(traceId.slice(-13), 16) < ratio * 2 ** 52;
}

/**
 * Makes our span the upstream's parent. A client's own header goes on as it is while telemetry is off.
 * @param headers names and values in turn
 */
export function passOn({ traceId, spanId, parentSpanId, sampled }: Trace, headers: string[]): void {
  if (spanId === null) return;
  withoutHeader(headers, "traceparent");
  // Vendors' state belongs to the trace that we go on with, or to none.
  if (parentSpanId === null) withoutHeader(headers, "tracestate");
  headers.push("traceparent", `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`);
}
