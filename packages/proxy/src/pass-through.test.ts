/** What comes from the upstream reaches the client as it was, and the audit as it was; and the other way round. */
import { createHash } from "node:crypto";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { HEADERS, ProxyBench } from "./testing/proxy-bench.ts";
import { IDENTITY, request } from "./testing/raw-client.ts";

const LIMIT = 4096;
const MOST = 65_536;
const sha256 = (bytes: string | Buffer) => createHash("sha256").update(bytes).digest("hex");

let bench: ProxyBench;
beforeAll(async () => {
  bench = await ProxyBench.start({ AUDIT_MAX_BODY_BYTES: String(LIMIT), MAX_BODY_BYTES: String(MOST) });
});
afterAll(() => bench.stop());
afterEach(() => {
  expect(bench.upstream.problems).toEqual([]);
  bench.upstream.reset();
});

describe("an answer without streaming", () => {
  test("is byte-equal to the upstream's, headers included, and so is its audit", async () => {
    const body =
      '{"id":"chatcmpl-1", "object":"chat.completion","n":12345678901234567890,"n":1.0,"é":"\\ud800"}';
    const sent =
      '{"model":"demo",  "messages":[{"role":"user","content":"Grüße"}], "seed":12345678901234567890}';
    bench.upstream.script = (call) =>
      call.answer(
        200,
        {
          "content-type": "application/json; charset=utf-8",
          date: "Sat, 21 Nov 2026 10:00:00 GMT",
          server: "uvicorn",
          "openai-processing-ms": "17",
          "X-Custom": "kept as it is",
          "x-request-id": "the-upstreams-own",
        },
        body,
      );
    const id = bench.newId();
    const client = await bench.connect();
    client.send(request({ headers: `x-request-id: ${id}\r\n`, body: Buffer.from(sent).toString("latin1") }));
    const answer = await client.answer();
    client.destroy();
    expect(answer.status).toBe(200);
    expect(Buffer.from(answer.body, "latin1").toString()).toBe(body);
    expect(Object.fromEntries(answer.headers)).toEqual({
      "content-type": "application/json; charset=utf-8",
      date: "Sat, 21 Nov 2026 10:00:00 GMT",
      server: "uvicorn",
      "openai-processing-ms": "17",
      "x-custom": "kept as it is",
      "content-length": String(Buffer.byteLength(body)),
      "x-request-id": id,
      connection: "keep-alive",
      "keep-alive": expect.any(String),
    });
    const call = await bench.upstream.call();
    expect(call.body.toString()).toBe(sent);
    expect(call.headers.get("x-request-id")).toBe(id);

    const { record } = await bench.stored(id);
    const raw = await bench.trail.text(`${(await bench.stored(id)).key}`);
    // Spliced in as they were: a parser that re-writes numbers or duplicate keys was not at work.
    expect(raw).toContain(`"body":${sent}`);
    expect(raw).toContain(`"body":${body}`);
    expect(record).toMatchObject({
      requestId: id,
      clientRequestId: id,
      projectId: "hazards",
      userId: "qa",
      requestType: "chat",
      statusCode: 200,
      outcome: "completed",
      error: null,
      timeToFirstTokenMs: null,
      http: { method: "POST", path: "/v1/chat/completions", clientIp: "127.0.0.1", stream: false },
      model: { requested: "demo", served: null, provider: "vllm" },
      request: { bytes: Buffer.byteLength(sent), sha256: sha256(sent), truncated: false, encoding: "json" },
      response: { bytes: Buffer.byteLength(body), sha256: sha256(body), complete: true, chunks: 0 },
    });
  });

  test.each([
    ["GET", "/v1/models", ""],
    ["GET", "/v1/models/Qwen%2FQwen2.5-7B", ""],
    ["POST", "/v1/embeddings", '{"model":"e","input":["a","b"]}'],
    ["POST", "/v1/some/thing/new?beta=true", '{"a":1}'],
    ["DELETE", "/v1/files/file-1", ""],
    ["PUT", "/v1/thing", "[1,2]"],
    ["PATCH", "/v1/thing", '"text"'],
  ])("%s %s passes with its query and body", async (method, path, body) => {
    const id = bench.newId();
    const response = await fetch(`${bench.url}${path}`, {
      method,
      headers: { ...HEADERS, "x-request-id": id },
      ...(body === "" ? {} : { body }),
    });
    expect(response.status).toBe(200);
    const call = await bench.upstream.call();
    expect([call.method, call.target, call.body.toString()]).toEqual([method, path, body]);
    const record = await bench.record(id);
    expect(record.http).toMatchObject({ method, path: path.split("?")[0] });
    expect(record.request.body).toEqual(body === "" ? null : JSON.parse(body));
    expect(record.usage).toEqual({
      promptTokens: 1,
      completionTokens: 2,
      totalTokens: 3,
      source: "provider",
    });
    expect(record.model.served).toBe("demo");
  });

  test("HEAD gets the head alone", async () => {
    bench.upstream.script = (call) => call.send("HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n");
    const client = await bench.connect();
    client.send(`HEAD /v1/models HTTP/1.1\r\nhost: p\r\n${IDENTITY}connection: close\r\n\r\n`);
    await client.closed;
    expect(client.text).toMatch(/^HTTP\/1\.1 200 OK\r\ncontent-length: 17\r\n/);
    expect(client.text).toMatch(/\r\n\r\n$/);
  });

  test("204 has no body", async () => {
    bench.upstream.script = (call) => call.send("HTTP/1.1 204 No Content\r\n\r\n");
    const id = bench.newId();
    const response = await bench.post({ model: "m" }, { headers: { "x-request-id": id } });
    expect([response.status, await response.text()]).toEqual([204, ""]);
    expect(await bench.record(id)).toMatchObject({
      statusCode: 204,
      outcome: "completed",
      response: { body: null, bytes: 0 },
    });
  });
});

