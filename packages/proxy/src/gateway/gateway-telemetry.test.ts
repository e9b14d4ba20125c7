/** OpenTelemetry of profile gateway, both engines, against a receiver of OTLP over HTTP. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { compatible, onBedrock, settingsOf } from "../testing/compatible-models.ts";
import { GatewayBench } from "../testing/gateway-bench.ts";
import { LitellmBench } from "../testing/litellm-bench.ts";
import { OtlpReceiver } from "../testing/otlp-receiver.ts";
import { eventually } from "../testing/proxy-bench.ts";
import { ScriptedUpstream } from "../testing/scripted-upstream.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const traceparent = `00-${TRACE}-${PARENT}-01`;

let collector: OtlpReceiver;
beforeAll(async () => {
  collector = await OtlpReceiver.start();
});
afterAll(() => collector?.stop());
beforeEach(() => {
  collector.spans.length = 0;
});

const telemetry = (more: Record<string, string> = {}) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
  OTEL_BSP_SCHEDULE_DELAY: "50",
  OTEL_METRIC_EXPORT_INTERVAL: "50",
  ...more,
});
const spanOf = async (spanId: string | null | undefined) => {
  await eventually(() => collector.spans.some((span) => span.spanId === spanId), `the span ${spanId}`);
  return collector.spans.find((span) => span.spanId === spanId);
};
const ask = (content: string, more: object = {}) => ({
  model: "claude",
  messages: [{ role: "user", content }],
  ...more,
});
const portOf = ({ url }: { url: string }) => Number(new URL(url).port);
const idOf = (response: Response) => response.headers.get("x-request-id") ?? "";

describe("native", () => {
  let bench: GatewayBench;
  let upstream: ScriptedUpstream;
  let key: string;
  let models: Record<string, string>;
  beforeAll(async () => {
    upstream = await ScriptedUpstream.start();
    models = settingsOf([onBedrock("claude"), compatible("house", upstream.url, "there")]);
    bench = await GatewayBench.start({ start: false });
    // Its exporters read variables of the process.
    bench.port = portOf(await bench.startProcess({ ...models, ...telemetry() }));
    ({ key } = await bench.key({ user_id: "ada" }));
  });
  afterAll(async () => {
    await bench?.stop();
    await upstream?.stop();
  });
  const call = async (path: string, body: object, headers: Record<string, string> = {}, port?: number) => {
    const response = await bench.call("POST", path, body, { key, headers, ...(port ? { port } : {}) });
    await response.text();
    return { status: response.status, record: await bench.record(idOf(response)) };
  };

  it("makes a span in the caller's trace of a call, whose ids are on the record", async () => {
    const { record } = await call("/v1/chat/completions", ask("Hello", { max_tokens: 9 }), { traceparent });
    expect(record.trace).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, sampled: true });
    const span = await spanOf(record.trace?.spanId);
    expect(span).toMatchObject({
      traceId: TRACE,
      parentSpanId: PARENT,
      name: "chat claude",
      kind: 3,
      status: 0,
      attributes: {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": "claude",
        "gen_ai.response.model": "anthropic.claude-3-5-sonnet-20241022-v2:0",
        "gen_ai.request.max_tokens": 9,
        "gen_ai.usage.input_tokens": record.usage.promptTokens,
        "gen_ai.usage.output_tokens": record.usage.completionTokens,
        "gen_ai.response.finish_reasons": ["stop"],
        "central_llm.request.id": record.requestId,
        "central_llm.user.id": "ada",
      },
      resource: { "service.name": "central-llm-proxy-gateway" },
    });
    expect(span?.start).toBe(Date.parse(record.receivedAt));
    expect((span?.end ?? 0) - (span?.start ?? 0)).toBeCloseTo(record.latencyMs, 0);
    expect(JSON.stringify(span)).not.toContain("Hello");
  });

  it("is the parent of a model's server, which is told of the decision", async () => {
    const { record } = await call("/v1/chat/completions", ask("Hi", { model: "house" }), { traceparent });
    const { headers } = await upstream.call(upstream.calls.length - 1);
    expect(headers.get("traceparent")).toBe(`00-${TRACE}-${record.trace?.spanId}-01`);
    expect(await spanOf(record.trace?.spanId)).toMatchObject({
      attributes: { "gen_ai.provider.name": "openai-compatible", "gen_ai.response.model": "there" },
    });
    const spared = traceparent.replace(/01$/, "00");
    const quiet = await call("/v1/chat/completions", ask("Hi", { model: "house" }), { traceparent: spared });
    expect((await upstream.call(upstream.calls.length - 1)).headers.get("traceparent")).toMatch(/-00$/);
    expect(quiet.record.trace?.sampled).toBe(false);
  });

  it("begins a trace where there is none, of streams, messages and embeddings too, and says what failed", async () => {
    const stream = await call("/v1/chat/completions", ask("Write 20 words", { stream: true }));
    expect(stream.record.trace).toMatchObject({ parentSpanId: null, sampled: true });
    expect(await spanOf(stream.record.trace?.spanId)).toMatchObject({
      traceId: stream.record.trace?.traceId,
      attributes: {
        "gen_ai.request.stream": true,
        "gen_ai.response.time_to_first_chunk": expect.any(Number),
      },
    });
    const message = await call("/v1/messages", ask("Hello", { max_tokens: 100 }));
    expect(await spanOf(message.record.trace?.spanId)).toMatchObject({
      name: "chat claude",
      attributes: { "gen_ai.response.finish_reasons": ["end_turn"] },
    });
    const refused = await call("/v1/chat/completions", ask("Pay with 4111 1111 1111 1111"));
    expect(await spanOf(refused.record.trace?.spanId)).toMatchObject({
      status: 2,
      attributes: { "http.response.status_code": 400, "central_llm.outcome": "blocked" },
    });
    // Neither the spans of administration nor of nothing.
    expect(collector.spans.map(({ name }) => name).filter((name) => !name.startsWith("chat"))).toEqual([]);
  });

  it("measures by operation, model and error", async () => {
    await call("/v1/chat/completions", ask("Hello"));
    const named = (name: string, of: Record<string, unknown>) =>
      collector.points.some(
        (point) =>
          point.name === name &&
          point.count > 0 &&
          Object.entries(of).every(([attribute, value]) => point.attributes[attribute] === value),
      );
    const of = { "gen_ai.request.model": "claude", "gen_ai.provider.name": "aws.bedrock" };
    await eventually(
      () =>
        named("gen_ai.client.operation.duration", of) &&
        named("gen_ai.client.token.usage", { ...of, "gen_ai.token.type": "output" }),
      "the metrics",
    );
  });

  it("shows prompts and answers only where that is asked for, and then as the filter left them", async () => {
    const content = telemetry({ OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: "true" });
    const port = portOf(await bench.startProcess({ ...models, ...content }));
    const { record } = await call("/v1/chat/completions", ask("Write to ada@example.org"), {}, port);
    const span = await spanOf(record.trace?.spanId);
    expect(JSON.parse(String(span?.attributes["gen_ai.input.messages"]))).toEqual([
      { role: "user", parts: [{ type: "text", content: "Write to [EMAIL]" }] },
    ]);
    expect(String(span?.attributes["gen_ai.output.messages"])).toContain("You said: Write to [EMAIL]");
    const body = ask("Hello", { max_tokens: 100, system: "Be brief." });
    const message = await call("/v1/messages", body, {}, port);
    const other = await spanOf(message.record.trace?.spanId);
    expect(JSON.parse(String(other?.attributes["gen_ai.input.messages"]))[0]).toEqual({
      role: "system",
      parts: [{ type: "text", content: "Be brief." }],
    });
    expect(JSON.parse(String(other?.attributes["gen_ai.output.messages"]))).toEqual([
      {
        role: "assistant",
        parts: [{ type: "text", content: "You said: Hello" }],
        finish_reason: "end_turn",
      },
    ]);
  });

  it("off, keeps a client's trace as it came, and makes none", async () => {
    const port = portOf(await bench.startProcess(models));
    const traced = await call("/v1/chat/completions", ask("Hi", { model: "house" }), { traceparent }, port);
    expect(traced.record.trace).toEqual({
      traceId: TRACE,
      spanId: null,
      parentSpanId: PARENT,
      sampled: false,
    });
    const { headers } = await upstream.call(upstream.calls.length - 1);
    expect(headers.get("traceparent")).toBe(traceparent);
    const untraced = await call("/v1/chat/completions", ask("Hi", { model: "house" }), {}, port);
    expect(untraced.record.trace).toBeUndefined();
    expect((await upstream.call(upstream.calls.length - 1)).headers.has("traceparent")).toBe(false);
  });
});

describe("in front of LiteLLM", () => {
  let litellm: LitellmBench;
  beforeAll(async () => {
    litellm = await LitellmBench.start();
    litellm.port = portOf(await litellm.bench.startProcess(litellm.settings(telemetry())));
  });
  afterAll(() => litellm?.stop());

  it("makes the span, and is LiteLLM's parent", async () => {
    const { key } = await litellm.key({ user_id: "ada" });
    const body = { ...ask("Hello"), model: "claude-3-5-sonnet" };
    const headers = { traceparent };
    const answer = await litellm.call("POST", "/v1/chat/completions", body, { key, headers });
    expect(answer.status).toBe(200);
    await answer.text();
    const record = await litellm.record(answer);
    expect(record.trace).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, sampled: true });
    const seen = litellm.standIn.calls.at(-1)?.headers.traceparent;
    expect(seen).toBe(`00-${TRACE}-${record.trace?.spanId}-01`);
    expect(await spanOf(record.trace?.spanId)).toMatchObject({
      traceId: TRACE,
      parentSpanId: PARENT,
      name: "chat claude-3-5-sonnet",
      attributes: { "gen_ai.provider.name": "litellm" },
    });
  });

  it("audits a request for a path that is none", async () => {
    const answer = await litellm.call("POST", "/v1/files", {}, { key: "sk-judge-nobody" });
    expect(answer.status).toBe(404);
    expect(await litellm.record(answer)).toMatchObject({
      statusCode: 404,
      requestType: "unknown",
      model: { provider: "litellm" },
      http: { path: "/v1/files" },
    });
  });
});
