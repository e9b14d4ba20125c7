/**
 * Audit objects of other versions than ours. Field names vary by writer (`project_id`, `projectId`, the header
 * `x-llm-source` …), numbers come as text, times in several notations; names are compared without case, `_` and `-`.
 */
import { AuditObjectError } from "./dead-letter.ts";
import {
  any,
  body,
  boolean,
  Fields,
  integer,
  type Json,
  number,
  object,
  seconds,
  status,
  time,
} from "./loose-fields.ts";
import { present, presentOrUnknown } from "./placeholder.ts";
import type { StoredRecord } from "./stored-record.ts";

const stringHeaders = (value: Json | null): Record<string, string> =>
  Object.fromEntries(
    Object.entries(value ?? {})
      .filter((entry): entry is [string, string] => typeof entry[1] === "string")
      .map(([name, text]) => [name.toLowerCase(), text]),
  );

function outcomeOf(statusCode: number, answered: boolean): StoredRecord["outcome"] {
  if (statusCode === 0) return answered ? "completed" : "interrupted";
  if (statusCode === 429) return "rate_limited";
  if (statusCode === 499) return "client_aborted";
  if (statusCode >= 500) return "upstream_error";
  return statusCode >= 400 ? "client_error" : "completed";
}

const KNOWN_OUTCOMES =
  /^(completed|client_error|blocked|rate_limited|upstream_error|client_aborted|interrupted)$/;

const bytesOf = (value: unknown) =>
  value === null ? 0 : Buffer.byteLength(typeof value === "string" ? value : JSON.stringify(value));

/**
 * @param fallback the id in the object's name, which is authoritative, and the time when the record tells none
 * @throws {AuditObjectError} `schema` when nothing in it is an audit record's, or it has no id or time at all
 */
