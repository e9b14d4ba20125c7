import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { createServer, request as httpRequest, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CENTRAL_PLAN, CLIENT_PLAN, GENEROUS_PLAN, type UsagePlan } from "@central-llm/core/usage-plan";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { loadApiKeys, newApiKey } from "./api-key.ts";
import { type Edge, type EdgeSettings, startEdge } from "./edge.ts";
import { PlanMeter, periodStart } from "./plan-meter.ts";

/** What the proxy would see, and what it is to answer. */
let upstream: Server;
let upstreamUrl: string;
let onRequest: (request: IncomingMessage, response: import("node:http").ServerResponse) => void;
const key = newApiKey("test");
const edges: Edge[] = [];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "central-llm-edge-"));
  upstream = createServer((request, response) => onRequest(request, response)).listen(0, "127.0.0.1");
  await once(upstream, "listening");
  upstreamUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
});
afterEach(async () => {
  for (const edge of edges.splice(0)) await edge.stop();
});
afterAll(async () => {
  upstream.closeAllConnections();
  upstream.close();
  await rm(folder, { recursive: true, force: true });
});

async function edge(more: Partial<EdgeSettings> = {}): Promise<Edge> {
  const meter = more.meter ?? new PlanMeter(GENEROUS_PLAN);
  const started = await startEdge({ port: 0, upstreamUrl, keys: [key], ...more, meter });
  edges.push(started);
  return started;
}
const HEADERS = {
  "x-api-key": key.value,
  "x-llm-source": "smoke-test",
  "x-llm-user": "qa",
  "x-llm-request-type": "chat",
};
async function post(
  to: Edge,
  path = "/v1/chat/completions",
  headers: object = HEADERS,
  body: string | Buffer<ArrayBuffer> = "{}",
) {
  const answer = await fetch(to.url + path, { method: "POST", headers: { ...headers }, body });
  const text = await answer.text();
  return {
    status: answer.status,
    text,
    type: answer.headers.get("x-amzn-errortype"),
    headers: answer.headers,
  };
}

describe("API Gateway's words", () => {
  test("no key or a wrong one is 403 Forbidden; the root Missing Authentication Token", async () => {
    const to = await edge();
    for (const value of [undefined, "", key.value.slice(0, -1), key.value.toLowerCase()]) {
      const { "x-api-key": _, ...others } = HEADERS;
      const answer = await post(
        to,
        undefined,
        value === undefined ? others : { ...others, "x-api-key": value },
      );
      expect(answer).toMatchObject({
        status: 403,
        text: `{"message":"Forbidden"}`,
        type: "ForbiddenException",
      });
      expect(answer.headers.get("x-amzn-requestid")).toMatch(/^[0-9a-f-]{36}$/);
    }
    for (const path of ["/", "/?x=1", "/prod/"]) {
      expect(await post(to, path)).toMatchObject({
        status: 403,
        text: `{"message":"Missing Authentication Token"}`,
        type: "MissingAuthenticationTokenException",
      });
    }
  });

  test("missing headers are named in a 400", async () => {
    const to = await edge();
    const answer = await post(to, undefined, { "x-api-key": key.value, "x-llm-user": "qa" });
    expect(answer).toMatchObject({
      status: 400,
      text: `{"error":{"message":"Missing required request parameters: [x-llm-source, x-llm-request-type]","type":"invalid_request_error","param":null,"code":"missing_required_header"}}`,
      type: "BadRequestException",
    });
  });

  test("a body over 10 MB is 413, announced or not", async () => {
    onRequest = (request, response) => request.resume().on("end", () => response.end("{}"));
    const to = await edge();
    const big = Buffer.alloc(10 * 1024 * 1024 + 1, "x");
    expect(await post(to, undefined, HEADERS, big)).toMatchObject({
      status: 413,
      text: `{"error":{"message":"Request Too Long","type":"invalid_request_error","param":null,"code":"request_too_large"}}`,
    });
    const chunked = httpRequest(`${to.url}/v1/chat/completions`, { method: "POST", headers: HEADERS });
    chunked.on("error", () => {});
    chunked.write(big.subarray(0, -1));
    chunked.write(big.subarray(0, 1000));
    const [answer] = (await once(chunked, "response")) as [IncomingMessage];
    expect(answer.statusCode).toBe(413);
    chunked.destroy();
  });

  test("an upstream that is down, too slow or talks nonsense is 504 or 502", async () => {
    const gone = createServer().listen(0, "127.0.0.1");
    await once(gone, "listening");
    const { port } = gone.address() as AddressInfo;
    gone.close();
    expect(await post(await edge({ upstreamUrl: `http://127.0.0.1:${port}` }))).toMatchObject({
      status: 504,
      text: `{"error":{"message":"Network error communicating with endpoint","type":"server_error","param":null,"code":"model_unavailable"}}`,
    });
    onRequest = () => {};
    expect(await post(await edge({ integrationTimeoutMs: 50 }))).toMatchObject({
      status: 504,
      text: `{"error":{"message":"Endpoint request timed out","type":"server_error","param":null,"code":"timeout"}}`,
    });
    onRequest = (request) => request.socket.end("this is not HTTP\r\n\r\n");
    expect(await post(await edge())).toMatchObject({
      status: 502,
      text: `{"message":"Internal server error"}`,
    });
  });
});

