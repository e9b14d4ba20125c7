/** Time-outs, an upstream that is down, and more than the proxy takes on. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually, HEADERS, ProxyBench } from "./testing/proxy-bench.ts";
import { RawClient, request } from "./testing/raw-client.ts";

let bench: ProxyBench;
beforeAll(async () => {
  bench = await ProxyBench.start({
    CONNECT_TIMEOUT_MS: "300",
    FIRST_BYTE_TIMEOUT_MS: "1000",
    IDLE_TIMEOUT_MS: "1000",
    MAX_CONCURRENT_REQUESTS: "4",
    MAX_BODY_BYTES: "200000",
    MAX_BUFFERED_BYTES: "300000",
  });
});
afterAll(() => bench.stop());
afterEach(async () => {
  bench.upstream.reset();
  // Nothing that a test left open or held counts against the next.
  await eventually(async () => (await bench.metric("llm_requests_in_flight")) === 0, "no request in flight");
  await eventually(async () => (await bench.metric("llm_buffered_request_bytes")) === 0, "nothing is held");
});

const error = (answer: { body: string }) => JSON.parse(answer.body).error;

describe("an upstream", () => {
  test("that does not answer: 504 after the first-byte time-out", async () => {
    bench.upstream.script = () => {};
    const id = bench.newId();
    const response = await bench.post({}, { headers: { "x-request-id": id } });
    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({
      error: { type: "upstream_error", code: "upstream_timeout" },
    });
    await (await bench.upstream.call()).closed();
    expect(await bench.record(id)).toMatchObject({
      statusCode: 504,
      outcome: "upstream_error",
      error: { type: "upstream_error" },
    });
    expect(await bench.metric("llm_upstream_errors_total", 'kind="first_byte_timeout"')).toBe(1);
  });

  test("that stops in the middle: the client sees a broken answer, the audit its part", async () => {
    bench.upstream.script = (call) => {
      call.beginChunked();
      call.chunk("data: 1\n\n");
    };
    const id = bench.newId();
    const response = await bench.post({}, { headers: { "x-request-id": id } });
    await expect(response.text()).rejects.toThrow();
    expect(await bench.record(id)).toMatchObject({
      statusCode: 200,
      outcome: "upstream_error",
      response: { complete: false, body: "data: 1\n\n" },
    });
    expect(await bench.metric("llm_upstream_errors_total", 'kind="idle_timeout"')).toBe(1);
  });

  test("that is down: 502", async () => {
    const closed = createServer().listen(0, "127.0.0.1");
    await new Promise((listening) => closed.once("listening", listening));
    const { port } = closed.address() as { port: number };
    await new Promise((done) => closed.close(done));
    const down = await bench.startProxy({
      UPSTREAM_URL: `http://127.0.0.1:${port}`,
      SPOOL_DIR: `${bench.settings.SPOOL_DIR}2`,
    });
    const id = bench.newId();
    const response = await fetch(`http://127.0.0.1:${down}/v1/models`, {
      headers: { ...HEADERS, "x-request-id": id },
    });
    expect([response.status, (await response.json()) as unknown]).toEqual([
      502,
      { error: expect.objectContaining({ type: "upstream_error", code: "upstream_unavailable" }) },
    ]);
    expect(await bench.record(id)).toMatchObject({ statusCode: 502, outcome: "upstream_error" });
    const ready = await fetch(`http://127.0.0.1:${down}/ready`);
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { upstream: false, spool: true, draining: false },
    ]);
  });

  test("whose machine does not take connections: 504 after the connect time-out", async () => {
    // A process that is stopped accepts nothing; once its queue is full, the kernel drops what knocks.
    const listen =
      "require('net').createServer().listen({port:0,host:'127.0.0.1',backlog:1},function(){console.log(this.address().port)})";
    const deaf = spawn(process.execPath, ["-e", listen], { stdio: ["ignore", "pipe", "inherit"] });
    const fillers: Socket[] = [];
    try {
      const [line] = (await once(deaf.stdout, "data")) as [Buffer];
      const port = Number(line.toString());
      deaf.kill("SIGSTOP");
      for (let count = 0; count < 4; count++)
        fillers.push(connect({ port, host: "127.0.0.1" }).on("error", () => {}));
      await once(fillers[1] as Socket, "connect");
      const proxy = await bench.startProxy({
        UPSTREAM_URL: `http://127.0.0.1:${port}`,
        CONNECT_TIMEOUT_MS: "300",
        SPOOL_DIR: `${bench.settings.SPOOL_DIR}3`,
      });
      const response = await fetch(`http://127.0.0.1:${proxy}/v1/models`, { headers: HEADERS });
      expect(response.status).toBe(504);
      const text = await (await fetch(`http://127.0.0.1:${proxy}/metrics`)).text();
      expect(text).toContain('llm_upstream_errors_total{kind="connect_timeout"} 1');
    } finally {
      for (const filler of fillers) filler.destroy();
      deaf.kill("SIGKILL");
    }
  });
});

describe("more than the proxy takes on", () => {
  test("too many requests at once: 503 with Retry-After, at once; those before are served", async () => {
    const waiting: (() => void)[] = [];
    bench.upstream.script = (call) => void waiting.push(() => call.json200({ ok: true }));
    const id = bench.newId();
    const slow = bench.startProxy({
      MAX_CONCURRENT_REQUESTS: "4",
      SPOOL_DIR: `${bench.settings.SPOOL_DIR}5`,
    });
    const port = await slow;
    const ask = (more = {}) =>
      fetch(`http://127.0.0.1:${port}/v1/models`, { headers: { ...HEADERS, ...more } });
    const served = Array.from({ length: 4 }, () => ask());
    await bench.upstream.call(3);
    const refused = await ask({ "x-request-id": id });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await refused.json()).toMatchObject({ error: { type: "overloaded_error", code: "overloaded" } });
    for (const go of waiting) go();
    for (const answer of await Promise.all(served)) expect(answer.status).toBe(200);
    expect(await bench.record(id)).toMatchObject({ statusCode: 503, outcome: "rate_limited" });
    bench.upstream.script = (call) => call.json200({});
    expect((await ask()).status).toBe(200);
  });

  test("too many bytes at once: 503; what is held is given back, also when clients vanish", async () => {
    const half = `"${"x".repeat(190_000)}`;
    const upload = async () => {
      const client = await bench.connect();
      return client.send(
        request({
          headers: "content-type: application/json\r\ncontent-length: 199999\r\n",
          framed: true,
          body: half,
        }),
      );
    };
    const first = await upload();
    await eventually(
      async () => (await bench.metric("llm_buffered_request_bytes")) >= 190_000,
      "the first is held",
    );
    const second = await upload();
    const answer = await second.answer();
    expect([answer.status, answer.headers.get("retry-after"), error(answer).code]).toEqual([
      503,
      "1",
      "overloaded",
    ]);
    first.destroy();
    second.destroy();
    await eventually(
      async () => (await bench.metric("llm_buffered_request_bytes")) === 0,
      "all is given back",
    );
    expect((await bench.post({})).status).toBe(200);
  });

  test("one byte a chunk costs what it weighs", async () => {
    const client = await bench.connect();
    client.send(request({ headers: "transfer-encoding: chunked\r\n", framed: true }));
    const before = process.memoryUsage();
    client.send(Buffer.from("1\r\nx\r\n".repeat(150_000)));
    await eventually(
      async () => (await bench.metric("llm_buffered_request_bytes")) >= 150_000,
      "all has come",
    );
    const { heapUsed, external } = process.memoryUsage();
    expect(heapUsed + external - before.heapUsed - before.external).toBeLessThan(40 * 1024 * 1024);
    client.destroy();
  });
});

describe("a client's own slowness", () => {
  test("a head that does not end: 408", async () => {
    const slow = await bench.startProxy({
      HEAD_TIMEOUT_MS: "200",
      REQUEST_TIMEOUT_MS: "400",
      SPOOL_DIR: `${bench.settings.SPOOL_DIR}6`,
    });
    const head = await RawClient.connect(slow);
    head.send("POST /v1/chat/completions HTTP/1.1\r\nhost: p\r\nx-llm");
    const answer = await head.answer();
    expect([answer.status, error(answer).code]).toEqual([408, "request_timeout"]);

    const id = bench.newId();
    const body = await RawClient.connect(slow);
    body.send(
      request({ headers: `x-request-id: ${id}\r\ncontent-length: 100\r\n`, framed: true, body: '{"half":' }),
    );
    const late = await body.answer();
    expect([late.status, late.headers.get("x-request-id"), late.headers.get("connection")]).toEqual([
      408,
      id,
      "close",
    ]);
    expect(await bench.record(id)).toMatchObject({
      statusCode: 408,
      outcome: "client_error",
      request: { bytes: 8, body: '{"half":' },
    });
    head.destroy();
    body.destroy();
  });

  test("at the very end of an answer: not called completed before the connection has taken all of it", async () => {
    // Answers too small to make the upstream wait, until the kernel's buffers are full; the client reads none of them.
    bench.upstream.script = (call) => call.answer(200, {}, Buffer.alloc(15_000, "e"));
    const client = await bench.connect();
    client.socket.pause();
    let sent = 0;
    do client.send(request({ headers: `x-request-id: end-${sent}\r\n`, body: "{}" }));
    while (await came(sent++));
    expect(sent).toBeGreaterThan(10);
    const stuck = await bench.record(`end-${sent - 2}`);
    expect(stuck).toMatchObject({
      statusCode: 200,
      outcome: "client_aborted",
      response: { complete: false },
    });
    client.destroy();
  });
});

/** Whether the upstream was asked so often, in a while. */
function came(index: number): Promise<boolean> {
  const late = new Promise<false>((done) => setTimeout(() => done(false), 3000));
  return Promise.race([bench.upstream.call(index).then(() => true), late]);
}
