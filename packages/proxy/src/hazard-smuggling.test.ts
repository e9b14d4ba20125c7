/**
 * Requests that two servers could read differently. For each: the upstream sees exactly one request, framed as nobody can
 * misread, or none; and the bytes that were to be smuggled are never a request of their own.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually, ProxyBench } from "./testing/proxy-bench.ts";
import { IDENTITY, type RawClient, request } from "./testing/raw-client.ts";

let bench: ProxyBench;
beforeAll(async () => {
  bench = await ProxyBench.start({ MAX_HEADER_BYTES: "16384" });
});
afterAll(() => bench.stop());
afterEach(() => bench.upstream.reset());

const HEAD = `POST /v1/chat/completions HTTP/1.1\r\nhost: p\r\n${IDENTITY}`;
const SMUGGLED = `GET /v1/smuggled HTTP/1.1\r\nhost: p\r\n${IDENTITY}\r\n`;
const CHUNKED_EMPTY = "0\r\n\r\n";

/** Sends it and waits until the proxy has said all that it is going to say. */
async function attack(bytes: string | Buffer): Promise<RawClient> {
  const client = await bench.connect();
  client.send(bytes);
  await client.until(() => client.answers().length > 0);
  // A request that is in order, on another connection, comes through: the proxy is well and did not mix them up.
  const response = await bench.post({ in: "order" }, { path: "/v1/in-order" });
  expect(response.status).toBe(200);
  client.destroy();
  expect(bench.upstream.problems).toEqual([]);
  return client;
}

const attacked = () => bench.upstream.calls.filter(({ target }) => target !== "/v1/in-order");