export function read(
  json: Json,
  fallback: { requestId: string | null; receivedAt: Date | null },
): StoredRecord {
  const top = new Fields(json);
  const request = top.fields("request", "req");
  const response = top.fields("response", "res");
  const http = top.fields("http");
  const requestHeaders = stringHeaders(
    request.pick(object, "headers") ?? top.pick(object, "headers", "requestHeaders", "header"),
  );
  const header = new Fields(requestHeaders);
  const requestBody = body(
    request.pick(any, "body", "json", "payload") ??
      top.pick(any, "requestBody", "payload", "prompt") ??
      (header.size === 0 && !request.pick(any, "method") ? top.pick(any, "request", "messages") : null),
  );
  const responseBody = body(
    response.pick(any, "body", "json", "payload") ??
      top.pick(any, "responseBody", "completion") ??
      (response.pick(any, "headers", "status", "statusCode") === null ? top.pick(any, "response") : null),
  );
  const asked = new Fields(requestBody);
  const answer = new Fields(responseBody);
  const statusCode =
    top.pick(status, "statusCode", "status", "httpStatus", "responseStatus") ??
    response.pick(status, "statusCode", "status") ??
    http.pick(status, "statusCode", "status") ??
    0;
  const project =
    top.pick(present, "projectId", "project", "source", "llmSource", "xLlmSource") ??
    header.pick(present, "xLlmSource");
  const user =
    top.pick(present, "userId", "user", "llmUser", "xLlmUser") ??
    header.pick(present, "xLlmUser") ??
    asked.pick(present, "user");
  const toldId = top.pick(present, "requestId", "id", "xRequestId") ?? header.pick(present, "xRequestId");
  const toldTime = top.pick(
    time,
    "receivedAt",
    "timestamp",
    "ts",
    "time",
    "createdAt",
    "startedAt",
    "startTime",
    "requestTime",
    "date",
  );
  if (requestBody === null && responseBody === null && !statusCode && !project && !user && !toldTime) {
    throw new AuditObjectError("schema", "none of its fields is an audit record's");
  }
  const requestId = fallback.requestId ?? toldId;
  const receivedAt = toldTime ?? fallback.receivedAt?.toISOString();
  if (!requestId || !receivedAt) throw new AuditObjectError("schema", "it has no request id or no time");

  const latencyMs =
    top.pick(number, "latencyMs", "durationMs", "elapsedMs", "latency") ??
    top.pick(seconds, "latencySeconds", "latencyS", "durationSeconds", "durationS", "duration", "elapsed") ??
    0;
  const reported = top.fields("usage");
  const usage = reported.size > 0 ? reported : answer.fields("usage");
  const promptTokens = usage.pick(integer, "promptTokens", "inputTokens");
  const completionTokens = usage.pick(integer, "completionTokens", "outputTokens");
  const model = top.fields("model");
  const identity = top.fields("identity");
  const cost = top.fields("cost");
  const usd = cost.pick(number, "usd");
  const chain = top.fields("chain");
  const writer = chain.pick(present, "writer");
  const sequence = chain.pick(integer, "sequence");
  return {
    legacy: true,
    schemaVersion: top.pick(integer, "schemaVersion", "version") ?? 0,
    requestId,
    clientRequestId: top.pick(present, "clientRequestId") ?? (toldId === requestId ? null : toldId),
    profile: top.pick((value) => (value === "central" || value === "gateway" ? value : null), "profile"),
    projectId: presentOrUnknown(project),
    userId: presentOrUnknown(user),
    requestType: presentOrUnknown(
      top.pick(present, "requestType", "llmRequestType", "xLlmRequestType") ??
        header.pick(present, "xLlmRequestType"),
    ),
    identity: {
      method: "none",
      keyId: identity.pick(present, "keyId") ?? top.pick(present, "apiKeyId", "keyId"),
      keyAlias: identity.pick(present, "keyAlias"),
      teamId: identity.pick(present, "teamId") ?? top.pick(present, "teamId"),
      assertedUser: identity.pick(present, "assertedUser"),
      matches: identity.pick(boolean, "matches"),
    },
    receivedAt,
    completedAt:
      top.pick(time, "completedAt", "endTime", "finishedAt") ??
      new Date(Date.parse(receivedAt) + Math.round(latencyMs)).toISOString(),
    latencyMs,
    queueTimeMs: top.pick(number, "queueTimeMs"),
    timeToFirstTokenMs: top.pick(number, "timeToFirstTokenMs", "ttftMs", "ttft"),
    statusCode,
    outcome:
      (top.pick((v) => (typeof v === "string" && KNOWN_OUTCOMES.test(v) ? v : null), "outcome") as
        | StoredRecord["outcome"]
        | null) ?? outcomeOf(statusCode, responseBody !== null),
    error: null,
    http: {
      method:
        http.pick(present, "method") ??
        request.pick(present, "method") ??
        top.pick(present, "method") ??
        "POST",
      path:
        http.pick(present, "path") ??
        request.pick(present, "path", "url") ??
        top.pick(present, "path", "endpoint", "url") ??
        "",
      clientIp: http.pick(present, "clientIp") ?? top.pick(present, "clientIp", "sourceIp"),
      userAgent: http.pick(present, "userAgent") ?? header.pick(present, "userAgent"),
      stream:
        http.pick(boolean, "stream") ??
        top.pick(boolean, "stream", "streaming") ??
        asked.pick(boolean, "stream") ??
        false,
    },
    model: {
      requested:
        model.pick(present, "requested") ??
        top.pick(present, "model", "modelId") ??
        asked.pick(present, "model"),
      served: model.pick(present, "served") ?? answer.pick(present, "model"),
      provider: model.pick(present, "provider") ?? top.pick(present, "provider") ?? "unknown",
    },
    usage: {
      promptTokens: promptTokens ?? 0,
      completionTokens: completionTokens ?? 0,
      totalTokens: usage.pick(integer, "totalTokens") ?? (promptTokens ?? 0) + (completionTokens ?? 0),
      source: promptTokens === null && completionTokens === null ? "none" : "provider",
    },
    cost: usd === null ? null : { usd, priceTable: cost.pick(present, "priceTable") ?? "unknown" },
    request: {
      headers: requestHeaders,
      body: requestBody,
      bytes: request.pick(integer, "bytes") ?? bytesOf(requestBody),
    },
    response: {
      headers: stringHeaders(response.pick(object, "headers") ?? top.pick(object, "responseHeaders")),
      body: responseBody,
      bytes: response.pick(integer, "bytes") ?? bytesOf(responseBody),
      chunks: response.pick(integer, "chunks") ?? 0,
      complete: response.pick(boolean, "complete") ?? true,
    },
    policy: { hash: null, pii: [] },
    chain:
      writer && sequence ? { writer, sequence, previousHash: chain.pick(present, "previousHash") } : null,
  };
}
