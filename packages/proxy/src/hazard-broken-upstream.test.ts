/** Upstreams that break off, babble, bloat or lie. The client gets a whole answer or an honest error; the audit says which. */
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually, ProxyBench } from "./testing/proxy-bench.ts";
import { request } from "./testing/raw-client.ts";
import type { UpstreamCall } from "./testing/scripted-upstream.ts";

let bench: ProxyBench;
beforeAll(async () => {
  bench = await ProxyBench.start({
    FIRST_BYTE_TIMEOUT_MS: "700",
    IDLE_TIMEOUT_MS: "700",
    MAX_BODY_BYTES: "30000000",
  });
});
afterAll(() => bench.stop());
afterEach(async () => {
  bench.upstream.reset();
  await eventually(
    async () => (await bench.metric("llm_requests_in_flight")) === 0,
    "nothing is left in flight",
  );
});

/** Sends one request to an upstream that does this. */
async function ask(script: (call: UpstreamCall) => void, body = "{}") {
  bench.upstream.script = script;
  const id = bench.newId();
  const client = await bench.connect();
  client.send(request({ headers: `x-request-id: ${id}\r\nconnection: close\r\n`, body }));
  await client.closed;
  return { text: client.text, answers: client.answers(), record: await bench.record(id), id };
}

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

describe("no answer that could be passed on: 502", () => {
  test.each<[string, (call: UpstreamCall) => void]>([
    ["closed without a word", (call) => call.socket.end()],
    ["reset without a word", (call) => call.socket.resetAndDestroy()],
    ["reset in the middle of the head", (call) => call.resetAfter("HTTP/1.1 200 OK\r\ncontent-ty")],
    ["garbage", (call) => call.send("SSH-2.0-OpenSSH_9.9\r\n\r\n")],
    [
      "a head that does not end",
      (call) => call.send(`HTTP/1.1 200 OK\r\n${`x-a: ${"a".repeat(1000)}\r\n`.repeat(200)}`),
    ],
    ["a status beyond 599", (call) => call.send("HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n")],
    ["a status below 100", (call) => call.send("HTTP/1.1 099 What\r\ncontent-length: 0\r\n\r\n")],
    ["a null in a header", (call) => call.send(`${HEAD}x: a\0b\r\ncontent-length: 2\r\n\r\n{}`)],
    ["two lengths", (call) => call.send(`${HEAD}content-length: 2\r\ncontent-length: 5\r\n\r\n{}`)],
    [
      "a length and chunks",
      (call) =>
        call.send(`${HEAD}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`),
    ],
    [
      "a protocol switch that nobody asked for",
      (call) => call.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
    ],
    [
      "100 Continue that nobody waits for",
      (call) => call.send(`HTTP/1.1 100 Continue\r\n\r\n${HEAD}content-length: 2\r\n\r\n{}`),
    ],
    ["HTTP/0.9", (call) => call.socket.end("{}")],
  ])("%s", async (_name, script) => {
    const { answers, record } = await ask(script);
    expect(answers.map(({ status }) => status)).toEqual([502]);
    expect(JSON.parse(answers[0]?.body ?? "").error).toMatchObject({
      type: "upstream_error",
      code: "upstream_unavailable",
    });
    expect(record).toMatchObject({
      statusCode: 502,
      outcome: "upstream_error",
      error: { type: "upstream_error" },
    });
    expect(record.response.headers).toEqual({ "content-type": "application/json" });
  });
});

describe("an answer that is not whole is never passed off as one", () => {
  test.each<[string, (call: UpstreamCall) => void]>([
    [
      "shorter than its length, closed",
      (call) => call.socket.end(`${HEAD}content-length: 100\r\n\r\n{"half":`),
    ],
    [
      "shorter than its length, reset",
      (call) => call.resetAfter(`${HEAD}content-length: 100\r\n\r\n{"half":`),
    ],
    [
      "chunks without the last one",
      (call) => call.socket.end(`${HEAD}transfer-encoding: chunked\r\n\r\n8\r\n{"half":\r\n`),
    ],
    [
      "a bad chunk size",
      (call) => call.send(`${HEAD}transfer-encoding: chunked\r\n\r\n8\r\n{"half":\r\nzz\r\n`),
    ],
    ["a body that never ends coming", (call) => call.send(`${HEAD}content-length: 100\r\n\r\n{"half":`)],
  ])("%s", async (_name, script) => {
    const { answers, text, record } = await ask(script);
    // The head may have gone already; then the connection ends before the body does.
    if (text.includes(" 200 OK")) expect(answers).toEqual([]);
    else expect(answers[0]?.status).toBe(502);
    expect(record).toMatchObject({
      outcome: "upstream_error",
      response: text.includes(" 200 OK") ? { complete: false, body: '{"half":' } : {},
    });
  });
});