describe("refused, and nothing reaches the upstream", () => {
  test.each<[string, string]>([
    [
      "Content-Length with chunks",
      `${HEAD}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n${CHUNKED_EMPTY}${SMUGGLED}`,
    ],
    [
      "chunks with Content-Length",
      `${HEAD}transfer-encoding: chunked\r\ncontent-length: ${SMUGGLED.length}\r\n\r\n${CHUNKED_EMPTY}${SMUGGLED}`,
    ],
    ["two lengths", `${HEAD}content-length: 0\r\ncontent-length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`],
    ["the same length twice", `${HEAD}content-length: 2\r\ncontent-length: 2\r\n\r\n{}`],
    ["a list of lengths", `${HEAD}content-length: 2, 2\r\n\r\n{}`],
    ["a signed length", `${HEAD}content-length: +2\r\n\r\n{}`],
    ["a negative length", `${HEAD}content-length: -2\r\n\r\n{}`],
    ["a hexadecimal length", `${HEAD}content-length: 0x2\r\n\r\n{}`],
    ["an endless length", `${HEAD}content-length: ${"9".repeat(30)}\r\n\r\n{}`],
    ["an unknown coding", `${HEAD}transfer-encoding: xchunked\r\n\r\n${CHUNKED_EMPTY}${SMUGGLED}`],
    [
      "chunked, but not last",
      `${HEAD}transfer-encoding: chunked, identity\r\n\r\n${CHUNKED_EMPTY}${SMUGGLED}`,
    ],
    ["identity", `${HEAD}transfer-encoding: identity\r\ncontent-length: 2\r\n\r\n{}`],
    [
      "two codings in two headers",
      `${HEAD}transfer-encoding: chunked\r\ntransfer-encoding: cow\r\n\r\n${CHUNKED_EMPTY}${SMUGGLED}`,
    ],
    ["a space before the colon", `${HEAD}transfer-encoding : chunked\r\n\r\n${CHUNKED_EMPTY}${SMUGGLED}`],
    ["a space in a name", `${HEAD}x y: z\r\n\r\n`],
    [
      "a vertical tab before the value",
      `${HEAD}transfer-encoding:\x0bchunked\r\n\r\n${CHUNKED_EMPTY}${SMUGGLED}`,
    ],
    ["a header without a colon", `${HEAD}transfer-encoding\r\n\r\n`],
    [
      "a bare LF between headers",
      `${HEAD}a: b\ntransfer-encoding: chunked\r\n\r\n${CHUNKED_EMPTY}${SMUGGLED}`,
    ],
    ["a bare CR in a value", `${HEAD}a: b\rtransfer-encoding: chunked\r\n\r\n${CHUNKED_EMPTY}${SMUGGLED}`],
    ["bare LFs throughout", request({ body: "{}" }).replaceAll("\r\n", "\n")],
    ["a folded header in front", "POST /v1/chat/completions HTTP/1.1\r\n host: p\r\n\r\n"],
    ["a null in a name", `${HEAD}a\0b: c\r\n\r\n`],
    ["a null in a value", `${HEAD}a: b\0c\r\n\r\n`],
    ["a control character in a value", `${HEAD}a: b\x01c\r\n\r\n`],
    ["a size that is no number", `${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`],
    ["a size with 0x", `${HEAD}transfer-encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n`],
    ["a negative size", `${HEAD}transfer-encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n`],
    ["an endless size", `${HEAD}transfer-encoding: chunked\r\n\r\n${"f".repeat(20)}\r\n{}\r\n0\r\n\r\n`],
    ["a space behind a size", `${HEAD}transfer-encoding: chunked\r\n\r\n2 \r\n{}\r\n0\r\n\r\n`],
    [
      "a chunk longer than its size",
      `${HEAD}transfer-encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n${SMUGGLED}`,
    ],
    ["a bare LF behind a size", `${HEAD}transfer-encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n`],
    ["an extension with a bare LF", `${HEAD}transfer-encoding: chunked\r\n\r\n2;a\n{}\r\n0\r\n\r\n`],
    [
      "a length in the trailers",
      `${HEAD}transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\ncontent-length: 99\r\n\r\n${SMUGGLED}`,
    ],
    ["a byte over 127 in the target", request({ path: "/v1/\xff", method: "GET" })],
    ["an unknown version", `${HEAD.replace("HTTP/1.1", "HTTP/9.9")}\r\n`],
    ["no version", "GET /v1/models\r\n\r\n"],
    ["HTTP/2 without asking", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["a TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"],
    ["no host", `POST /v1/models HTTP/1.1\r\n${IDENTITY}content-length: 0\r\n\r\n`],
  ])("%s", async (_name, bytes) => {
    const client = await attack(bytes);
    const [first] = client.answers();
    expect(client.text === "" || (first !== undefined && first.status >= 400 && first.status < 500)).toBe(
      true,
    );
    expect(client.text).not.toContain(" 200 ");
    expect(attacked()).toEqual([]);
  });
});

describe("read in one way", () => {
  test.each<[string, string, string]>([
    [
      "a tab before the coding",
      `${HEAD}transfer-encoding:\tchunked\r\n\r\n2\r\n{}\r\n${CHUNKED_EMPTY}`,
      "{}",
    ],
    ["a coding in capitals", `${HEAD}Transfer-Encoding: CHUNKED\r\n\r\n2\r\n{}\r\n${CHUNKED_EMPTY}`, "{}"],
    [
      "chunk extensions",
      `${HEAD}transfer-encoding: chunked\r\n\r\n2;a=b;c="d;e"\r\n{}\r\n${CHUNKED_EMPTY}`,
      "{}",
    ],
    [
      "leading zeros of a size",
      `${HEAD}transfer-encoding: chunked\r\n\r\n0000002\r\n{}\r\n${CHUNKED_EMPTY}`,
      "{}",
    ],
    [
      "trailers",
      `${HEAD}transfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n2\r\n{}\r\n0\r\nx-t: 1\r\nx-llm-source: other\r\n\r\n`,
      "{}",
    ],
    ["a length with leading zeros", `${HEAD}content-length: 002\r\n\r\n{}`, "{}"],
    ["an empty line in front", `\r\n\r\n${HEAD}content-length: 2\r\n\r\n{}`, "{}"],
  ])("%s", async (_name, bytes, body) => {
    const client = await attack(bytes);
    expect((await client.answer()).status).toBe(200);
    const [call, ...more] = attacked();
    expect(more).toEqual([]);
    expect(call?.body.toString()).toBe(body);
    expect(call?.headers.get("content-length")).toBe(String(body.length));
    for (const name of ["transfer-encoding", "trailer", "te"]) expect(call?.headers.has(name)).toBe(false);
  });

  test.each<[string, string]>([
    ["a folded value", `${HEAD}x-folded: a\r\n b\r\ncontent-length: 2\r\n\r\n{}`],
    ["a folded coding", `${HEAD}transfer-encoding:\r\n chunked\r\n\r\n2\r\n{}\r\n${CHUNKED_EMPTY}`],
    ["a second host", `${HEAD}host: evil\r\ncontent-length: 2\r\n\r\n{}`],
    [
      "the length in Connection",
      `${HEAD}connection: content-length, x-llm-source\r\ncontent-length: 2\r\n\r\n{}`,
    ],
    ["__proto__ as a header", `${HEAD}__proto__: a\r\nconstructor: b\r\ncontent-length: 2\r\n\r\n{}`],
  ])("%s: one request or none", async (_name, bytes) => {
    await attack(bytes);
    expect(attacked().length).toBeLessThanOrEqual(1);
    for (const call of attacked()) {
      expect(call.body.toString()).toBe("{}");
      expect([...call.headers.values()].join("")).not.toMatch(/[\r\n\0]/);
      expect(call.headers.get("host")).toBe(new URL(bench.upstream.url).host);
    }
  });

  test("a body behind a GET stays a body", async () => {
    const bytes = request({
      method: "GET",
      path: "/v1/models",
      headers: "content-type: text/plain\r\n",
      body: SMUGGLED,
    });
    await attack(bytes);
    expect(attacked().map(({ method, target, body }) => [method, target, body.toString("latin1")])).toEqual([
      ["GET", "/v1/models", SMUGGLED],
    ]);
  });

  test("a body of a request that is refused is not the next request", async () => {
    const client = await bench.connect();
    client.send(`POST /v1/models HTTP/1.1\r\nhost: p\r\ncontent-length: ${SMUGGLED.length}\r\n\r\n`);
    expect((await client.answer()).status).toBe(400);
    client.send(SMUGGLED);
    await client.until(() => false, 300).catch(() => {});
    client.destroy();
    expect(client.answers()).toHaveLength(1);
    expect(bench.upstream.calls).toEqual([]);
  });
});

describe("hop by hop", () => {
  test("what concerns one connection crosses in neither direction", async () => {
    bench.upstream.script = (call) =>
      call.send(
        "HTTP/1.1 200 OK\r\nconnection: keep-alive, X-Hop\r\nkeep-alive: timeout=9\r\nx-hop: upstream\r\nproxy-authenticate: Basic\r\n" +
          "trailer: x-t\r\nupgrade: h2c\r\nproxy-connection: close\r\nx-kept: yes\r\ncontent-length: 2\r\n\r\n{}",
      );
    const client = await bench.connect();
    client.send(
      request({
        headers:
          "Connection: close, X-Hop, authorization\r\nx-hop: client\r\nKeep-Alive: 5\r\nproxy-authorization: Basic c2VjcmV0\r\nte: trailers\r\n" +
          "authorization: Bearer a\r\ntrailer: x\r\nproxy-connection: keep-alive\r\nupgrade: websocket\r\ncookie: c=1\r\nx-api-key: k\r\nx-llm-api-key-id: id\r\nx-kept: yes\r\n",
        body: "{}",
      }),
    );
    const answer = await client.answer();
    const call = await bench.upstream.call();
    expect([...call.headers.keys()].sort()).toEqual(
      [
        "connection",
        "content-length",
        "host",
        "x-kept",
        "x-llm-request-type",
        "x-llm-source",
        "x-llm-user",
        "x-request-id",
      ].sort(),
    );
    expect(call.headers.get("connection")).toBe("keep-alive");
    expect([...answer.headers.keys()].sort()).toEqual([
      "connection",
      "content-length",
      "date",
      "x-kept",
      "x-request-id",
    ]);
    client.destroy();
  });
});

describe("targets", () => {
  test("in absolute form are served by their path, and the audit has no credentials of theirs", async () => {
    const id = bench.newId();
    const client = await bench.connect();
    client.send(
      request({
        method: "GET",
        path: "http://user:s3cret@elsewhere:99/v1/models?x=1",
        headers: `x-request-id: ${id}\r\n`,
      }),
    );
    expect((await client.answer()).status).toBe(200);
    client.destroy();
    expect((await bench.upstream.call()).target).toBe("/v1/models?x=1");
    const stored = await bench.stored(id);
    expect(stored.record.http.path).toBe("/v1/models");
    expect(await bench.trail.text(stored.key)).not.toContain("s3cret");
  });

  test.each([
    "/v1/../metrics",
    "/v1/%2e%2e/admin",
    "/v1/..%2fadmin",
    "/v1/./models",
    "/v1/models/..",
    "/v1/..\\admin",
    "/v1/a/.%2E/b",
  ])("%s would climb out: 400", async (path) => {
    const client = await bench.connect();
    client.send(request({ path, body: "{}" }));
    const answer = await client.answer();
    client.destroy();
    expect([answer.status, JSON.parse(answer.body).error.code]).toEqual([400, "invalid_path"]);
    expect(bench.upstream.calls).toEqual([]);
  });

  test.each(["/v1//chat/completions", "/v1/models/a..b", "/v1/models/Qwen2.5", "/v1/x?p=../.."])(
    "%j passes as it is",
    async (path) => {
      const client = await bench.connect();
      client.send(request({ method: "GET", path }));
      expect((await client.answer()).status).toBe(200);
      client.destroy();
      expect((await bench.upstream.call()).target).toBe(path);
    },
  );

  test("CONNECT opens no tunnel; Upgrade is not taken up", async () => {
    const tunnel = await bench.connect();
    tunnel.send("CONNECT 127.0.0.1:22 HTTP/1.1\r\nhost: p\r\n\r\n");
    expect((await tunnel.answer()).status).toBe(405);
    await tunnel.closed;
    for (const protocol of ["websocket", "h2c"]) {
      const upgrade = await bench.connect();
      upgrade.send(
        request({
          method: "GET",
          path: "/v1/realtime",
          headers: `connection: upgrade, http2-settings\r\nupgrade: ${protocol}\r\nhttp2-settings: AAMAAABk\r\n`,
        }),
      );
      expect((await upgrade.answer()).status).toBe(200);
      upgrade.destroy();
    }
    await eventually(() => bench.upstream.calls.length === 2, "both were plain requests");
    for (const call of bench.upstream.calls) expect(call.headers.has("upgrade")).toBe(false);
  });
});
