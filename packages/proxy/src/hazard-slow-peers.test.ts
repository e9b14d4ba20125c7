/** Clients that are slow, endless, impatient or gone. None of them costs the others anything. */
import { readFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually, ProxyBench } from "./testing/proxy-bench.ts";
import type { ProxyProcess } from "./testing/proxy-process.ts";
import { IDENTITY, type RawClient, request } from "./testing/raw-client.ts";

const MEBIBYTE = 1024 * 1024;
let bench: ProxyBench;
let proxy: ProxyProcess;
/** As in production but for the times, which are short; its memory is looked at from outside. */
beforeAll(async () => {
  bench = await ProxyBench.prepare();
  proxy = await bench.startProcess({
    HEAD_TIMEOUT_MS: "1000",
    REQUEST_TIMEOUT_MS: "2000",
    IDLE_TIMEOUT_MS: "1500",
  });
});
afterAll(async () => {
  expect(proxy.output()).not.toContain("The pipeline failed");
  await bench.stop();
});
afterEach(async () => {
  bench.upstream.reset();
  await eventually(
    async () => (await bench.metric("llm_requests_in_flight")) === 0,
    "nothing is left in flight",
  );
  await eventually(async () => (await bench.metric("llm_buffered_request_bytes")) === 0, "nothing is held");
  expect(await bench.metric("audit_records_lost_total")).toBe(0);
});

/** What the kernel counts: now, and at most since its start. */
async function memory(): Promise<{ now: number; peak: number }> {
  const status = await readFile(`/proc/${proxy.pid}/status`, "utf8");
  const kilobytes = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0);
  return { now: kilobytes("VmRSS") * 1024, peak: kilobytes("VmHWM") * 1024 };
}

const code = (answer: { body: string }) => JSON.parse(answer.body).error.code;

describe("heads", () => {
  test("that never end are refused with 431 while they are still being sent", async () => {
    const client = await bench.connect();
    client.send("POST /v1/chat/completions HTTP/1.1\r\nhost: p\r\n");
    for (let count = 0; count < 2000 && client.text === ""; count++) {
      client.send(`x-${count}: ${"y".repeat(1000)}\r\n`);
      if (count % 20 === 0) await new Promise((turn) => setImmediate(turn));
    }
    const answer = await client.answer();
    expect([answer.status, code(answer)]).toEqual([431, "headers_too_large"]);
    client.destroy();
  });

  test("of one huge header: 431", async () => {
    const client = await bench.connect();
    client.send(request({ headers: `x-huge: ${"h".repeat(MEBIBYTE)}\r\n`, body: "{}" }));
    expect((await client.answer()).status).toBe(431);
    client.destroy();
  });

  test("of too many headers: 431, recorded with whose call it was", async () => {
    const id = bench.newId();
    const client = await bench.connect();
    const many = Array.from({ length: 250 }, (_, index) => `h${index}: 1\r\n`).join("");
    client.send(request({ headers: `x-request-id: ${id}\r\n${many}`, body: "{}" }));
    const answer = await client.answer();
    expect([answer.status, code(answer)]).toEqual([431, "headers_too_large"]);
    client.destroy();
    expect(await bench.record(id)).toMatchObject({
      statusCode: 431,
      outcome: "client_error",
      projectId: "hazards",
    });
  });

  test("dripped byte by byte: 408; the connection goes", async () => {
    const client = await bench.connect();
    const drip = setInterval(() => client.send("x"), 50);
    client.send("POST /v1/chat/completions HTTP/1.1\r\nhost: p\r\nx-drip: ");
    const answer = await client.answer();
    clearInterval(drip);
    expect([answer.status, code(answer)]).toEqual([408, "request_timeout"]);
    await client.closed;
  });

  test("that are never sent: the connection goes", async () => {
    const client = await bench.connect();
    await client.closed;
    expect(client.text === "" || client.text.includes(" 408 ")).toBe(true);
  });
});