describe("an upstream's error", () => {
  test.each([
    [
      400,
      "application/json",
      '{"error":{"message":"bad model","type":"invalid_request_error","code":null}}',
      "client_error",
    ],
    [401, "application/json", '{"error":{"message":"no key"}}', "client_error"],
    [404, "text/plain", "Not Found", "client_error"],
    [429, "application/json", '{"error":{"message":"slow down"}}', "rate_limited"],
    [500, "text/html", "<html>oops</html>", "upstream_error"],
    [503, "application/json", "{broken", "upstream_error"],
  ] as const)("%i %s passes through and is recorded", async (status, type, body, outcome) => {
    bench.upstream.script = (call) => call.answer(status, { "content-type": type, "retry-after": "7" }, body);
    const id = bench.newId();
    const response = await bench.post({ model: "m" }, { headers: { "x-request-id": id } });
    expect([response.status, response.headers.get("content-type"), await response.text()]).toEqual([
      status,
      type,
      body,
    ]);
    expect(response.headers.get("retry-after")).toBe("7");
    const record = await bench.record(id);
    expect(record).toMatchObject({ statusCode: status, outcome, error: null, response: { complete: true } });
    const valid = type === "application/json" && body !== "{broken";
    expect(record.response.body).toEqual(valid ? JSON.parse(body) : body);
  });
});

