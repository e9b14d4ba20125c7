import { describe, expect, test } from "vitest";
import { sample } from "./audit-record-sample.ts";
import * as AuditRow from "./audit-row.ts";
import { AuditObjectError } from "./dead-letter.ts";
import * as StoredRecord from "./stored-record.ts";

const KEY = "logs/2025/11/10/req-1.json";
const read = (value: unknown, key = KEY, lastModified?: Date) =>
  StoredRecord.parse(JSON.stringify(value), { key, lastModified });

function reasonOf(body: string): string {
  try {
    StoredRecord.parse(body, { key: KEY });
  } catch (error) {
    if (error instanceof AuditObjectError) return error.reason;
    throw error;
  }
  return "none";
}

describe("version 1", () => {
  test("is read as it is", () => {
    const record = sample();
    const stored = read(record, `logs/2026/11/21/${record.requestId}.json`);
    expect(stored).toEqual({ ...record, legacy: false });
  });

  test("goes by the object's name when the body says another id", () => {
    const record = sample({ requestId: "wanted", clientRequestId: "wanted" });
    expect(read(record)).toMatchObject({ requestId: "req-1", clientRequestId: "wanted" });
  });

  test("with a missing and an unknown field is still read", () => {
    const { policy: _, ...rest } = sample({ projectId: "p1", userId: "u1" });
    const stored = read({ ...rest, later: { x: 1 } });
    expect(stored).toMatchObject({
      legacy: true,
      projectId: "p1",
      userId: "u1",
      schemaVersion: 1,
      statusCode: 200,
      latencyMs: 812.437,
      chain: { sequence: 48_213 },
    });
    expect(stored.request.body).toEqual(rest.request.body);
  });
});

describe("older writers", () => {
  test("header-derived fields in snake_case, numbers as text, a time without a zone (seed 001 §3.1)", () => {
    const stored = read({
      request_id: "told",
      timestamp: "2025-11-10T12:34:56.789123",
      headers: { "X-LLM-Source": "smoke-test", "x-llm-user": " qa ", "x-llm-request-type": "N/A" },
      request_body:
        '{"model":"ministral-8b-instruct","messages":[{"role":"user","content":"ping"}],"stream":true}',
      response_body: {
        model: "m",
        choices: [{ message: { content: "pong" } }],
        usage: { prompt_tokens: 3, completion_tokens: 1 },
      },
      latency_ms: "812.5",
      status_code: "200",
      gpu: "A100",
    });
    expect(stored).toMatchObject({
      requestId: "req-1",
      clientRequestId: "told",
      receivedAt: "2025-11-10T12:34:56.789Z",
      completedAt: "2025-11-10T12:34:57.602Z",
      projectId: "smoke-test",
      userId: "qa",
      requestType: "unknown",
      statusCode: 200,
      latencyMs: 812.5,
      outcome: "completed",
      http: { stream: true },
      usage: { promptTokens: 3, completionTokens: 1, totalTokens: 4, source: "provider" },
      model: { requested: "ministral-8b-instruct", served: "m" },
      legacy: true,
      schemaVersion: 0,
    });
    const row = AuditRow.fromStored(stored, { bucket: "b", key: KEY }, { maxPreviewChars: 2048 });
    expect(row).toMatchObject({
      promptPreview: "user: ping",
      responsePreview: "pong",
      flags: ["legacy"],
      requestIdPk: "req-1",
    });
    expect(row).not.toHaveProperty("gpu");
  });

  test("camelCase, epoch seconds, latency in seconds, bodies under request and response", () => {
    const stored = read({
      project: "p",
      user: "undefined",
      time: 1762778096.789,
      latencySeconds: 1.5,
      httpStatus: 429,
      request: { messages: [{ role: "user", content: "hi" }] },
      response: { error: { message: "slow down" } },
    });
    expect(stored).toMatchObject({
      projectId: "p",
      userId: "unknown",
      receivedAt: "2025-11-10T12:34:56.789Z",
      latencyMs: 1500,
      statusCode: 429,
      outcome: "rate_limited",
    });
    expect(stored.request.body).toEqual({ messages: [{ role: "user", content: "hi" }] });
    expect(stored.response.body).toEqual({ error: { message: "slow down" } });
  });

  test("without a time: that of the object, else the day in its name", () => {
    const at = new Date("2025-11-10T23:59:59.123Z");
    expect(read({ projectId: "p" }, KEY, at).receivedAt).toBe(at.toISOString());
    expect(read({ projectId: "p" }).receivedAt).toBe("2025-11-10T00:00:00.000Z");
  });

  test.each([
    ["2025-11-10 12:00:00", "2025-11-10T12:00:00.000Z"],
    ["2025-11-10T12:00:00+02:00", "2025-11-10T10:00:00.000Z"],
    ["2025-11-10T12:00:00.5+0200", "2025-11-10T10:00:00.500Z"],
    [1762776000000, "2025-11-10T12:00:00.000Z"],
    ["1762776000", "2025-11-10T12:00:00.000Z"],
    ["soon", "2025-11-10T00:00:00.000Z"],
    [-1, "2025-11-10T00:00:00.000Z"],
  ])("the time %s is %s", (timestamp, expected) => {
    expect(read({ projectId: "p", timestamp }).receivedAt).toBe(expected);
  });

  test("a missing status is 0; values out of their range are as good as missing", () => {
    expect(read({ projectId: "p", response: { body: "x" } })).toMatchObject({
      statusCode: 0,
      outcome: "completed",
    });
    expect(
      read({ projectId: "p", status: 99999, latency_ms: "fast", usage: { prompt_tokens: -5 } }),
    ).toMatchObject({ statusCode: 0, latencyMs: 0, usage: { source: "none" } });
  });
});

describe("what cannot be read has a reason, and the reason quotes nothing", () => {
  test.each([
    ['{"a":"SECRET', "malformed_json"],
    ["", "malformed_json"],
    ["[1,2]", "schema"],
    ["null", "schema"],
    ['"SECRET"', "schema"],
    ["{}", "schema"],
    ['{"foo":"SECRET","bar":1}', "schema"],
  ])("%s is %s", (body, reason) => {
    expect(reasonOf(body)).toBe(reason);
    expect(() => StoredRecord.parse(body, { key: KEY })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("SECRET") }),
    );
  });
});
