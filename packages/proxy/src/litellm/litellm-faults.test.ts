/** LiteLLM, its database, or the client away, slow or broken; and LiteLLM's own refusals, which pass as they are. */
import OpenAI from "openai";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { LitellmBench } from "../testing/litellm-bench.ts";
import { eventually } from "../testing/proxy-bench.ts";

let bench: LitellmBench;
let key: string;
let token: string;
let impatient: number;
beforeAll(async () => {
  bench = await LitellmBench.start();
  ({ key, token } = await bench.key({ user_id: "ada", key_alias: "lane" }));
  impatient = await bench.startGateway({ FIRST_BYTE_TIMEOUT_MS: "300", IDLE_TIMEOUT_MS: "300" });
});
afterAll(() => bench?.stop());
afterEach(() => {
  bench.standIn.next = null;
});

const ask = (content: string, more: object = {}) => ({
  model: "demo",
  messages: [{ role: "user", content }],
  ...more,
});
const chat = (body: unknown = ask("Hi"), options: { key?: string; port?: number } = {}) =>
  bench.call("POST", "/v1/chat/completions", body, { key, ...options });

describe("LiteLLM's own refusals", () => {
  it("pass with body and headers, and have their outcome: rate limit, budget, blocked key, bad request, fault", async () => {
    const { key: limited } = await bench.key({ rpm_limit: 1 });
    await chat(ask("one"), { key: limited });
    const second = await chat(ask("two"), { key: limited });
    expect(second.status).toBe(429);
    expect(second.headers.get("retry-after")).toBe("60");
    expect(second.headers.get("rate_limit_type")).toBe("requests");
    expect(await second.json()).toMatchObject({ error: { message: /Rate limit exceeded/, code: "429" } });
    expect(await bench.record(second)).toMatchObject({ outcome: "rate_limited", statusCode: 429 });

    const { key: poor } = await bench.key({ max_budget: 1, spend: 2 });
    const overspent = await chat(ask("Hi"), { key: poor });
    expect(overspent.status).toBe(400);
    expect(await bench.record(overspent)).toMatchObject({
      outcome: "blocked",
      error: { type: "budget_exceeded" },
    });

    const { key: blocked } = await bench.key({ blocked: true, user_id: "eve" });
    const denied = await chat(ask("Hi"), { key: blocked });
    expect(await bench.record(denied)).toMatchObject({
      statusCode: 401,
      outcome: "client_error",
      userId: "eve",
    });

    for (const [status, outcome] of [
      [400, "client_error"],
      [500, "upstream_error"],
    ] as const) {
      const body = `{"error": {"message":"litellm.Error: bad ada@example.org sk-abcdefgh12345678","type":null,"code":"${status}"}}`;
      bench.standIn.next = { answer: { status, headers: { "x-litellm-version": "1.100.5" }, body } };
      const response = await chat();
      expect(response.status).toBe(status);
      expect(await response.text()).toBe(body);
      const record = await bench.record(response);
      expect(record).toMatchObject({ outcome, response: { sha256: null } });
      expect(JSON.stringify(record.response.body)).toContain("bad [EMAIL] sha256:");
    }
  });

  it("are the client's error classes", async () => {
    const { key: limited } = await bench.key({ rpm_limit: 0 });
    const openai = new OpenAI({ baseURL: `${bench.url}/v1`, apiKey: limited, maxRetries: 0 });
    const call = openai.chat.completions.create({
      model: "demo",
      messages: [{ role: "user", content: "Hi" }],
    });
    await expect(call).rejects.toBeInstanceOf(OpenAI.RateLimitError);
  });
});

describe("keys", () => {
  it("are the ones that LiteLLM takes, whichever header has them", async () => {
    const other = await bench.key();
    for (const headers of [
      { "x-litellm-api-key": key, authorization: `Bearer ${other.key}` },
      { "x-litellm-api-key": `Bearer ${key}` },
      { authorization: `Bearer ${key}`, "x-api-key": other.key },
      { "api-key": key, "x-api-key": other.key },
      { "x-api-key": key },
    ] as Record<string, string>[]) {
      const response = await bench.call("POST", "/v1/chat/completions", ask("Hi"), { key: null, headers });
      expect(response.status).toBe(200);
      const record = await bench.record(response);
      expect(record.identity.keyId).toBe(token);
      expect(JSON.stringify(record)).not.toContain(key);
    }
  });

  it("reach LiteLLM, with the client's headers and without those of the connection or a cookie", async () => {
    const response = await bench.call("POST", "/v1/chat/completions", ask("Hi"), {
      key,
      headers: { "x-litellm-tags": "a", "anthropic-beta": "b", cookie: "token=x", te: "trailers" },
    });
    const { headers } = bench.standIn.last;
    expect(headers).toMatchObject({
      authorization: `Bearer ${key}`,
      "x-litellm-tags": "a",
      "anthropic-beta": "b",
      "x-request-id": response.headers.get("x-request-id"),
      "x-litellm-call-id": response.headers.get("x-request-id"),
    });
    expect(headers).not.toHaveProperty("cookie");
    expect(headers).not.toHaveProperty("te");
  });
});

