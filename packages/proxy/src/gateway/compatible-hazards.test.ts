/** An OpenAI-compatible server that is slow, fails, breaks off, says too much or never stops, byte by byte. */
import { readFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { compatible, onBedrock, settingsOf, UPSTREAM_KEY } from "../testing/compatible-models.ts";
import { GatewayBench } from "../testing/gateway-bench.ts";
import { ScriptedUpstream, type UpstreamCall } from "../testing/scripted-upstream.ts";
import { parseGatewayConfig } from "./gateway-config.ts";

let bench: GatewayBench;
let upstream: ScriptedUpstream;
let key: string;
let models: Record<string, string>;

beforeAll(async () => {
  upstream = await ScriptedUpstream.start();
  const { url } = upstream;
  models = settingsOf([
    compatible("house", url, "there/house-7b"),
    compatible("house-first", url, "house", { fallbacks: ["claude"] }),
    onBedrock("claude"),
    onBedrock("claude-first", ["house"]),
    compatible("limited", url, "limited", {
      ability: { kind: "chat", contextWindow: 32_000, maxOutputTokens: 4_000, defaultOutputTokens: 100 },
      target: { limitParameter: "max_completion_tokens" },
    }),
    compatible("ours", url, "ours", { target: { tellsCaller: true, apiKeyHeader: "x-api-key" } }),
  ]);
  bench = await GatewayBench.start({
    settings: { ...models, FIRST_BYTE_TIMEOUT_MS: "400", IDLE_TIMEOUT_MS: "400" },
  });
  ({ key } = await bench.key({ user_id: "ada" }));
});
afterAll(async () => {
  await bench?.stop();
  await upstream?.stop();
});
afterEach(() => {
  upstream.reset();
  bench.standIn.clearFaults();
});

const ask = (content: string, more: object = {}) => ({
  model: "house",
  messages: [{ role: "user", content }],
  ...more,
});
const chat = (body: object, headers: Record<string, string> = {}, by = key) =>
  bench.call("POST", "/v1/chat/completions", body, { key: by, headers });
const idOf = (response: Response) => response.headers.get("x-request-id") ?? "";
const recordOf = (response: Response) => bench.record(idOf(response));

const message = (content: string) => ({
  id: "chatcmpl-1",
  object: "chat.completion",
  model: "there/house-7b",
  choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
  usage: {
    prompt_tokens: 1_000,
    completion_tokens: 100,
    total_tokens: 1_100,
    prompt_tokens_details: { cached_tokens: 400 },
  },
});
const piece = (content: string, finish: string | null = null) =>
  `data: ${JSON.stringify({
    object: "chat.completion.chunk",
    model: "there/house-7b",
    choices: [{ index: 0, delta: { content }, finish_reason: finish }],
  })}\n\n`;
const refuse =
  (status: number, text: string, more: object = {}) =>
  (call: UpstreamCall) =>
    call.answer(
      status,
      { "content-type": "application/json" },
      JSON.stringify({ error: { message: text, ...more } }),
    );
/** Answers each call in its turn, the last one again and again. */
const inTurn = (...scripts: ((call: UpstreamCall) => void)[]) => {
  upstream.script = (call) => (scripts.length > 1 ? scripts.shift() : scripts[0])?.(call);
};
const contentOf = (text: string) =>
  text
    .split("\n\n")
    .flatMap((event) => (event.startsWith("data: {") ? [JSON.parse(event.slice(6))] : []))
    .map(({ choices }) => choices?.[0]?.delta?.content ?? "")
    .join("");

describe("what the server is sent", () => {
  it("is the request as it came, with its own name of the model, its key, and our id", async () => {
    upstream.script = (call) => call.json200(message("Hello"));
    const body = ask("Hi", { logit_bias: { 7: 1 }, tools: [], vendor_option: { deep: [1, null] } });
    const response = await chat(body, { "x-request-id": "mine-1", "user-agent": "spy", cookie: "a=b" });
    expect(await response.json()).toEqual({ ...message("Hello"), model: "house" });
    const call = await upstream.call();
    expect(call.target).toBe("/v1/chat/completions");
    expect(call.json).toEqual({ ...body, model: "there/house-7b" });
    expect(Object.fromEntries(call.headers)).toEqual({
      host: new URL(upstream.url).host,
      connection: "keep-alive",
      "content-type": "application/json",
      "content-length": expect.any(String),
      accept: "application/json",
      "accept-encoding": "identity",
      authorization: `Bearer ${UPSTREAM_KEY}`,
      "x-request-id": "mine-1-upstream",
    });
    expect(upstream.problems).toEqual([]);
    const record = await recordOf(response);
    // 600 + 400 / 10 + 2 * 100, in millionths.
    expect(record.cost?.usd).toBeCloseTo(0.00084, 10);
    expect(JSON.stringify(record)).not.toContain(UPSTREAM_KEY);
  });

  it("names the caller to a server of our own, and the limit where the list has one", async () => {
    upstream.script = (call) => call.json200(message("Hello"));
    await chat(ask("Hi", { model: "ours" }));
    expect(Object.fromEntries((await upstream.call()).headers)).toMatchObject({
      "x-api-key": UPSTREAM_KEY,
      "x-llm-source": "unknown",
      "x-llm-user": "ada",
      "x-llm-request-type": "chat",
    });
    expect((await upstream.call()).headers.has("authorization")).toBe(false);
    await chat(ask("Hi", { model: "limited" }));
    expect((await upstream.call(1)).json).toMatchObject({ max_completion_tokens: 100 });
    await chat(ask("Hi", { model: "limited", max_tokens: 7 }));
    expect((await upstream.call(2)).json).toEqual({ ...ask("Hi"), model: "limited", max_tokens: 7 });
    const more = await chat(ask("Hi", { model: "limited", max_tokens: 5_000 }));
    expect(await more.json()).toMatchObject({ error: { code: "max_tokens_exceeded", param: "max_tokens" } });
  });

  it("belongs to the client's trace", async () => {
    upstream.script = (call) => call.json200(message("Hello"));
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const response = await chat(ask("Hi"), { traceparent, tracestate: "vendor=1" });
    const { headers } = await upstream.call();
    expect([headers.get("traceparent"), headers.get("tracestate")]).toEqual([traceparent, "vendor=1"]);
    expect((await recordOf(response)).trace).toMatchObject({ traceId: traceparent.slice(3, 35) });
  });

  it("holds nothing that the filter blocks", async () => {
    const response = await chat(ask("Pay with 4111 1111 1111 1111"));
    expect(response.status).toBe(400);
    const old = { model: "house", prompt: "Pay with 4111 1111 1111 1111" };
    expect((await bench.call("POST", "/v1/completions", old, { key })).status).toBe(400);
    expect(upstream.calls).toHaveLength(0);
    expect(JSON.stringify(await recordOf(response))).not.toContain("4111");
  });
});

describe("limits", () => {
  it("reserve what the call can cost, and settle what the server counted", async () => {
    upstream.script = (call) => call.json200(message("Hello"));
    // 4,000 tokens of answer cost $0.008.
    const poor = await bench.key({ max_budget: 0.0079 });
    const refused = await chat(ask("Hi"), {}, poor.key);
    expect(refused.status).toBe(403);
    expect(upstream.calls).toHaveLength(0);
    expect((await chat(ask("Hi", { max_tokens: 500 }), {}, poor.key)).status).toBe(200);
    const many = await chat(ask("Hi", { max_tokens: 500, n: 9 }), {}, poor.key);
    expect(many.status).toBe(403);
    const tight = await bench.key({ tpm_limit: 1_500 });
    const counted = await chat(ask("Hi", { max_tokens: 300 }), {}, tight.key);
    expect(await bench.spend(idOf(counted))).toMatchObject({ total_tokens: 1_100 });
    // The server counted 1,100, far more than was reserved.
    const limited = await chat(ask("Hi", { max_tokens: 500 }), {}, tight.key);
    expect(limited.status).toBe(429);
  });

  it("book what came by our own count where the server says no usage", async () => {
    const { usage: _none, ...silent } = message("x".repeat(350));
    upstream.script = (call) => call.json200(silent);
    const record = await recordOf(await chat(ask("Hi")));
    expect(record.usage).toMatchObject({ source: "estimated", completionTokens: 100 });
    upstream.script = (call) => {
      call.beginChunked();
      call.chunk(`${piece("x".repeat(175))}${piece("x".repeat(175), "stop")}data: [DONE]\n\n`);
      call.endChunked();
    };
    const streamed = await chat(ask("Hi", { stream: true }));
    await streamed.text();
    expect((await recordOf(streamed)).usage).toMatchObject({ source: "estimated", completionTokens: 100 });
  });
});

describe("a server that fails", () => {
  it("is asked again, and then Bedrock in its place", async () => {
    inTurn(refuse(503, "busy"), (call) => call.json200(message("Hello")));
    const again = await chat(ask("Hi"));
    expect([again.status, again.headers.get("x-litellm-attempted-retries")]).toEqual([200, "1"]);
    inTurn(refuse(429, "slow down"));
    const elsewhere = await chat(ask("Hi", { model: "house-first" }));
    expect(elsewhere.headers.get("x-litellm-model-id")).toBe("claude");
    expect((await recordOf(elsewhere)).model).toMatchObject({
      requested: "house-first",
      provider: "bedrock",
    });
    expect(upstream.calls).toHaveLength(2 + 3);
    inTurn(() => {});
    const slow = await chat(ask("Hi", { model: "house-first", stream: true }));
    expect(contentOf(await slow.text())).toBe("You said: Hi");
    // One that is too slow is not asked again.
    expect(upstream.calls).toHaveLength(2 + 3 + 1);
  });

  it("takes Bedrock's place when that fails", async () => {
    upstream.script = (call) => call.json200(message("from the house"));
    bench.standIn.fail({ error: "ThrottlingException", times: 3 });
    const response = await chat(ask("Hi", { model: "claude-first" }));
    expect(await response.json()).toMatchObject({
      model: "claude-first",
      choices: [{ message: { content: "from the house" } }],
    });
    expect(response.headers.get("x-litellm-attempted-fallbacks")).toBe("1");
    const record = await recordOf(response);
    expect(record.model).toEqual({
      requested: "claude-first",
      served: "there/house-7b",
      provider: "openai-compatible",
    });
    expect(record.cost?.priceTable).toMatch(/^model-list:/);
  });

  it.each([
    [429, "rate_limit_error", 429],
    [500, "upstream_error", 502],
    [503, "overloaded_error", 503],
    [504, "upstream_error", 504],
    [401, "upstream_error", 502],
    [404, "upstream_error", 502],
    [307, "upstream_error", 502],
  ])("with %i is told as %s (%i), and tells nothing of our key or settings", async (status, type, told) => {
    upstream.script = refuse(status, `Incorrect API key ${UPSTREAM_KEY} of account 77`, { location: "/" });
    const response = await chat(ask("Hi"));
    const text = await response.text();
    expect(response.status).toBe(told);
    expect(JSON.parse(text)).toMatchObject({ error: { type } });
    const record = await recordOf(response);
    for (const place of [text, JSON.stringify(record)]) {
      expect(place).not.toContain(UPSTREAM_KEY);
      expect(place).not.toContain("account 77");
    }
    expect(await bench.spend(idOf(response))).toMatchObject({ status: "failure", spend: 0 });
  });

  it("with 400 is quoted, without our key and without personal data", async () => {
    upstream.script = refuse(400, `Bad tool: ${UPSTREAM_KEY}, input ada@example.org`, { param: "tools[0]" });
    const response = await chat(ask("Hi"));
    expect([response.status, await response.json()]).toMatchObject([
      400,
      {
        error: {
          type: "invalid_request_error",
          message: "Bad tool: [key], input [EMAIL]",
          param: "tools[0]",
        },
      },
    ]);
    expect(upstream.calls).toHaveLength(1);
    // As older vLLM words it.
    upstream.script = (call) => call.answer(400, {}, '{"object":"error","message":"Bad seed","code":400}');
    expect(await (await chat(ask("Hi"))).json()).toMatchObject({ error: { message: "Bad seed" } });
    upstream.script = refuse(400, "This model's maximum context length is 8192 tokens.");
    expect(await (await chat(ask("Hi"))).json()).toMatchObject({
      error: { code: "context_length_exceeded" },
    });
  });

  it.each([
    ["no JSON", (call: UpstreamCall) => call.answer(200, {}, "<html>")],
    ["a packed answer", (call: UpstreamCall) => call.answer(200, { "content-encoding": "gzip" }, "x")],
    ["an error as an answer", (call: UpstreamCall) => call.json200({ error: { message: "died" } })],
    ["a connection that breaks", (call: UpstreamCall) => call.resetAfter("HTTP/1.1 200 OK\r\n")],
  ])("by sending %s counts as failed", async (_, script) => {
    upstream.script = script;
    const response = await chat(ask("Hi"));
    expect([response.status, upstream.calls.length]).toEqual([502, 3]);
    expect(await bench.metric("gateway_failed_attempts_total", 'model="house"')).toBeGreaterThan(0);
  });
});

describe("a stream", () => {
  const begin = (...pieces: string[]) => {
    upstream.script = (call) => {
      call.beginChunked();
      for (const one of pieces) call.chunk(one);
    };
  };

  it("is filtered across its chunks, however the bytes are cut", async () => {
    const whole = `${piece("Pay with 4111 1111 ")}${piece("1111 1111 now", "stop")}data: [DONE]\n\n`;
    for (const cut of [70, 120, 190, 200]) {
      begin(whole.slice(0, cut), whole.slice(cut));
      const response = await chat(ask("Hi", { stream: true }));
      const text = await response.text();
      expect(contentOf(text)).not.toContain("1111 1111");
      expect(text).toContain('"code":"pii_blocked"');
      expect(text).not.toContain("[DONE]");
      const record = await recordOf(response);
      expect(record).toMatchObject({ outcome: "blocked", response: { complete: false } });
      expect(JSON.stringify(record)).not.toContain("4111");
    }
  });

  it("leaves its connection to the next one, and none that its server does not end", async () => {
    const event = `${piece("Hello", "stop")}data: [DONE]\n\n`;
    upstream.script = (call) => {
      call.beginChunked();
      call.chunk(event);
      call.endChunked();
    };
    const read = async () => contentOf(await (await chat(ask("Hi", { stream: true }))).text());
    for (let again = 0; again < 4; again++) expect(await read()).toBe("Hello");
    expect(upstream.connections).toBeLessThanOrEqual(1);
    begin(event);
    expect(await read()).toBe("Hello");
    await (await upstream.call(4)).closed();
  });

  it("that a guardrail reads is sent when all of it was read", async () => {
    const guardrail = { PII_ENGINE: "bedrock-guardrail", GUARDRAIL_ID: "gr-1", GUARDRAIL_VERSION: "1" };
    const port = await bench.startGateway({ ...models, ...guardrail });
    const read = async (...contents: string[]) => {
      const said = JSON.stringify({ choices: [], usage: message("").usage });
      begin(
        ...contents.map((content) => piece(content)),
        piece("", "stop"),
        `data: ${said}\n\ndata: [DONE]\n\n`,
      );
      const body = ask("Hi", { stream: true });
      const response = await bench.call("POST", "/v1/chat/completions", body, { key, port });
      return { text: await response.text(), record: await recordOf(response) };
    };
    const good = await read("Hello, ", "you");
    expect(contentOf(good.text)).toBe("Hello, you");
    expect(good.text).toMatch(/data: \[DONE\]\n\n$/);
    expect(good.text).not.toContain("usage");
    expect(good.record).toMatchObject({ outcome: "completed", usage: { totalTokens: 1_100 } });
    const bad = await read("Pay with 4111 1111", " 1111 1111");
    expect(bad.text).toContain("pii_blocked");
    expect(bad.text).not.toContain("1111");
  });

  it("that breaks off, or tells of an error, ends with an error event", async () => {
    upstream.script = (call) => {
      call.beginChunked();
      call.chunk(piece("Hello"));
      call.endChunked();
    };
    const cut = await chat(ask("Hi", { stream: true }));
    const text = await cut.text();
    expect(text).toContain("Hello");
    expect(text).toContain('"type":"upstream_error"');
    expect(text).not.toContain("[DONE]");
    expect(await recordOf(cut)).toMatchObject({
      outcome: "upstream_error",
      response: { complete: false, body: { choices: [{ message: { content: "Hello" } }] } },
    });
    begin(piece("Hello"), `data: {"error":{"message":"died, ${UPSTREAM_KEY}","code":500}}\n\n`);
    const told = await (await chat(ask("Hi", { stream: true }))).text();
    expect(told).toContain('"type":"upstream_error"');
    expect(told).not.toContain(UPSTREAM_KEY);
    begin(piece("Hello"), 'data: {"object":"error","message":"Too much","code":400}\n\n');
    expect(await (await chat(ask("Hi", { stream: true }))).text()).toContain('"message":"Too much"');
    begin(piece("Hello"));
    const silent = await (await chat(ask("Hi", { stream: true }))).text();
    expect(silent).toContain('"code":"upstream_timeout"');
  });

  it("whose first word is an error is tried again unseen", async () => {
    inTurn(
      (call) => {
        call.beginChunked();
        call.chunk('data: {"error":{"message":"busy","code":503}}\n\n');
        call.endChunked();
      },
      (call) => {
        call.beginChunked();
        call.chunk(`: a comment\n\n${piece("Hello", "stop")}data: [DONE]\n\n`);
        call.endChunked();
      },
    );
    const response = await chat(ask("Hi", { stream: true }));
    expect([response.status, contentOf(await response.text())]).toEqual([200, "Hello"]);
  });

  it("ends at the server when the client leaves", async () => {
    begin(piece("Hello"));
    const left = new AbortController();
    const response = await fetch(`${bench.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      body: JSON.stringify(ask("Hi", { stream: true })),
      signal: left.signal,
    });
    await response.body?.getReader().read();
    left.abort();
    await (await upstream.call()).closed();
    expect(await recordOf(response)).toMatchObject({
      outcome: "client_aborted",
      usage: { source: "estimated" },
    });
  });

  it("of a client that does not read fills no memory", async () => {
    const sent = { bytes: 0, stalled: false };
    const most = 64 * 1024 * 1024;
    const event = piece("x".repeat(60_000));
    upstream.script = (call) => {
      call.beginChunked();
      const bytes = Buffer.from(`${event.length.toString(16)}\r\n${event}\r\n`);
      const more = () => {
        while (sent.bytes < most && !call.socket.destroyed) {
          sent.bytes += bytes.length;
          sent.stalled = !call.socket.write(bytes);
          if (sent.stalled) return void call.socket.once("drain", more);
        }
      };
      more();
    };
    const left = new AbortController();
    const response = await fetch(`${bench.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      body: JSON.stringify(ask("Hi", { stream: true })),
      signal: left.signal,
    });
    // The gateway drops a client that takes nothing for so long, and with it the call.
    await (await upstream.call()).closed();
    expect(sent.stalled).toBe(true);
    expect(sent.bytes).toBeLessThan(most / 2);
    left.abort();
    expect((await recordOf(response)).outcome).toBe("client_aborted");
  });
});

describe("the model list", () => {
  const parse = (models: unknown[], more: object = {}) =>
    parseGatewayConfig({ ...bench.settings(), MODELS: JSON.stringify(models), ...more });

  it("is taken as the documents show it", async () => {
    const text = await readFile(new URL("../../../../docs/models.md", import.meta.url), "utf8");
    const shown = /```json\n(.*?)```/s.exec(text)?.[1] ?? "";
    const keys = { CENTRAL_API_KEY: "a", OPENAI_API_KEY: "b" };
    const { models: list, upstreamKeys } = parse(JSON.parse(shown), keys);
    expect(list.models.map(({ name }) => name)).toContain("house-mistral");
    expect([...upstreamKeys.values()]).toEqual(["a", "b"]);
  });

  it("is refused at start without a price, without the named key, or with a secret in the address", () => {
    const { price: _none, ...unpriced } = compatible("house", "http://127.0.0.1:1", "m");
    expect(() => parse([unpriced], { TEST_UPSTREAM_KEY: "k" })).toThrow(/model house: a price is required/);
    const priced = compatible("house", "http://127.0.0.1:1", "m");
    expect(() => parse([priced])).toThrow(/TEST_UPSTREAM_KEY: required by model house/);
    expect(() => parse([priced], { TEST_UPSTREAM_KEY: "two\nlines" })).toThrow(/no header can hold it/);
    expect(() => parse([compatible("house", "http://me:pass@127.0.0.1:1", "m")])).toThrow(
      /must hold no user/,
    );
    const wire = { kind: "embedding", contextWindow: 1, wire: "titan-v2", dimensions: [1] } as const;
    expect(() => parse([{ ...priced, ability: wire }])).toThrow(/wire "openai"/);
  });
});