describe("bodies", () => {
  test("dripped byte by byte: 408, recorded with what had come", async () => {
    const id = bench.newId();
    const client = await bench.connect();
    client.send(request({ headers: `x-request-id: ${id}\r\ncontent-length: 1000\r\n`, framed: true }));
    const drip = setInterval(() => client.send("y"), 50);
    const answer = await client.answer();
    clearInterval(drip);
    expect([answer.status, answer.headers.get("x-request-id")]).toEqual([408, id]);
    const record = await bench.record(id);
    expect(record).toMatchObject({ statusCode: 408, outcome: "client_error" });
    expect(record.request.bytes).toBeGreaterThan(0);
    client.destroy();
  });

  test("that become garbage: 400, recorded", async () => {
    const id = bench.newId();
    const client = await bench.connect();
    client.send(
      request({
        headers: `x-request-id: ${id}\r\ntransfer-encoding: chunked\r\n`,
        framed: true,
        body: "2\r\n{}\r\nnonsense\r\n",
      }),
    );
    const answer = await client.answer();
    expect([answer.status, answer.headers.get("x-request-id")]).toEqual([400, id]);
    expect(client.answers()).toHaveLength(1);
    client.destroy();
    expect(await bench.record(id)).toMatchObject({ statusCode: 400, outcome: "client_error" });
    expect(bench.upstream.calls).toEqual([]);
  });

  test("far over the limit: the client that is still sending sees its 413", async () => {
    const client = await bench.connect();
    client.send(request({ headers: "transfer-encoding: chunked\r\n", framed: true }));
    const chunk = Buffer.concat([Buffer.from("10000\r\n"), Buffer.alloc(65_536, "z"), Buffer.from("\r\n")]);
    for (let count = 0; count < 200; count++) {
      client.send(chunk);
      if (client.socket.writableNeedDrain) await new Promise((drained) => setTimeout(drained, 1));
    }
    const answer = await client.answer();
    expect([answer.status, code(answer), answer.headers.get("connection")]).toEqual([
      413,
      "request_too_large",
      "close",
    ]);
    expect(client.error).toBeNull();
    client.destroy();
  });

  test("half-closed or cut off in the middle: recorded as the client's abort", async () => {
    for (const cut of ["end", "destroy"] as const) {
      const id = bench.newId();
      const client = await bench.connect({ allowHalfOpen: true });
      client.send(
        request({
          headers: `x-request-id: ${id}\r\ncontent-length: 100\r\n`,
          framed: true,
          body: '{"half":',
        }),
      );
      await eventually(
        async () => (await bench.metric("llm_buffered_request_bytes")) > 0,
        "the half has come",
      );
      client.socket[cut]();
      expect(await bench.record(id)).toMatchObject({
        statusCode: 499,
        outcome: "client_aborted",
        request: { bytes: 8, body: '{"half":' },
      });
      client.destroy();
    }
    expect(bench.upstream.calls).toEqual([]);
  });

  test("half-closed behind a whole request is an abort too: it reaches the upstream", async () => {
    bench.upstream.script = () => {};
    const id = bench.newId();
    const client = await bench.connect({ allowHalfOpen: true });
    client.send(request({ headers: `x-request-id: ${id}\r\n`, body: "{}" }));
    const call = await bench.upstream.call();
    client.socket.end();
    await call.closed();
    expect(await bench.record(id)).toMatchObject({ outcome: "client_aborted" });
    client.destroy();
  });
});

describe("Expect: 100-continue", () => {
  test("is answered before the body is sent, or refused instead", async () => {
    const client = await bench.connect();
    client.send(request({ headers: "expect: 100-continue\r\ncontent-length: 2\r\n", framed: true }));
    await client.until((text) => text.startsWith("HTTP/1.1 100 Continue\r\n\r\n"));
    client.send("{}");
    expect((await client.answer(1)).status).toBe(200);
    expect((await bench.upstream.call()).headers.has("expect")).toBe(false);
    client.destroy();

    const refused = await bench.connect();
    refused.send(`POST /v1/x HTTP/1.1\r\nhost: p\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n`);
    const answer = await refused.answer();
    expect([answer.status, answer.headers.get("connection")]).toEqual([400, "close"]);
    await refused.closed;
    expect(refused.answers()).toHaveLength(1);

    const large = await bench.connect();
    large.send(request({ headers: "expect: 100-continue\r\ncontent-length: 999999999\r\n", framed: true }));
    expect((await large.answer()).status).toBe(413);
    large.destroy();

    const other = await bench.connect();
    other.send(request({ headers: "expect: the-unexpected\r\n", body: "{}" }));
    expect((await other.answer()).status).toBe(417);
    other.destroy();
  });
});

