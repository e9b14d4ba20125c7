/** Records for tests: a typical chat of 2 KB in and 1 KB out, which a test changes where it matters. */
import type { AuditRecord } from "./audit-record.ts";
import { newRequestId } from "./request-id.ts";

/** JSON of about `bytes` bytes, as a client would send it. */
export function chatRequest(bytes: number) {
  const body = (content: string) => ({
    model: "ministral-8b-instruct",
    messages: [
      { role: "system", content: "You are a helpful assistant. Answer briefly." },
      { role: "user", content },
    ],
    max_tokens: 256,
    temperature: 0.2,
  });
  return body(words(bytes - JSON.stringify(body("")).length));
}

export function chatResponse(bytes: number) {
  const body = (content: string) => ({
    id: "chatcmpl-0f3a5b7c9d1e4f60",
    object: "chat.completion",
    created: 1795255200,
    model: "ministral-8b-instruct",
    choices: [{ index: 0, message: { role: "assistant", content }, logprobs: null, finish_reason: "stop" }],
    usage: { prompt_tokens: 498, completion_tokens: 170, total_tokens: 668 },
  });
  return body(words(bytes - JSON.stringify(body("")).length));
}

function words(length: number): string {
  return "the quick brown fox asks a model about the lazy dog and waits "
    .repeat(length / 62 + 1)
    .slice(0, length);
}

/** A UUIDv7 of the given time. */
export function requestIdAt(time: number): string {
  const hex = time.toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}${newRequestId().id.slice(13)}`;
}

export function sample(changes: Partial<AuditRecord> = {}): AuditRecord {
  const receivedAt = changes.receivedAt ?? "2026-11-21T10:00:00.000Z";
  return {
    schemaVersion: 1,
    requestId: requestIdAt(Date.parse(receivedAt)),
    clientRequestId: null,
    profile: "central",
    projectId: "smoke-test",
    userId: "jane.doe@example.com",
    requestType: "chat",
    identity: {
      method: "api-key",
      keyId: "3k9vq0x1zz",
      keyAlias: null,
      teamId: null,
      assertedUser: "jane.doe@example.com",
      matches: null,
    },
    receivedAt,
    completedAt: new Date(Date.parse(receivedAt) + 812).toISOString(),
    latencyMs: 812.437,
    queueTimeMs: 12.4,
    timeToFirstTokenMs: 95.118,
    statusCode: 200,
    outcome: "completed",
    error: null,
    http: {
      method: "POST",
      path: "/v1/chat/completions",
      clientIp: "203.0.113.9",
      userAgent: "OpenAI/JS 7.55.0",
      stream: true,
    },
    model: { requested: "ministral-8b-instruct", served: "ministral-8b-instruct", provider: "vllm" },
    usage: { promptTokens: 498, completionTokens: 170, totalTokens: 668, source: "provider" },
    cost: { usd: 0.004044, priceTable: "2026-11" },
    request: { headers: { "content-type": "application/json" }, body: chatRequest(2048), bytes: 2048 },
    response: {
      headers: { "content-type": "application/json" },
      body: chatResponse(1024),
      bytes: 1024,
      chunks: 0,
      complete: true,
    },
    policy: { hash: null, pii: [] },
    chain: { writer: "ip-10-0-3-17-1795255200000", sequence: 48_213, previousHash: null },
    ...changes,
  };
}
