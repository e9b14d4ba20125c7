/**
 * The time until a request was first sent to a model, as its record has it. What is expected follows from what came before what,
 * on this process's clock; nothing depends on how fast the machine is.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { AuditRecord } from "@central-llm/core/audit-record";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { GatewayBench } from "./testing/gateway-bench.ts";
import { HEADERS, ProxyBench } from "./testing/proxy-bench.ts";
import { RawClient } from "./testing/raw-client.ts";

/** Long beside what a request takes here, so that the sides of a wait can be told apart. */
const WAIT_MS = 120;
/** Of the record's tenths of milliseconds, and of a timer that rings early. */
const ROUNDED_MS = 2;

const behindTheQueue = ({ latencyMs, queueTimeMs }: AuditRecord) =>
  latencyMs - (queueTimeMs ?? Number.POSITIVE_INFINITY);

/** Posts a body that is sent only some time after the request was received. @returns how long it was kept back at least */
async function postSlowly(port: number, headers: Record<string, string>, body: string): Promise<number> {
  const client = await RawClient.connect(port);
  const lines = Object.entries({
    ...headers,
    "content-type": "application/json",
    "content-length": String(body.length),
    expect: "100-continue",
    connection: "close",
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  client.send(`POST /v1/chat/completions HTTP/1.1\r\nhost: p\r\n${lines.join("")}\r\n`);
  await client.until((text) => text.includes("100 Continue"));
  const received = performance.now();
  await delay(WAIT_MS);
  const kept = performance.now() - received;
  client.send(body);
  await client.closed;
  expect(client.text).toContain("HTTP/1.1 200 OK");
  return kept;
}

describe("central", () => {
  let bench: ProxyBench;
  beforeAll(async () => {
    bench = await ProxyBench.start();
  });
  afterAll(() => bench.stop());
  afterEach(() => bench.upstream.reset());

  test("a body that comes slowly is waited for in the queue", async () => {
    const id = bench.newId();
    const kept = await postSlowly(bench.port, { ...HEADERS, "x-request-id": id }, '{"model":"demo"}');
    const { queueTimeMs } = await bench.record(id);
    expect(queueTimeMs).toBeGreaterThanOrEqual(kept - ROUNDED_MS);
  });

  test("an upstream that answers late is not", async () => {
    let waited = 0;
    bench.upstream.script = async (call) => {
      const received = performance.now();
      await delay(WAIT_MS);
      waited = performance.now() - received;
      call.beginChunked();
      call.chunk("data: [DONE]\n\n");
      call.endChunked();
    };
    const id = bench.newId();
    await (await bench.post({ model: "demo", stream: true }, { headers: { "x-request-id": id } })).text();
    const record = await bench.record(id);
    expect(record.queueTimeMs).toBeGreaterThanOrEqual(0);
    expect(behindTheQueue(record)).toBeGreaterThanOrEqual(waited - ROUNDED_MS);
    expect(record.queueTimeMs).toBeLessThanOrEqual(record.timeToFirstTokenMs ?? 0);
  });

  test("a request that no model was sent has none", async () => {
    const id = bench.newId();
    const refused = await bench.post("{not JSON", { headers: { "x-request-id": id } });
    expect(refused.status).toBe(400);
    expect((await bench.record(id)).queueTimeMs).toBeNull();
    expect(bench.upstream.calls).toHaveLength(0);
  });
});

describe("gateway", () => {
  let bench: GatewayBench;
  beforeAll(async () => {
    bench = await GatewayBench.start();
  });
  afterAll(() => bench?.stop());
  afterEach(() => bench.standIn.clearFaults());

  const ask = { model: "claude-3-5-sonnet", messages: [{ role: "user", content: "Hello" }] };
  const chat = async (key: string, more: object = {}) => {
    const response = await bench.call("POST", "/v1/chat/completions", { ...ask, ...more }, { key });
    await response.text();
    return { status: response.status, record: await bench.record(response.headers.get("x-request-id")) };
  };

  test("a body that comes slowly is waited for in the queue", async () => {
    const { key } = await bench.key();
    const id = "queued-slowly";
    const headers = { authorization: `Bearer ${key}`, "x-request-id": id };
    const kept = await postSlowly(bench.port, headers, JSON.stringify(ask));
    expect((await bench.record(id)).queueTimeMs).toBeGreaterThanOrEqual(kept - ROUNDED_MS);
  });

  test.each([false, true])("a provider that answers late is not; stream: %s", async (stream) => {
    const { key } = await bench.key();
    bench.standIn.fail({ delayMs: WAIT_MS });
    const { record } = await chat(key, { stream });
    expect(record.queueTimeMs).toBeGreaterThan(0);
    expect(behindTheQueue(record)).toBeGreaterThanOrEqual(WAIT_MS - ROUNDED_MS);
    if (stream) expect(record.queueTimeMs).toBeLessThanOrEqual(record.timeToFirstTokenMs ?? 0);
  });

  test("of several attempts the first one counts", async () => {
    const { key } = await bench.key();
    bench.standIn.fail({ error: "ServiceUnavailableException", delayMs: WAIT_MS });
    const { record, status } = await chat(key);
    expect(status).toBe(200);
    expect(behindTheQueue(record)).toBeGreaterThanOrEqual(WAIT_MS - ROUNDED_MS);
  });

  test("a call that was refused has none", async () => {
    const { key } = await bench.key({ models: ["another-model"] });
    const { record, status } = await chat(key);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(record.queueTimeMs).toBeNull();
  });
});