describe("HTTP/1.0 and pipelining", () => {
  test("an HTTP/1.0 client gets an answer that ends with the connection", async () => {
    bench.upstream.script = (call) => {
      call.beginChunked();
      call.chunk("data: 1\n\n");
      call.endChunked();
    };
    const client = await bench.connect();
    client.send(`POST /v1/chat/completions HTTP/1.0\r\n${IDENTITY}content-length: 2\r\n\r\n{}`);
    await client.closed;
    expect(client.text).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(client.text).not.toContain("transfer-encoding");
    expect(client.text).toMatch(/\r\n\r\ndata: 1\n\n$/);
  });

  test("chunks over HTTP/1.0 are not misread", async () => {
    const client = await bench.connect();
    client.send(
      `POST /v1/chat/completions HTTP/1.0\r\n${IDENTITY}transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    );
    await client.closed;
    expect(bench.upstream.calls.length).toBeLessThanOrEqual(1);
    for (const call of bench.upstream.calls) expect(call.body.toString()).toBe("{}");
  });

  test("requests sent ahead are answered one after the other, in their order", async () => {
    bench.upstream.script = (call) =>
      setTimeout(() => call.json200({ target: call.target }), call.target.endsWith("0") ? 60 : 0);
    const client = await bench.connect();
    client.send(
      Array.from({ length: 5 }, (_, index) => request({ path: `/v1/p${index}`, body: "{}" })).join(""),
    );
    await client.answer(4);
    expect(client.answers().map(({ body }) => JSON.parse(body).target)).toEqual([
      "/v1/p0",
      "/v1/p1",
      "/v1/p2",
      "/v1/p3",
      "/v1/p4",
    ]);
    expect(bench.upstream.calls.map(({ target }) => target)).toEqual([
      "/v1/p0",
      "/v1/p1",
      "/v1/p2",
      "/v1/p3",
      "/v1/p4",
    ]);
    client.send(request({ path: "/v1/after", body: "{}" }));
    expect((await client.answer(5)).status).toBe(200);
    client.destroy();
  });

  test("a client that goes away takes the requests that wait with it", async () => {
    bench.upstream.script = () => {};
    const client = await bench.connect();
    client.send(request({ path: "/v1/first", body: "{}" }) + request({ path: "/v1/second", body: "{}" }));
    const call = await bench.upstream.call();
    client.destroy();
    await call.closed();
    await eventually(async () => (await bench.metric("llm_requests_in_flight")) === 0, "none is open");
    expect(bench.upstream.calls).toHaveLength(1);
  });

  test("too many of them end the connection", async () => {
    bench.upstream.script = () => {};
    const client = await bench.connect();
    client.send(request({ body: "{}" }).repeat(100));
    await client.closed;
    expect(bench.upstream.calls.length).toBeLessThanOrEqual(1);
  });

  test("garbage behind a request never shows in its answer", async () => {
    bench.upstream.script = (call) => {
      call.beginChunked();
      call.chunk("data: 1\n\n");
    };
    const id = bench.newId();
    const client = await bench.connect();
    client.send(request({ headers: `x-request-id: ${id}\r\n`, body: "{}" }));
    await client.until((text) => text.includes("data: 1"));
    client.send("nonsense\r\n\r\n");
    await client.closed;
    expect(client.text).not.toContain("400");
    expect(client.text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(await bench.record(id)).toMatchObject({ outcome: "client_aborted" });
  });

  test("a connection is good for more after an error of the upstream's or ours", async () => {
    const client = await bench.connect();
    bench.upstream.script = (call) => call.answer(500, {}, "no");
    client.send(request({ body: "{}" }));
    expect((await client.answer(0)).status).toBe(500);
    client.send(request({ headers: "content-type: application/json\r\n", body: "{broken" }));
    expect((await client.answer(1)).status).toBe(400);
    bench.upstream.script = (call) => call.socket.destroy();
    client.send(request({ body: "{}" }));
    expect((await client.answer(2)).status).toBe(502);
    bench.upstream.script = (call) => call.json200({});
    client.send(request({ body: "{}" }));
    expect((await client.answer(3)).status).toBe(200);
    client.destroy();
  });
});

describe("slow readers", () => {
  test("make the upstream wait; one that stops reading is dropped", async () => {
    let written = 0;
    bench.upstream.script = (call) => {
      call.beginChunked({ "content-type": "application/octet-stream" });
      const block = Buffer.alloc(MEBIBYTE, "b");
      const pour = () => {
        while (!call.socket.destroyed && written < 512 * MEBIBYTE) {
          call.chunk(block);
          written += block.length;
          if (call.socket.writableNeedDrain) return void call.socket.once("drain", pour);
        }
      };
      pour();
    };
    const id = bench.newId();
    const client = await bench.connect();
    client.send(request({ headers: `x-request-id: ${id}\r\n`, body: "{}" }));
    await client.until((text) => text.length > 0);
    client.socket.pause();
    const call = await bench.upstream.call();
    await call.closed();
    expect(written).toBeLessThan(64 * MEBIBYTE);
    expect((await memory()).peak).toBeLessThan(256 * MEBIBYTE);
    client.destroy();
    expect(await bench.record(id)).toMatchObject({
      outcome: "client_aborted",
      response: { complete: false, truncated: true },
    });
  });

  test("that stop at the very end are dropped too, and not called completed", async () => {
    // Whole at the proxy, more than the kernel's buffers take.
    bench.upstream.script = (call) => call.answer(200, {}, Buffer.alloc(6 * MEBIBYTE, "e"));
    const id = bench.newId();
    const client = await bench.connect();
    client.socket.pause();
    client.send(request({ headers: `x-request-id: ${id}\r\n`, body: "{}" }));
    expect(await bench.record(id)).toMatchObject({
      outcome: "client_aborted",
      response: { complete: false },
    });
    client.destroy();
  });

  test("that are slow but read on get all of it", async () => {
    const bytes = 12 * MEBIBYTE;
    bench.upstream.script = (call) => call.answer(200, {}, Buffer.alloc(bytes, "s"));
    const id = bench.newId();
    const client = await bench.connect();
    let read = 0;
    client.socket.removeAllListeners("data");
    client.socket.on("data", (data) => {
      read += data.length;
      client.socket.pause();
      setTimeout(() => client.socket.resume(), 1);
    });
    client.send(request({ headers: `x-request-id: ${id}\r\nconnection: close\r\n`, body: "{}" }));
    await client.closed;
    expect(read).toBeGreaterThan(bytes);
    expect(await bench.record(id)).toMatchObject({
      outcome: "completed",
      response: { complete: true, bytes },
    });
  });
});

/** Each look at the metrics leaves garbage behind. */
const RARELY = { everyMs: 250 };

test("500 hostile connections at once: below 256 MB, and a good one is served among them", async () => {
  await proxy.kill("SIGKILL");
  proxy = await bench.startProcess();
  bench.upstream.script = (call) => {
    if (call.target !== "/v1/good") call.beginChunked();
    else call.json200({});
  };
  const clients: RawClient[] = [];
  const megabyte = "x".repeat(MEBIBYTE);
  for (let index = 0; index < 500; index++) {
    const client = await bench.connect();
    clients.push(client);
    switch (index % 5) {
      case 0: // A body that is large and does not end.
        client.send(
          request({ headers: `content-length: ${10 * MEBIBYTE}\r\n`, framed: true, body: megabyte }),
        );
        break;
      case 1: // Small chunks without end.
        client.send(
          request({
            headers: "transfer-encoding: chunked\r\n",
            framed: true,
            body: "1\r\nx\r\n".repeat(5_000),
          }),
        );
        break;
      case 2: // A head that does not end.
        client.send(`POST /v1/x HTTP/1.1\r\nhost: p\r\n${IDENTITY}x-a: ${"a".repeat(30_000)}`);
        break;
      case 3: // A stream that is opened and not read.
        client.socket.pause();
        client.send(
          request({
            headers: "content-type: application/json\r\n",
            body: `{"stream":true,"x":"${"y".repeat(50_000)}"}`,
          }),
        );
        break;
      case 4: // Many requests ahead of the answers.
        client.send(request({ body: "{}" }).repeat(16));
    }
    if (index === 250) expect((await bench.post({}, { path: "/v1/good" })).status).toBeLessThan(504);
  }
  await eventually(
    async () => (await bench.metric("llm_requests_in_flight")) > 100,
    "they are at it",
    RARELY,
  );
  for (const client of clients) client.destroy();
  await eventually(async () => (await bench.metric("llm_requests_in_flight")) === 0, "all are gone", RARELY);
  const { peak } = await memory();
  console.log(`500 hostile connections: peak RSS ${Math.round(peak / MEBIBYTE)} MB`);
  expect(peak).toBeLessThan(256 * MEBIBYTE);
  expect((await bench.post({}, { path: "/v1/good" })).status).toBe(200);
});