describe("LiteLLM away", () => {
  it("is 502 in the caller's shape, recorded; and nothing is needed when it is back", async () => {
    const { port } = bench.standIn;
    await bench.standIn.close();
    const response = await chat();
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({
      error: { type: "upstream_error", code: "upstream_unavailable" },
    });
    expect(await bench.record(response)).toMatchObject({
      outcome: "upstream_error",
      userId: "ada",
      request: { body: ask("Hi") },
    });
    const message = await bench.call("POST", "/v1/messages", { ...ask("Hi"), max_tokens: 5 }, { key });
    expect(message.status).toBe(502);
    expect(await message.json()).toMatchObject({ type: "error", error: { type: "api_error" } });
    expect((await bench.call("POST", "/key/generate", {})).status).toBe(502);
    expect((await fetch(`${bench.url}/ready`)).status).toBe(503);
    expect((await fetch(`${bench.url}/health`)).status).toBe(200);
    await bench.standIn.listen(port);
    expect((await chat()).status).toBe(200);
    expect((await fetch(`${bench.url}/ready`)).status).toBe(200);
  });

  it("is 504 when it hangs before its answer, and a broken stream when it hangs within", async () => {
    bench.standIn.next = { hang: "head" };
    const response = await chat(ask("Hi"), { port: impatient });
    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({ error: { code: "upstream_timeout" } });
    bench.standIn.next = { hang: 4 };
    const stream = await chat(ask("Hi", { stream: true }), { port: impatient });
    await expect(stream.text()).rejects.toThrow();
    expect(await bench.record(stream)).toMatchObject({
      outcome: "upstream_error",
      response: { complete: false },
    });
  });

  it("is a broken connection when it breaks off within a stream; the record has what came", async () => {
    bench.standIn.says = "one two three four five six seven eight";
    bench.standIn.next = { cut: 4 };
    const stream = await chat(ask("Hi", { stream: true }));
    await expect(stream.text()).rejects.toThrow();
    bench.standIn.says = null;
    const record = await bench.record(stream);
    expect(record).toMatchObject({ outcome: "upstream_error", response: { complete: false } });
    expect(JSON.stringify(record.response.body)).toContain("one two");
  });
});

it("a client that leaves ends the call at LiteLLM", async () => {
  for (const more of [{}, { stream: true }]) {
    const before = bench.standIn.abandoned;
    bench.standIn.next = { hang: "stream" in more ? 3 : "head" };
    const controller = new AbortController();
    const seen = bench.standIn.calls.length;
    const call = fetch(`${bench.url}/v1/chat/completions`, {
      method: "POST",
      signal: controller.signal,
      headers: {
        authorization: `Bearer ${key}`,
        "content-type": "application/json",
        "x-request-id": `left-${before}`,
      },
      body: JSON.stringify(ask("Hi", more)),
    }).then((response) => response.text());
    await eventually(() => bench.standIn.calls.length > seen, "the call at LiteLLM");
    controller.abort();
    await expect(call).rejects.toThrow();
    await eventually(() => bench.standIn.abandoned > before, "the end of the call at LiteLLM");
    expect(await bench.record(`left-${before}`)).toMatchObject({ outcome: "client_aborted" });
  }
});

describe("PostgreSQL away", () => {
  it("calls go on: known keys as they were, new ones under their hash alone, and with the strictest mask", async () => {
    const shared = await bench.startGateway();
    const { key: fresh, token: hash } = await bench.key({ user_id: "new" });
    await chat(ask("Hi"), { port: shared });
    // Only the gateway's way to it is closed: LiteLLM has one of its own.
    const { database } = bench.bench;
    await database.query('ALTER TABLE "LiteLLM_TeamTable" RENAME TO "away"');
    try {
      const before = bench.standIn.calls.length;
      const body = ask("Write to ada@example.org");
      const unknown = await chat(body, { key: fresh, port: shared });
      expect(unknown.status).toBe(200);
      expect(JSON.parse(bench.standIn.last.body)).toEqual(ask("Write to [EMAIL]"));
      expect(await bench.record(unknown)).toMatchObject({
        userId: "unknown",
        identity: { method: "virtual-key", keyId: hash, keyAlias: null },
        outcome: "completed",
      });
      const known = await chat(body, { port: shared });
      expect(JSON.parse(bench.standIn.last.body)).toEqual(body);
      expect(await bench.record(known)).toMatchObject({ userId: "ada", identity: { keyAlias: "lane" } });
      expect(bench.standIn.calls.length).toBe(before + 2);
      const metrics = await (await fetch(`http://127.0.0.1:${shared}/metrics`)).text();
      expect(metrics).toContain("gateway_unattributed_requests_total 1");
    } finally {
      await database.query('ALTER TABLE "away" RENAME TO "LiteLLM_TeamTable"');
    }
    await eventually(async () => {
      const back = await chat(ask("Hi"), { key: fresh, port: shared });
      return (await bench.record(back)).userId === "new";
    }, "the owner's name");
  });
});

it("a database that is not there at all stops neither the start nor a call", async () => {
  const port = await bench.startGateway({ DATABASE_URL: "postgresql://nobody:x@127.0.0.1:1/none" });
  const response = await chat(ask("Hi"), { port });
  expect(response.status).toBe(200);
  expect(await bench.record(response)).toMatchObject({ userId: "unknown", identity: { keyId: token } });
});

it("mode strict refuses what cannot be written ahead, and LiteLLM hears nothing of it", async () => {
  const strict = await bench.startGateway({ AUDIT_MODE: "strict", SPOOL_MAX_BYTES: "1" });
  const before = bench.standIn.calls.length;
  for (const path of ["/v1/chat/completions", "/key/generate"]) {
    const response = await bench.call("POST", path, ask("Hi"), { port: strict });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { code: "audit_unavailable" } });
  }
  expect(bench.standIn.calls).toHaveLength(before);
});
