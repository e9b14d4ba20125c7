/**
 * Audit objects of other versions than ours. Field names vary by writer (`project_id`, `projectId`, the header
 * `x-llm-source` …), numbers come as text, times in several notations; names are compared without case, `_` and `-`.
 */
import { AuditObjectError } from "./dead-letter.ts";
import { present, presentOrUnknown } from "./placeholder.ts";
import type { StoredRecord } from "./stored-record.ts";

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const plain = (name: string) => name.toLowerCase().replace(/[_-]/g, "");

/** An object whose fields are found by any spelling; the first named field that `read` understands wins. */
class Fields {
  readonly #values: Map<string, unknown>;
  constructor(value: unknown) {
    this.#values = new Map(isObject(value) ? Object.entries(value).map(([name, v]) => [plain(name), v]) : []);
  }
  get size(): number {
    return this.#values.size;
  }
  pick<T>(read: (value: unknown) => T | null, ...names: string[]): T | null {
    for (const name of names) {
      const found = read(this.#values.get(plain(name)));
      if (found !== null) return found;
    }
    return null;
  }
  fields(...names: string[]): Fields {
    return new Fields(this.pick((value) => (isObject(value) ? value : null), ...names));
  }
}

const any = (value: unknown) => value ?? null;

function number(value: unknown): number | null {
  const found = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof found === "number" && Number.isFinite(found) && found >= 0 ? found : null;
}

const integer = (value: unknown) => {
  const found = number(value);
  return found === null ? null : Math.round(found);
};

function status(value: unknown): number | null {
  const found = integer(typeof value === "string" ? value.trim().split(" ")[0] : value);
  return found !== null && found >= 100 && found <= 599 ? found : null;
}

const seconds = (value: unknown) => {
  const found = number(value);
  return found === null ? null : found * 1000;
};

function boolean(value: unknown): boolean | null {
  if (typeof value === "boolean") return value;
  const word = typeof value === "string" ? value.trim().toLowerCase() : value;
  if (word === "true" || word === 1 || word === "1") return true;
  return word === "false" || word === 0 || word === "0" ? false : null;
}

/** ISO 8601 (UTC when it names no zone, as Python's `utcnow().isoformat()` does not), epoch seconds or milliseconds. */
function time(value: unknown): string | null {
  const stamp = number(value);
  const date =
    stamp !== null
      ? new Date(stamp < 1e11 ? stamp * 1000 : stamp)
      : new Date(isoText(typeof value === "string" ? value.trim() : ""));
  const at = date.getTime();
  return at >= 0 && at < 253_402_300_800_000 ? date.toISOString() : null;
}

function isoText(text: string): string {
  const match = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)\s*(Z|[+-]\d{2}:?\d{2})?$/i.exec(
    text,
  );
  if (!match) return text;
  const [, day, clock = "", zone = "Z"] = match;
  const offset = /^[+-]\d{4}$/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone.toUpperCase();
  return `${day}T${clock.replace(/(\.\d{3})\d+$/, "$1")}${offset}`;
}

/** JSON bodies that the writer stored as text. */
function body(value: unknown): unknown {
  if (typeof value !== "string" || !/^\s*[{[]/.test(value)) return value ?? null;
  try {
    return JSON.parse(value);
  } catch {
    return value; // Cut or never JSON: kept as the text that it is.
  }
}

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

const object = (value: unknown) => (isObject(value) ? value : null);
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