describe("a body in the audit", () => {
  test("is cut at AUDIT_MAX_BODY_BYTES on both sides, with true size and hash, not in the middle of a character", async () => {
    // The limit falls inside a three-byte character on one side and a four-byte one on the other.
    const question = JSON.stringify({ model: "m", text: "€".repeat(3000) });
    const answer = JSON.stringify({ text: "😀".repeat(3000), pad: "" });
    bench.upstream.script = (call) => call.answer(200, { "content-type": "application/json" }, answer);
    const id = bench.newId();
    const response = await bench.post(question, { headers: { "x-request-id": id } });
    expect(await response.text()).toBe(answer);
    const { request: asked, response: answered } = await bench.record(id);
    for (const [side, whole] of [
      [asked, question],
      [answered, answer],
    ] as const) {
      expect(side).toMatchObject({
        truncated: true,
        encoding: "text",
        bytes: Buffer.byteLength(whole),
        sha256: sha256(whole),
      });
      const kept = String(side.body);
      expect(whole.startsWith(kept)).toBe(true);
      expect(Buffer.byteLength(kept)).toBeGreaterThan(LIMIT - 4);
      expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(LIMIT);
    }
  });

  test("at the limit is whole", async () => {
    const body = `"${"x".repeat(LIMIT - 2)}"`;
    bench.upstream.script = (call) => call.answer(200, { "content-type": "application/json" }, body);
    const id = bench.newId();
    await (await bench.post(body, { headers: { "x-request-id": id } })).text();
    const record = await bench.record(id);
    for (const side of [record.request, record.response]) {
      expect(side).toMatchObject({
        truncated: false,
        encoding: "json",
        bytes: LIMIT,
        body: "x".repeat(LIMIT - 2),
      });
    }
  });

  test("of a form with a file is text, of one with bytes base64", async () => {
    const id = bench.newId();
    const form = new FormData();
    form.set("model", "whisper-1");
    form.set("file", new Blob(["plain"]), "a.txt");
    const { "content-type": _, ...headers } = HEADERS;
    const send = (body: FormData | Uint8Array, more: Record<string, string>) =>
      fetch(`${bench.url}/v1/audio/transcriptions`, {
        method: "POST",
        headers: { ...headers, ...more },
        body: body as FormData,
      });
    await (await send(form, { "x-request-id": id })).text();
    const text = (await bench.record(id)).request;
    expect(text.encoding).toBe("text");
    expect(text.body).toContain('name="file"; filename="a.txt"');
    const call = await bench.upstream.call();
    expect(call.body.toString()).toBe(text.body);

    const audio = Buffer.from([0x52, 0x49, 0x46, 0x46, 0xff, 0xfe, 0x00, 0x80]);
    const binaryId = bench.newId();
    bench.upstream.script = (next) => next.answer(200, { "content-type": "audio/mpeg" }, audio);
    const response = await send(audio, { "x-request-id": binaryId, "content-type": "audio/wav" });
    expect(Buffer.from(await response.arrayBuffer())).toEqual(audio);
    const binary = await bench.record(binaryId);
    for (const side of [binary.request, binary.response]) {
      expect(side).toMatchObject({
        encoding: "base64",
        body: audio.toString("base64"),
        bytes: 8,
        sha256: sha256(audio),
      });
    }
  });

  test.each([
    ["gzip", gzipSync],
    ["br", brotliCompressSync],
    ["zstd", zstdCompressSync],
  ])("of a %s answer is readable; size and hash are those on the wire", async (coding, pack) => {
    const value = {
      object: "chat.completion",
      model: "packed",
      usage: { prompt_tokens: 4, completion_tokens: 5 },
    };
    const packed = pack(JSON.stringify(value));
    bench.upstream.script = (call) =>
      call.answer(200, { "content-type": "application/json", "content-encoding": coding }, packed);
    const id = bench.newId();
    const client = await bench.connect();
    client.send(request({ headers: `x-request-id: ${id}\r\naccept-encoding: ${coding}\r\n`, body: "{}" }));
    const answer = await client.answer();
    client.destroy();
    expect(Buffer.from(answer.body, "latin1")).toEqual(packed);
    expect(answer.headers.get("content-encoding")).toBe(coding);
    const record = await bench.record(id);
    expect(record.response).toMatchObject({
      body: value,
      bytes: packed.length,
      sha256: sha256(packed),
      encoding: "json",
    });
    expect(record.usage).toEqual({
      promptTokens: 4,
      completionTokens: 5,
      totalTokens: 9,
      source: "provider",
    });
  });
});

describe("a request's size", () => {
  const body = (bytes: number) => `"${"x".repeat(bytes - 2)}"`;
  const chunked = (text: string) => {
    const half = text.length >> 1;
    return [text.slice(0, half), text.slice(half), ""]
      .map((part) => `${part.length.toString(16)}\r\n${part}\r\n`)
      .join("");
  };
  test.each(["declared", "chunked"])("at the limit passes, over it is 413 (%s)", async (kind) => {
    for (const [bytes, status] of [
      [MOST, 200],
      [MOST + 1, 413],
    ] as const) {
      const id = bench.newId();
      const client = await bench.connect();
      const headers = `x-request-id: ${id}\r\ncontent-type: application/json\r\n`;
      client.send(
        kind === "declared"
          ? request({ headers, body: body(bytes) })
          : request({
              headers: `${headers}transfer-encoding: chunked\r\n`,
              framed: true,
              body: chunked(body(bytes)),
            }),
      );
      const answer = await client.answer();
      expect(answer.status).toBe(status);
      if (status === 413) {
        expect(JSON.parse(answer.body).error).toMatchObject({
          type: "invalid_request_error",
          code: "request_too_large",
        });
        expect(answer.headers.get("connection")).toBe("close");
      }
      client.destroy();
      expect(await bench.record(id)).toMatchObject({
        statusCode: status,
        outcome: status === 200 ? "completed" : "client_error",
      });
    }
    expect(bench.upstream.calls).toHaveLength(1);
  });
});