describe("what crosses", () => {
  test("its own key id replaces a client's; the key, Host and hop-by-hop headers stay behind", async () => {
    let seen: IncomingMessage | undefined;
    onRequest = (request, response) => {
      seen = request;
      response.writeHead(200, { "x-request-id": "r1", "keep-alive": "timeout=1", connection: "keep-alive" });
      response.end("{}");
    };
    const to = await edge();
    const answer = await post(to, "/prod/v1/chat/completions?a=1", {
      ...HEADERS,
      "X-LLM-API-Key-Id": "forged",
      "x-forwarded-for": "203.0.113.9",
      authorization: "Bearer sk",
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("x-request-id")).toBe("r1");
    expect(answer.headers.get("keep-alive")).not.toBe("timeout=1");
    expect(seen?.url).toBe("/v1/chat/completions?a=1");
    expect(seen?.headersDistinct).toMatchObject({
      "x-llm-api-key-id": [key.id],
      "x-llm-source": ["smoke-test"],
      "x-forwarded-for": ["203.0.113.9, 127.0.0.1"],
      authorization: ["Bearer sk"],
      host: [new URL(upstreamUrl).host],
    });
    expect(seen?.headers["x-api-key"]).toBeUndefined();
  });

  test("a header that Connection names goes no further", async () => {
    let seen: IncomingMessage | undefined;
    onRequest = (request, response) => {
      seen = request;
      response.end("{}");
    };
    const to = await edge();
    const sent = httpRequest(`${to.url}/v1/models`, {
      headers: { ...HEADERS, connection: "close, x-hop", "x-hop": "1", "x-kept": "1" },
    }).end();
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    answer.resume();
    expect(seen?.headers["x-kept"]).toBe("1");
    expect(seen?.headers["x-hop"]).toBeUndefined();
  });

  test("streams both ways: the first chunk arrives before the last is sent, and a client that leaves is passed on", async () => {
    let left: Promise<unknown> | undefined;
    let finish = () => {};
    onRequest = (_, response) => {
      left = once(response, "close");
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: 1\n\n");
      finish = () => response.end("data: 2\n\n");
    };
    const to = await edge();
    const first = await fetch(`${to.url}/v1/chat/completions`, {
      method: "POST",
      headers: HEADERS,
      body: "{}",
    });
    const reader = first.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toBe("data: 1\n\n");
    finish();
    expect((await reader?.read())?.value).toBe("data: 2\n\n");

    const abort = new AbortController();
    const second = await fetch(`${to.url}/v1/chat/completions`, {
      method: "POST",
      headers: HEADERS,
      body: "{}",
      signal: abort.signal,
    });
    expect(second.status).toBe(200);
    abort.abort();
    await left;
  });

  test("a client that does not read holds the upstream back", async () => {
    let written = 0;
    onRequest = (_, response) => {
      response.writeHead(200);
      const chunk = Buffer.alloc(64 * 1024);
      const more = () => {
        while (written < 200 * 1024 * 1024) {
          written += chunk.length;
          if (!response.write(chunk)) return void response.once("drain", more);
        }
        response.end();
      };
      more();
    };
    const to = await edge();
    const sent = httpRequest(`${to.url}/v1/models`, { headers: HEADERS }).end();
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    let before = -1;
    // The buffers between fill up, then nothing moves.
    await expect
      .poll(
        () => {
          const still = before === written;
          before = written;
          return still;
        },
        { interval: 200 },
      )
      .toBe(true);
    expect(written).toBeLessThan(50 * 1024 * 1024);
    answer.destroy();
  });

  test("an answer that breaks off upstream breaks off here", async () => {
    onRequest = (_, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("half", () => response.socket?.destroy());
    };
    await expect(post(await edge())).rejects.toThrow();
  });
});

describe("usage plans", () => {
  const meter = (plan: UsagePlan, clock: { now: number }, file?: string) =>
    new PlanMeter(plan, file, () => clock.now);

  test("throttles by rate and burst in AWS's words, and lets in again as the bucket fills", async () => {
    onRequest = (request, response) => request.resume().on("end", () => response.end("{}"));
    const clock = { now: Date.UTC(2026, 10, 21) };
    const to = await edge({ meter: meter(CLIENT_PLAN, clock) });
    const round = async (n: number) => {
      const statuses = [];
      for (let i = 0; i < n; i++) statuses.push((await post(to)).status);
      return statuses.filter((status) => status === 200).length;
    };
    expect(await round(12)).toBe(CLIENT_PLAN.burst);
    expect(await post(to)).toMatchObject({
      status: 429,
      text: `{"message":"Too Many Requests"}`,
      type: "TooManyRequestsException",
    });
    clock.now += 400;
    expect(await round(3)).toBe(2);
    clock.now += 3_600_000;
    expect(await round(12)).toBe(CLIENT_PLAN.burst);
  });

  test("counts the quota over restarts and by period; the throttled count nothing", async () => {
    const clock = { now: Date.UTC(2026, 10, 21, 23) };
    const file = join(folder, "usage.json");
    const plan: UsagePlan = { name: "p", rate: 1000, burst: 3, quota: { limit: 5, period: "day" } };
    const first = meter(plan, clock, file);
    const verdicts = (of: PlanMeter, n: number) => Array.from({ length: n }, () => of.admit("k"));
    expect(verdicts(first, 4)).toEqual(["admitted", "admitted", "admitted", "throttled"]);
    first.save();
    const second = meter(plan, clock, file);
    expect(verdicts(second, 3)).toEqual(["admitted", "admitted", "quota"]);
    expect(second.admit("another key")).toBe("admitted");
    clock.now += 3_600_000;
    expect(second.admit("k")).toBe("admitted");

    const to = await edge({ meter: meter({ ...plan, quota: { limit: 0, period: "month" } }, clock) });
    expect(await post(to)).toMatchObject({
      status: 429,
      text: `{"message":"Limit Exceeded"}`,
      type: "LimitExceededException",
    });
  });

  test("periods begin at UTC midnight, on Sunday, on the first; the seeds' figures hold", () => {
    const at = Date.UTC(2026, 10, 21, 12);
    expect([periodStart(at, "day"), periodStart(at, "week"), periodStart(at, "month")]).toEqual([
      "2026-11-21",
      "2026-11-15",
      "2026-11-01",
    ]);
    expect(CENTRAL_PLAN).toMatchObject({ rate: 100, burst: 50, quota: { limit: 100_000, period: "month" } });
    expect(CLIENT_PLAN).toMatchObject({ rate: 5, burst: 10, quota: { limit: 5_000, period: "day" } });
  });
});

test("API keys are made once, for the owner alone", async () => {
  const file = join(folder, "keys", "api-keys.json");
  const [made] = loadApiKeys(file, "central-llm-client");
  expect(made?.value).toMatch(/^[A-Za-z0-9]{40}$/);
  expect(loadApiKeys(file, "central-llm-client")).toEqual([made]);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readFile(file, "utf8")).toContain(made?.id);
});
