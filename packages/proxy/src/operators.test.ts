/** What operators see: health, readiness, metrics; where the upstream is; and how the proxy ends. */
import { readdir } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually, HEADERS, ProxyBench } from "./testing/proxy-bench.ts";
import { RawClient, request } from "./testing/raw-client.ts";

let bench: ProxyBench;
beforeAll(async () => {
  bench = await ProxyBench.start();
});
afterAll(() => bench.stop());
afterEach(() => bench.upstream.reset());

describe("the operators' paths", () => {
  test("/health and /ready", async () => {
    const health = await fetch(`${bench.url}/health`);
    expect([health.status, await health.json()]).toEqual([200, { status: "ok" }]);
    const ready = await fetch(`${bench.url}/ready`);
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { upstream: true, spool: true, draining: false },
    ]);
    // They are nobody's calls: not audited, no identity.
    expect((await bench.upstream.call()).target).toBe("/v1/models");
  });

  test.each(["/", "/v1", "/v2/models", "//v1/models", "/metrics/x", "/v1models"])(
    "%s is unknown: 404 in OpenAI's shape",
    async (path) => {
      const client = await bench.connect();
      client.send(request({ path, method: "GET" }));
      const answer = await client.answer();
      client.destroy();
      expect(answer.status).toBe(404);
      expect(JSON.parse(answer.body).error).toMatchObject({
        type: "invalid_request_error",
        code: "unknown_url",
        param: null,
      });
      expect(bench.upstream.calls).toHaveLength(0);
    },
  );

  test.each(["/metrics", "/ready", "/health"])(
    "%s is not for callers who came through API Gateway",
    async (path) => {
      expect((await fetch(`${bench.url}${path}`)).status).toBe(200);
      const outside = await fetch(`${bench.url}${path}`, { headers: { "x-llm-api-key-id": "k1" } });
      expect(outside.status).toBe(404);
    },
  );

  test("each metric moves", async () => {
    const usage = { prompt_tokens: 11, completion_tokens: 22, total_tokens: 33 };
    const before = await bench.metric("llm_requests_total", 'outcome="completed"', 'route="embeddings"');
    bench.upstream.script = (call) => {
      call.beginChunked();
      call.chunk(
        `data: ${JSON.stringify({ model: "metered", choices: [{ index: 0, delta: {} }], usage })}\n\n`,
      );
      call.endChunked();
    };
    await (await bench.post({ stream: true }, { path: "/v1/embeddings" })).text();
    bench.upstream.script = (call) => call.answer(500, {}, "no");
    await (await bench.post({})).text();
    bench.upstream.script = () => {};
    const open = await bench.connect();
    open.send(request({ body: `"${"x".repeat(5000)}"` }));
    await bench.upstream.call(2);
    expect(await bench.metric("llm_requests_in_flight")).toBe(1);
    expect(await bench.metric("llm_buffered_request_bytes")).toBeGreaterThanOrEqual(5000);
    open.destroy();
    (await bench.connect()).send("nonsense\r\n\r\n");
    expect(await bench.metric("llm_requests_total", 'outcome="completed"', 'route="embeddings"')).toBe(
      before + 1,
    );
    expect(await bench.metric("llm_requests_total", 'status="500"', 'outcome="upstream_error"')).toBe(1);
    expect(await bench.metric("llm_request_duration_seconds_count")).toBeGreaterThanOrEqual(2);
    expect(await bench.metric("llm_time_to_first_token_seconds_count", 'route="embeddings"')).toBe(1);
    expect(await bench.metric("llm_upstream_errors_total", 'kind="status"')).toBe(1);
    await eventually(
      async () => (await bench.metric("llm_malformed_requests_total", "bad_request")) === 1,
      "counted",
    );
    await eventually(
      async () => (await bench.metric("llm_tokens_total", "metered", "prompt")) === 11,
      "prompt tokens",
    );
    expect(await bench.metric("llm_tokens_total", "metered", "completion")).toBe(22);
    await eventually(async () => (await bench.metric("audit_uploads_total")) >= 3, "uploads");
    await eventually(async () => (await bench.metric("audit_spool_records")) === 0, "the spool is empty");
    expect(await bench.metric("llm_requests_in_flight")).toBe(0);

    bench.upstream.script = (call) => call.json200({});
    bench.aws.setFault((asked) => (asked.operation === "s3.PutObject" ? { status: 500 } : undefined));
    await (await bench.post({})).text();
    await eventually(
      async () => (await bench.metric("audit_upload_failures_total", "InternalError")) > 0,
      "failures",
    );
    expect(await bench.metric("audit_spool_records")).toBe(1);
    expect(await bench.metric("audit_spool_bytes")).toBeGreaterThan(0);
    expect(await bench.metric("audit_spool_oldest_seconds")).toBeGreaterThan(0);
    bench.aws.setFault(undefined);
    await eventually(async () => (await bench.metric("audit_spool_records")) === 0, "it arrives after all");
  });
});

