/** From a spool frame to the bytes of an audit object (core's `AuditRecord`, version 1). */
import { hash } from "node:crypto";
import { type AuditRecord, SCHEMA_VERSION } from "@central-llm/core/audit-record";
import { cost } from "@central-llm/core/price";
import { type AuditedBody, auditedBody, auditedStream, unpack } from "./audited-body.ts";
import type { Frame } from "./spool-frame.ts";
import type { EndMeta } from "./spool-record.ts";
import { isObject } from "./stream-assembly.ts";

export interface AuditObject {
  bytes: Buffer;
  /** Of the bytes, in hex: the link of the chain. */
  sha256: string;
  model: string | null;
  usage: AuditRecord["usage"];
}

/**
 * The same frame and chain give the same bytes, always: an upload that is tried again after a crash must meet its own
 * object, and the next object's hash must still hold.
 */
export function auditObject(frame: Frame, meta: EndMeta, chain: AuditRecord["chain"]): AuditObject {
  const request = auditedBody(frame.request, {
    wholeSha256: meta.requestSha256,
    held: meta.requestHeld,
    json: meta.requestKind === "json",
  });
  const response = responseBody(frame.response, meta);
  const usage = meta.call?.usage ?? readUsage(response.parsed);
  const served = meta.call ? meta.call.served : response.parsed?.model;
  const model = typeof served === "string" ? served : null;
  const head = JSON.stringify({
    schemaVersion: SCHEMA_VERSION,
    requestId: meta.name,
    clientRequestId: meta.clientRequestId,
    profile: meta.profile,
    projectId: meta.projectId,
    userId: meta.userId,
    requestType: meta.requestType,
    identity: meta.identity,
    receivedAt: new Date(meta.receivedAt).toISOString(),
    completedAt: new Date(meta.completedAt).toISOString(),
    latencyMs: meta.latencyMs,
    queueTimeMs: meta.queueTimeMs,
    timeToFirstTokenMs: meta.timeToFirstTokenMs,
    statusCode: meta.statusCode,
    outcome: meta.outcome,
    error: meta.error,
    http: meta.http,
    model: {
      requested: meta.model.requested,
      served: model,
      provider: meta.call?.provider ?? meta.model.provider,
    },
    usage,
    cost: meta.call ? meta.call.cost : costOf(usage, model, meta),
  } satisfies Omit<AuditRecord, "request" | "response" | "policy" | "chain">);
  const tail = JSON.stringify({ policy: meta.policy, trace: meta.trace, chain });
  const bytes = Buffer.concat([
    Buffer.from(`${head.slice(0, -1)},"request":{"headers":${JSON.stringify(meta.requestHeaders)},"body":`),
    asBuffer(request.json),
    Buffer.from(
      `${facts(request, meta.requestBytes)}},"response":{"headers":${JSON.stringify(meta.responseHeaders)},"body":`,
    ),
    asBuffer(response.json),
    Buffer.from(
      `${facts(response, meta.responseBytes)},"chunks":${meta.responseChunks},"complete":${meta.responseComplete}},${tail.slice(1)}`,
    ),
  ]);
  return {
    bytes,
    sha256: hash("sha256", bytes, "hex"),
    model: model ?? meta.model.requested,
    usage,
  };
}

function costOf(usage: AuditRecord["usage"], served: string | null, { model }: EndMeta): AuditRecord["cost"] {
  return usage.source === "none" ? null : cost(usage, served ?? model.requested ?? "", model.provider);
}

const asBuffer = (json: Buffer | string) => (typeof json === "string" ? Buffer.from(json) : json);

function facts(body: AuditedBody, bytes: number): string {
  const { encoding, sha256, truncated } = body;
  return `,${JSON.stringify({ encoding, bytes, sha256, truncated }).slice(1, -1)}`;
}

function responseBody(captured: Buffer, meta: EndMeta): AuditedBody {
  if (meta.responseHeld) return auditedBody(captured, { held: meta.responseHeld, json: true });
  const type = meta.responseHeaders["content-type"] ?? "";
  const coding = meta.responseHeaders["content-encoding"];
  const plain = coding === undefined ? captured : unpack(captured, coding);
  const json = /^application\/(?:[\w.-]+\+)?json\b/i.test(type);
  if (plain === null || (coding !== undefined && meta.responseSha256 !== undefined)) {
    return auditedBody(captured, { wholeSha256: meta.responseSha256, json: false });
  }
  const body = type.startsWith("text/event-stream")
    ? auditedStream(plain, {
        wholeSha256: meta.responseSha256,
        usageHidden: meta.usageHidden === true,
        complete: meta.responseComplete,
      })
    : auditedBody(plain, { wholeSha256: meta.responseSha256, json });
  // Size and hash are those on the wire, packed.
  return coding === undefined ? body : { ...body, sha256: auditedBody(captured, { json: false }).sha256 };
}

const count = (value: unknown) =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;

/** OpenAI's names for completions, and those of its responses API. */
function readUsage(body: Record<string, unknown> | null): AuditRecord["usage"] {
  const usage = body?.usage;
  if (!isObject(usage)) return { promptTokens: 0, completionTokens: 0, totalTokens: 0, source: "none" };
  const promptTokens = count(usage.prompt_tokens) ?? count(usage.input_tokens) ?? 0;
  const completionTokens = count(usage.completion_tokens) ?? count(usage.output_tokens) ?? 0;
  const totalTokens =
    count(usage.total_tokens) ?? Math.min(promptTokens + completionTokens, Number.MAX_SAFE_INTEGER);
  return { promptTokens, completionTokens, totalTokens, source: "provider" };
}
