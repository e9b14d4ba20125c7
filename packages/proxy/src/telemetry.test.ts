/** OpenTelemetry against a receiver of OTLP over HTTP: traces through the proxy, metrics and content by the GenAI conventions, and nothing when off. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseConfig } from "./config.ts";
import { OtlpReceiver } from "./testing/otlp-receiver.ts";
import { eventually, ProxyBench } from "./testing/proxy-bench.ts";
import { traceOf } from "./trace-context.ts";

let bench: ProxyBench;
let collector: OtlpReceiver;
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const QUESTION = {
  model: "demo",
  max_tokens: 7,
  temperature: 0.5,
  messages: [
    { role: "system", content: "Be brief." },
    { role: "user", content: [{ type: "text", text: "a planted question" }] },
  ],
};
const ANSWER = {
  id: "c1",
  object: "chat.completion",
  model: "demo-2",
  choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "a planted answer" } }],
  usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 },
};

beforeEach(async () => {
  bench = await ProxyBench.prepare();
  collector = await OtlpReceiver.start();
});
afterEach(async () => {
  await bench.stop();
  await collector.stop();
});

const settings = (more: Record<string, string> = {}) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
  OTEL_BSP_SCHEDULE_DELAY: "50",
  OTEL_METRIC_EXPORT_INTERVAL: "50",
  ...more,
});

async function call(body: object = QUESTION, headers: Record<string, string> = {}, path?: string) {
  const id = bench.newId();
  const response = await bench.post(body, {
    headers: { "x-request-id": id, ...headers },
    ...(path && { path }),
  });
  await response.text();
  return { status: response.status, record: await bench.record(id) };
}
const spansOf = async (count: number) => {
  await eventually(() => collector.spans.length >= count, `${count} spans`);
  return collector.spans;
};
const header = () => bench.upstream.calls.at(-1)?.headers.get("traceparent");

describe("on", () => {
  test("a client's trace goes through the proxy's span to the model, and both are on the record", async () => {
    bench.upstream.script = (one) => one.json200(ANSWER);
    await bench.startProcess(settings({ OTEL_SERVICE_NAME: "llm", OTEL_RESOURCE_ATTRIBUTES: "team=a" }));
    const { record } = await call(QUESTION, {
      traceparent: `00-${TRACE}-${PARENT}-01`,
      tracestate: "vendor=1",
    });
    const { spanId } = record.trace ?? {};
    expect(record.trace).toEqual({ traceId: TRACE, spanId, parentSpanId: PARENT, sampled: true });
    expect(header()).toBe(`00-${TRACE}-${spanId}-01`);
    expect(bench.upstream.calls.at(-1)?.headers.get("tracestate")).toBe("vendor=1");
    const [span] = await spansOf(1);
    expect(span).toMatchObject({
      traceId: TRACE,
      spanId,
      parentSpanId: PARENT,
      name: "chat demo",
      kind: 3,
      status: 0,
      resource: { "service.name": "llm", team: "a" },
      attributes: {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "demo",
        "gen_ai.response.model": "demo-2",
        "gen_ai.request.max_tokens": 7,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.response.id": "c1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 3,
        "http.response.status_code": 200,
        "central_llm.request.id": record.requestId,
        "central_llm.project.id": "hazards",
      },
    });
    expect(span?.start).toBe(Date.parse(record.receivedAt));
    expect((span?.end ?? 0) - (span?.start ?? 0)).toBeCloseTo(record.latencyMs, 1);
    // Of content, only what was asked for: here nothing.
    expect(JSON.stringify(collector.spans)).not.toContain("planted");
  });

  test("without a trace of the client's it begins one; a broken header counts as none", async () => {
    bench.upstream.script = (one) => one.json200(ANSWER);
    await bench.startProcess(settings());
    const { record } = await call(QUESTION, {
      traceparent: "00-zz",
      tracestate: "vendor=1",
      "x-other": "traceparent",
    });
    expect(record.trace).toMatchObject({ parentSpanId: null, sampled: true });
    expect(header()).toBe(`00-${record.trace?.traceId}-${record.trace?.spanId}-01`);
    const { headers } = bench.upstream.calls.at(-1) ?? {};
    // The state of a trace that we do not go on with does not go on; a value that reads like a name stays a value.
    expect([headers?.get("tracestate"), headers?.get("x-other")]).toEqual([undefined, "traceparent"]);
    const [span] = await spansOf(1);
    expect(span?.parentSpanId ?? "").toBe("");
  });

  test("who does not sample a trace gets no span, and the model is told so", async () => {
    bench.upstream.script = (one) => one.json200(ANSWER);
    await bench.startProcess(settings());
    const { record } = await call(QUESTION, { traceparent: `00-${TRACE}-${PARENT}-00` });
    expect(record.trace).toMatchObject({ traceId: TRACE, sampled: false });
    expect(header()).toBe(`00-${TRACE}-${record.trace?.spanId}-00`);
    await call();
    expect(await spansOf(1)).toHaveLength(1);
  });

  test("metrics by operation, model and error: duration, first chunk, tokens", async () => {
    bench.upstream.script = (one) => {
      if (one.json.model === "broken")
        return one.answer(500, { "content-type": "application/json" }, '{"error":{}}');
      if (!one.json.stream) return one.json200(ANSWER);
      one.beginChunked();
      one.chunk(`data: ${JSON.stringify({ ...ANSWER, object: "chat.completion.chunk", choices: [] })}\n\n`);
      one.chunk("data: [DONE]\n\n");
      one.endChunked();
    };
    await bench.startProcess(settings({ OTEL_TRACES_EXPORTER: "none" }));
    await call();
    await call({ ...QUESTION, stream: true });
    await call({ model: "broken", input: "x" }, {}, "/v1/embeddings");
    const total = (name: string, of: Record<string, unknown> = {}) =>
      collector.points
        .filter(
          (point) =>
            point.name === name &&
            Object.entries(of).every(([key, value]) => point.attributes[key] === value),
        )
        .reduce((sum, point) => ({ count: sum.count + point.count, sum: sum.sum + point.sum }), {
          count: 0,
          sum: 0,
        });
    await eventually(
      () => total("gen_ai.client.operation.duration").count >= 3,
      "three calls in the metrics",
    );
    expect(total("gen_ai.client.operation.duration", { "gen_ai.operation.name": "chat" }).count).toBe(2);
    expect(
      total("gen_ai.client.operation.duration", {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.request.model": "broken",
        "error.type": "500",
      }).count,
    ).toBe(1);
    expect(total("gen_ai.client.operation.time_to_first_chunk").count).toBe(1);
    expect(total("gen_ai.client.token.usage", { "gen_ai.token.type": "input" })).toEqual({
      count: 2,
      sum: 24,
    });
    expect(total("gen_ai.client.token.usage", { "gen_ai.token.type": "output" })).toEqual({
      count: 2,
      sum: 6,
    });
    expect(new Set(collector.points.map(({ unit }) => unit))).toEqual(new Set(["s", "{token}"]));
    expect(collector.spans).toEqual([]);
  });

  test("content when it is asked for; a span that says what failed; the last ones before it ends", async () => {
    bench.upstream.script = (one) =>
      one.json.model === "broken"
        ? one.answer(503, { "content-type": "application/json" }, '{"error":{"message":"away"}}')
        : one.json200(ANSWER);
    const proxy = await bench.startProcess(
      settings({
        OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: "true",
        OTEL_BSP_SCHEDULE_DELAY: "60000",
      }),
    );
    await call();
    await call({ ...QUESTION, model: "broken" });
    expect(collector.spans).toEqual([]);
    expect(await proxy.kill("SIGTERM")).toBe(0);
    const [answered, failed] = collector.spans.toSorted((a, b) => a.start - b.start);
    expect(JSON.parse(String(answered?.attributes["gen_ai.input.messages"]))).toEqual([
      { role: "system", parts: [{ type: "text", content: "Be brief." }] },
      { role: "user", parts: [{ type: "text", content: "a planted question" }] },
    ]);
    expect(JSON.parse(String(answered?.attributes["gen_ai.output.messages"]))).toEqual([
      { role: "assistant", parts: [{ type: "text", content: "a planted answer" }], finish_reason: "stop" },
    ]);
    expect(failed).toMatchObject({
      status: 2,
      attributes: { "http.response.status_code": 503, "error.type": "503" },
    });
  });

  test("protobuf is the protocol unless another is named; a collector that is away changes nothing for clients", async () => {
    bench.upstream.script = (one) => one.json200(ANSWER);
    await bench.startProcess(settings({ OTEL_EXPORTER_OTLP_PROTOCOL: "" }));
    await call();
    await eventually(
      () => new Set(collector.requests.map(({ path }) => path)).size === 2,
      "traces and metrics exported",
    );
    for (const { type, bytes } of collector.requests)
      expect([type, bytes > 100]).toEqual(["application/x-protobuf", true]);
    await collector.stop();
    expect((await call()).status).toBe(200);
    collector = await OtlpReceiver.start();
  });
});

describe("off", () => {
  test.each([
    ["by default", {}],
    [
      "by OTEL_SDK_DISABLED",
      { OTEL_SDK_DISABLED: "true", OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" },
    ],
  ])("%s: no module of OpenTelemetry is loaded, and a client's trace goes on as it came", async (_, off) => {
    bench.upstream.script = (one) => one.json200(ANSWER);
    const coverage = await mkdtemp(join(tmpdir(), "coverage-"));
    try {
      const proxy = await bench.startProcess({ ...off, NODE_V8_COVERAGE: coverage });
      const traced = await call(QUESTION, { traceparent: `00-${TRACE}-${PARENT}-01` });
      expect(header()).toBe(`00-${TRACE}-${PARENT}-01`);
      expect(traced.record.trace).toEqual({
        traceId: TRACE,
        spanId: null,
        parentSpanId: PARENT,
        sampled: false,
      });
      const untraced = await call();
      expect(untraced.record.trace).toBeUndefined();
      expect(header()).toBeUndefined();
      expect(await proxy.kill("SIGTERM")).toBe(0);
      // One file a thread, with every module that it loaded.
      const urls: string[] = [];
      for (const file of await readdir(coverage)) {
        const { result } = JSON.parse(await readFile(join(coverage, file), "utf8")) as {
          result: { url: string }[];
        };
        urls.push(...result.map(({ url }) => url));
      }
      expect(urls.filter((url) => url.endsWith("/uploader.ts"))).toHaveLength(1);
      // prom-client brings the mere interface (@opentelemetry/api) along.
      expect(urls.filter((url) => /@opentelemetry\/(?!api\/)|gen-ai-/.test(url))).toEqual([]);
    } finally {
      await rm(coverage, { recursive: true });
    }
  });
});

test("samplers decide by the caller's word, by name or by the identifier", () => {
  const telemetry = (sampler: string, ratio = "1") =>
    parseConfig({
      AUDIT_BUCKET: "bucket",
      AWS_REGION: "r",
      SPOOL_DIR: "/s",
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9",
      OTEL_TRACES_SAMPLER: sampler,
      OTEL_TRACES_SAMPLER_ARG: ratio,
    }).telemetry;
  const sampled = (header: string | undefined, ...of: Parameters<typeof telemetry>) =>
    traceOf(header, telemetry(...of))?.sampled;
  const asked = `00-${TRACE}-${PARENT}-01`;
  const spared = `00-${TRACE}-${PARENT}-00`;
  expect([sampled(undefined, "parentbased_always_on"), sampled(spared, "parentbased_always_on")]).toEqual([
    true,
    false,
  ]);
  expect([sampled(asked, "parentbased_always_off"), sampled(undefined, "parentbased_always_off")]).toEqual([
    true,
    false,
  ]);
  expect([sampled(spared, "always_on"), sampled(asked, "always_off")]).toEqual([true, false]);
  const share = Array.from({ length: 2_000 }, () => sampled(undefined, "traceidratio", "0.25"));
  expect(share.filter(Boolean).length / 2_000).toBeGreaterThan(0.2);
  expect(share.filter(Boolean).length / 2_000).toBeLessThan(0.3);
  expect([sampled(asked, "traceidratio", "0"), sampled(asked, "traceidratio", "1")]).toEqual([false, true]);
  for (const bad of [
    "",
    "00-x",
    `ff-${TRACE}-${PARENT}-01`,
    `00-${"0".repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
  ])
    expect(traceOf(bad, null), bad).toBeNull();
});