describe("an odd answer passes", () => {
  test("longer than its length: what is beyond it goes nowhere", async () => {
    const { answers } = await ask((call) =>
      call.send(`${HEAD}content-length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`),
    );
    expect(answers.map(({ body }) => body)).toEqual(["{}"]);
    for (let count = 0; count < 5; count++) {
      bench.upstream.script = (call) => call.json200({ count });
      expect(await (await bench.post({})).json()).toEqual({ count });
    }
  });

  test("an answer that nobody asked for does not become the next one's", async () => {
    bench.upstream.script = (call) => {
      call.json200({ mine: true });
      setTimeout(() => call.send(`${HEAD}content-length: 4\r\n\r\nevil`), 20);
    };
    expect(await (await bench.post({})).json()).toEqual({ mine: true });
    await (await bench.upstream.call()).closed();
    bench.upstream.script = (call) => call.json200({ next: true });
    expect(await (await bench.post({})).json()).toEqual({ next: true });
  });

  test("103 Early Hints and 102 are between the upstream and us", async () => {
    const { answers, record } = await ask((call) =>
      call.send(
        `HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${HEAD}content-length: 2\r\n\r\n{}`,
      ),
    );
    expect(answers.map(({ status, body }) => [status, body])).toEqual([[200, "{}"]]);
    expect(answers[0]?.headers.has("link")).toBe(false);
    expect(record.statusCode).toBe(200);
  });

  test("from HTTP/1.0, ended by the connection", async () => {
    const { answers, record } = await ask((call) =>
      call.socket.end('HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{"a":1}'),
    );
    expect(answers[0]?.body).toBe('{"a":1}');
    expect(record.response).toMatchObject({ body: { a: 1 }, complete: true });
  });

  test("with trailers: they end here", async () => {
    const { text, answers } = await ask((call) =>
      call.send(`${HEAD}trailer: x-t\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx-t: 1\r\n\r\n`),
    );
    expect(answers[0]?.body).toBe("{}");
    expect(text).not.toContain("x-t");
  });

  test("with bytes over 127, __proto__ and constructor in its headers", async () => {
    const { text, answers, record } = await ask((call) =>
      call.send(
        Buffer.from(
          `${HEAD}x-name: Zürich 日本\r\n__proto__: p\r\nconstructor: c\r\nserver: Żółw\r\ncontent-length: 2\r\n\r\n{}`,
        ),
      ),
    );
    expect(answers[0]?.status).toBe(200);
    expect(Buffer.from(text, "latin1").toString()).toContain("x-name: Zürich 日本\r\n");
    expect(record.response.headers.server).toBeTruthy();
    expect(({} as Record<string, unknown>).p).toBeUndefined();
  });

  test("in one-byte chunks", async () => {
    const body = JSON.stringify({ text: "x".repeat(20_000) });
    const { answers, record } = await ask((call) =>
      call.send(
        `${HEAD}transfer-encoding: chunked\r\n\r\n${[...body].map((one) => `1\r\n${one}\r\n`).join("")}0\r\n\r\n`,
      ),
    );
    expect(answers[0]?.body).toBe(body);
    expect(record.response.body).toEqual(JSON.parse(body));
  });

  test("before the upload is over: it passes at once", async () => {
    // Large enough not to fit in the sockets' buffers; the upstream answers on the first bytes and reads no further.
    const early = `HTTP/1.1 401 No\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`;
    const { createServer } = await import("node:net");
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.once("data", () => {
        socket.pause();
        socket.write(early);
      });
    }).listen(0, "127.0.0.1");
    await new Promise((listening) => server.once("listening", listening));
    const { port } = server.address() as { port: number };
    const proxy = await bench.startProxy({
      UPSTREAM_URL: `http://127.0.0.1:${port}`,
      MAX_BODY_BYTES: "30000000",
      SPOOL_DIR: `${bench.settings.SPOOL_DIR}2`,
    });
    const response = await fetch(`http://127.0.0.1:${proxy}/v1/files`, {
      method: "POST",
      headers: {
        "x-llm-source": "p",
        "x-llm-user": "u",
        "x-llm-request-type": "file",
        "content-type": "application/octet-stream",
      },
      body: Buffer.alloc(20_000_000, "u"),
    });
    expect([response.status, await response.text()]).toEqual([401, "{}"]);
    server.close();
  });

  test("a compressed bomb is passed on packed and kept packed", async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    bench.upstream.script = (call) =>
      call.answer(200, { "content-type": "application/json", "content-encoding": "gzip" }, bomb);
    const id = bench.newId();
    const client = await bench.connect();
    client.send(request({ headers: `x-request-id: ${id}\r\naccept-encoding: gzip\r\n`, body: "{}" }));
    expect((await client.answer()).body.length).toBe(bomb.length);
    client.destroy();
    const record = await bench.record(id);
    expect(record.response).toMatchObject({
      encoding: "base64",
      body: bomb.toString("base64"),
      bytes: bomb.length,
    });
  });

  test.each(["gzip", "br", "zstd", "deflate", "gzip, br", "unheard-of"])(
    "one that is not %s as it says is kept as it came",
    async (coding) => {
      const { record } = await ask((call) =>
        call.send(`${HEAD}content-encoding: ${coding}\r\ncontent-length: 7\r\n\r\nnot so!`),
      );
      expect(record.response).toMatchObject({ encoding: "text", body: "not so!", bytes: 7 });
    },
  );
});

describe("an upstream that never ends", () => {
  test("is served as long as it sends, and let go when the client leaves", async () => {
    let chunks = 0;
    bench.upstream.script = (call) => {
      call.beginChunked();
      const pour = setInterval(() => {
        if (call.socket.destroyed) return clearInterval(pour);
        call.chunk("data: x\n\n");
        chunks++;
      }, 5);
    };
    const id = bench.newId();
    const client = await bench.connect();
    client.send(request({ headers: `x-request-id: ${id}\r\n`, body: "{}" }));
    await client.until(() => chunks > 200);
    client.destroy();
    await (await bench.upstream.call()).closed();
    expect(await bench.record(id)).toMatchObject({
      outcome: "client_aborted",
      response: { complete: false },
    });
  });
});
