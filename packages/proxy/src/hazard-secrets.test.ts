/**
 * Secrets are planted in every place of a request that may hold one, and every kind of failure is made to happen. Afterwards
 * objects, the spool, logs, metrics and answers are searched for them.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, ProxyBench } from "./testing/proxy-bench.ts";
import type { ProxyProcess } from "./testing/proxy-process.ts";
import { request } from "./testing/raw-client.ts";
import type { UpstreamCall } from "./testing/scripted-upstream.ts";

const UPSTREAM_KEY = "planted-upstream-key-11";
const HEADERS = [
  "authorization: Bearer planted-bearer-01",
  "cookie: session=planted-cookie-02",
  "x-api-key: planted-api-key-03",
  "proxy-authorization: Basic planted-proxy-04",
  "api-key: planted-azure-05",
  "x-goog-api-key: planted-goog-06",
  "x-amz-security-token: planted-amz-07",
  "x-auth-token: planted-auth-08",
  "x-planted-09: planted-unknown-09",
]
  .map((line) => `${line}\r\n`)
  .join("");
const QUERY = "?api_key=planted-query-10&key=planted-query-10";
const SET_COOKIE = "set-cookie: planted-answer-cookie-12\r\nwww-authenticate: planted-answer-13\r\n";

let bench: ProxyBench;
let proxy: ProxyProcess;
beforeAll(async () => {
  bench = await ProxyBench.prepare();
  proxy = await bench.startProcess({
    UPSTREAM_API_KEY: UPSTREAM_KEY,
    LOG_LEVEL: "trace",
    FIRST_BYTE_TIMEOUT_MS: "300",
    IDLE_TIMEOUT_MS: "300",
    HEAD_TIMEOUT_MS: "500",
    REQUEST_TIMEOUT_MS: "800",
    MAX_BODY_BYTES: "10000",
    DRAIN_TIMEOUT_MS: "8000",
  });
});
afterAll(() => bench.stop());

const OK = `HTTP/1.1 200 OK\r\n${SET_COOKIE}content-type: application/json\r\n`;
const ordinary = request({ path: `/v1/chat/completions${QUERY}`, headers: HEADERS, body: "{}" });
/** What the upstream does, and what the client sends. */
const CASES: [string, (call: UpstreamCall) => void, string?][] = [
  ["an answer", (call) => call.send(`${OK}content-length: 2\r\n\r\n{}`)],
  ["an error that echoes nothing", (call) => call.answer(500, {}, "no")],
  ["a refusal", (call) => call.answer(401, { "www-authenticate": "planted-answer-13" }, "{}")],
  ["no answer", () => {}],
  ["a stream cut off", (call) => call.resetAfter(`${OK}content-length: 99\r\n\r\n{}`)],
  ["a stream that stops", (call) => call.send(`${OK}content-length: 99\r\n\r\n{}`)],
  ["a head cut off", (call) => call.resetAfter(OK)],
  // undici hangs the bytes that it cannot parse on its error.
  [
    "an answer that is not HTTP",
    (call) => call.send("HTTP/1.1 200 OK\r\nbad \0: planted-answer-header-14\r\n\r\n"),
  ],
  ["a head without end", (call) => call.send(`${OK}${`x-a: ${"a".repeat(1000)}\r\n`.repeat(100)}`)],
  [
    "a protocol switch",
    (call) =>
      call.send(`HTTP/1.1 101 Switching Protocols\r\n${SET_COOKIE}upgrade: x\r\nconnection: upgrade\r\n\r\n`),
  ],
  ["no identity", () => {}, ordinary.replace(/x-llm-source.*\r\n/, "")],
  [
    "no JSON",
    () => {},
    request({
      path: `/v1/x${QUERY}`,
      headers: `${HEADERS}content-type: application/json\r\n`,
      body: "{broken",
    }),
  ],
  [
    "a body too large",
    () => {},
    request({ path: `/v1/x${QUERY}`, headers: HEADERS, body: `"${"x".repeat(20_000)}"` }),
  ],
  [
    "a body that does not come",
    () => {},
    request({ path: `/v1/x${QUERY}`, headers: `${HEADERS}content-length: 99\r\n`, framed: true, body: "{" }),
  ],
  [
    "a bad chunk",
    () => {},
    request({
      path: `/v1/x${QUERY}`,
      headers: `${HEADERS}transfer-encoding: chunked\r\n`,
      framed: true,
      body: "zz\r\n",
    }),
  ],
  ["a bad header", () => {}, request({ headers: `${HEADERS}b a d: x\r\n`, body: "{}" })],
  ["a head that does not end", () => {}, ordinary.slice(0, 300)],
  [
    "too many headers",
    () => {},
    request({ path: `/v1/x${QUERY}`, headers: HEADERS + "a: b\r\n".repeat(300), body: "{}" }),
  ],
  ["a path that climbs", () => {}, request({ path: `/v1/../x${QUERY}`, headers: HEADERS, body: "{}" })],
  ["an unknown path", () => {}, request({ path: `/nowhere${QUERY}`, headers: HEADERS, body: "{}" })],
  [
    "credentials in the target",
    (call) => call.json200({}),
    request({ path: `http://planted-user-15:planted-pass-16@h/v1/x${QUERY}`, headers: HEADERS, body: "{}" }),
  ],
  ["an operator's path", () => {}, request({ method: "GET", path: `/health${QUERY}`, headers: HEADERS })],
  ["a tunnel", () => {}, `CONNECT planted-host-17:443 HTTP/1.1\r\nhost: p\r\n${HEADERS}\r\n`],
];