test("names of models cannot make time series without end", async () => {
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
  let count = 0;
  bench.upstream.script = (call) => call.json200({ model: `made-up-${count++}`, choices: [], usage });
  const before = await bench.metric("llm_tokens_total", "prompt");
  for (let index = 0; index < 70; index++) await (await bench.post({})).text();
  await eventually(async () => (await bench.metric("llm_tokens_total", "prompt")) === before + 70, "counted");
  const text = await (await fetch(`${bench.url}/metrics`)).text();
  const names = new Set([...text.matchAll(/llm_tokens_total{.*model="([^"]+)"/g)].map((match) => match[1]));
  expect(names.size).toBeLessThanOrEqual(65);
  expect(names).toContain("other");
});

describe("UPSTREAM_URL", () => {
  test.each([
    ["", "/v1/models?a=b"],
    ["/", "/v1/models?a=b"],
    ["/v1", "/v1/models?a=b"],
    ["/v1/", "/v1/models?a=b"],
    ["/team/llm", "/team/llm/v1/models?a=b"],
    ["/team/llm/v1", "/team/llm/v1/models?a=b"],
  ])("with %j asks for %s", async (suffix, target) => {
    const port = await bench.startProxy({
      UPSTREAM_URL: bench.upstream.url + suffix,
      UPSTREAM_API_KEY: "sk-upstream",
      SPOOL_DIR: `${bench.settings.SPOOL_DIR}${suffix.replaceAll("/", "_")}x`,
    });
    const headers = { ...HEADERS, authorization: "Bearer the-clients-own" };
    expect((await fetch(`http://127.0.0.1:${port}/v1/models?a=b`, { headers })).status).toBe(200);
    const call = await bench.upstream.call();
    expect(call.target).toBe(target);
    expect(call.headers.get("authorization")).toBe("Bearer sk-upstream");
    expect(call.headers.get("host")).toBe(new URL(bench.upstream.url).host);
  });

  test("without UPSTREAM_API_KEY the client's Authorization passes", async () => {
    await bench.post({}, { headers: { authorization: "Bearer the-clients-own" } });
    expect((await bench.upstream.call()).headers.get("authorization")).toBe("Bearer the-clients-own");
  });
});

test("SIGTERM: the open stream ends whole, nothing new is taken, the spool is uploaded, exit 0", async () => {
  const alone = await ProxyBench.prepare();
  try {
    const proxy = await alone.startProcess({ DRAIN_TIMEOUT_MS: "10000" });
    const id = alone.newId();
    alone.upstream.script = (call) => {
      call.beginChunked();
      call.chunk("data: 1\n\n");
    };
    const streaming = await alone.connect();
    streaming.send(request({ headers: `x-request-id: ${id}\r\n`, body: "{}" }));
    await streaming.until((text) => text.includes("data: 1"));
    const idle = await alone.connect();
    idle.send(request({ method: "GET", path: "/health" }));
    expect((await idle.answer()).status).toBe(200);
    const exited = proxy.kill("SIGTERM");
    await idle.closed;
    const refused = () =>
      RawClient.connect(alone.port).then(
        () => false,
        (error) => error.code === "ECONNREFUSED",
      );
    await eventually(refused, "new connections are refused");
    const call = await alone.upstream.call();
    call.chunk("data: 2\n\n");
    call.endChunked();
    expect((await streaming.answer()).body).toBe("data: 1\n\ndata: 2\n\n");
    expect(await exited).toBe(0);
    expect(await alone.record(id)).toMatchObject({ outcome: "completed", response: { complete: true } });
    expect(await readdir(alone.settings.SPOOL_DIR ?? "")).toEqual([]);
  } finally {
    await alone.stop();
  }
});

test("SIGTERM with a stream that does not end: it is cut off after the time to drain, and recorded in S3 before the exit", async () => {
  const alone = await ProxyBench.prepare();
  try {
    const proxy = await alone.startProcess({ DRAIN_TIMEOUT_MS: "200" });
    const ids = [alone.newId(), alone.newId()];
    alone.upstream.script = (call) => {
      if (call.headers.get("x-request-id") === ids[0]) call.beginChunked();
    };
    const clients = [];
    for (const id of ids) {
      const client = await alone.connect();
      clients.push(client.send(request({ headers: `x-request-id: ${id}\r\n`, body: "{}" })));
    }
    await alone.upstream.call(1);
    await clients[0]?.until((text) => text.includes("\r\n\r\n"));
    // Longer away than requests may take to end: what is left for S3 has a time of its own.
    let refused = 0;
    alone.aws.setFault(({ operation, url }) =>
      operation === "s3.PutObject" && url.includes("/logs/") && refused++ < 4 ? { status: 503 } : undefined,
    );
    expect(await proxy.kill("SIGTERM")).toBe(0);
    expect(refused).toBeGreaterThan(4);
    expect((await clients[1]?.answer())?.status).toBe(503);
    expect(await alone.record(ids[0] as string)).toMatchObject({
      statusCode: 200,
      outcome: "interrupted",
      response: { complete: false },
    });
    expect(await alone.record(ids[1] as string)).toMatchObject({ statusCode: 503, outcome: "interrupted" });
  } finally {
    await alone.stop();
  }
});