test("no planted secret is in an object, the spool, a log, a metric or an answer of ours", async () => {
  const answers: string[] = [];
  for (const [name, script, bytes = ordinary] of CASES) {
    bench.upstream.script = script;
    const client = await bench.connect();
    client.send(bytes);
    const text = await client.until(() => client.answers().length > 0).catch(() => client.text);
    expect(text === "" && !["a head cut off", "a head that does not end"].includes(name), name).toBe(false);
    // What the upstream tells its client is theirs; its cookies and challenges pass.
    answers.push(text.replaceAll(/(set-cookie|www-authenticate): .*\r\n/g, ""));
    client.destroy();
  }
  // The upstream got its own key, and the query, which is a part of the call.
  const call = bench.upstream.calls[0];
  expect(call?.headers.get("authorization")).toBe(`Bearer ${UPSTREAM_KEY}`);
  expect(call?.target).toContain("planted-query-10");
  for (const name of ["cookie", "x-api-key", "proxy-authorization"])
    expect(call?.headers.has(name)).toBe(false);

  // S3 away: the records stay in the spool, and the refusals are logged.
  bench.upstream.script = (next) => next.send(`${OK}content-length: 2\r\n\r\n{}`);
  bench.aws.setFault((asked) => (asked.service === "s3" ? { status: 503 } : undefined));
  const client = await bench.connect();
  client.send(ordinary);
  await client.answer();
  client.destroy();
  await eventually(async () => (await bench.metric("audit_upload_failures_total")) > 0, "S3 is away");
  const spool: string[] = [];
  for (const name of await readdir(bench.settings.SPOOL_DIR ?? "", { recursive: true })) {
    if (name.endsWith("lock")) continue;
    spool.push(await readFile(join(bench.settings.SPOOL_DIR ?? "", name), "latin1").catch(() => ""));
  }
  expect(spool.join("").length).toBeGreaterThan(1000);
  bench.aws.setFault(undefined);
  const metrics = await (await fetch(`${bench.url}/metrics`)).text();
  expect(await proxy.kill("SIGTERM")).toBe(0);
  const objects = await Promise.all((await bench.trail.keys("")).map((key) => bench.trail.text(key)));
  expect(objects.length).toBeGreaterThan(15);
  const places = { answers, spool, metrics: [metrics], logs: [proxy.output()], objects };
  for (const [place, texts] of Object.entries(places)) {
    for (const text of texts) expect(/planted-[a-z-]+\d+/.exec(text)?.[0], `in ${place}`).toBeUndefined();
  }
  expect(proxy.output()).toContain("The upstream failed");
});
