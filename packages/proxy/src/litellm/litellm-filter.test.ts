/** The PII filter in front of LiteLLM, on both sides, whole and streamed: what it stops, masks and leaves byte by byte. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { LitellmBench } from "../testing/litellm-bench.ts";
import { COST, type Fault } from "../testing/litellm-stand-in.ts";

const CARD = "4111 1111 1111 1111";
let bench: LitellmBench;
let key: string;
let strict: string;
let guarded: number;
let failing: number;
beforeAll(async () => {
  bench = await LitellmBench.start();
  ({ key } = await bench.key());
  ({ key: strict } = await bench.key({ metadata: { pii: { EMAIL: "mask", PHONE: "block" } } }));
  const guardrail = { PII_ENGINE: "bedrock-guardrail", GUARDRAIL_VERSION: "1" };
  guarded = await bench.startGateway({ ...guardrail, GUARDRAIL_ID: "gr-1" });
  failing = await bench.startGateway({ ...guardrail, GUARDRAIL_ID: "unknown" });
});
afterAll(() => bench?.stop());
afterEach(() => {
  bench.standIn.says = null;
  bench.standIn.next = null;
});

const ask = (content: unknown, more: object = {}) => ({
  model: "demo",
  messages: [{ role: "user", content }],
  ...more,
});
const WIRES = [
  ["/v1/chat/completions", ask("Hi")],
  ["/v1/completions", { model: "demo", prompt: "Hi" }],
  ["/v1/responses", { model: "demo", input: "Hi" }],
  ["/v1/messages", { ...ask("Hi"), max_tokens: 100 }],
] as const;
const chat = (body: unknown, by = key, port = bench.port) =>
  bench.call("POST", "/v1/chat/completions", body, { key: by, port });
const fail = (fault: Fault) => {
  bench.standIn.next = fault;
};

describe("a request", () => {
  it("goes to LiteLLM byte by byte when nothing is masked, also with a flagged value, which the audit does not keep", async () => {
    const body = `{ "model":"demo",  "messages":[{"role":"user","content":"Write to ada\\u0040example.org, 1.0"}] , "temperature": 1.0}`;
    const response = await chat(body);
    expect(response.status).toBe(200);
    expect(bench.standIn.last.body).toBe(body);
    const record = await bench.record(response);
    expect(JSON.stringify(record.request.body)).toContain("Write to [EMAIL], 1.0");
    expect(record.request.sha256).toBeNull();
    expect(record.policy.pii).toContainEqual({ entity: "EMAIL", count: 1, action: "flag" });
  });

  it("is masked for a key that wants that, and blocked for what it wants blocked", async () => {
    await chat(ask("Write to ada@example.org"), strict);
    expect(JSON.parse(bench.standIn.last.body)).toEqual(ask("Write to [EMAIL]"));
    const before = bench.standIn.calls.length;
    const blocked = await chat(ask("Call +49 30 901820"), strict);
    expect(blocked.status).toBe(400);
    expect(await blocked.json()).toMatchObject({ error: { code: "pii_blocked" } });
    expect(bench.standIn.calls).toHaveLength(before);
  });

  it.each([
    ["text/plain", JSON.stringify(ask(`Pay with ${CARD}`))],
    ["application/x-www-form-urlencoded", "model=demo&messages=x"],
    ["application/json", "[1]"],
    ["application/json", "{"],
  ])("that the filter cannot read does not pass: %s %s", async (type, body) => {
    const before = bench.standIn.calls.length;
    const response = await bench.call("POST", "/v1/chat/completions", body, {
      key,
      headers: { "content-type": type },
    });
    expect(response.status).toBe(400);
    expect(bench.standIn.calls).toHaveLength(before);
  });

  it("is refused when a key's own policy is none, and when the guardrail fails", async () => {
    const { key: odd } = await bench.key({ metadata: { pii: { EMIAL: "mask" } } });
    const before = bench.standIn.calls.length;
    const response = await chat(ask("Hello"), odd);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { code: "pii_filter_unavailable" } });
    expect((await chat(ask("Hello"), key, failing)).status).toBe(503);
    expect(bench.standIn.calls).toHaveLength(before);
  });

  it.each([
    ["POST", "/v1/audio/speech"],
    ["POST", "/bedrock/model/x/converse"],
    ["POST", "/openai/deployments/demo/chat/completions"],
    ["POST", "/v1/chat%2Fcompletions"],
    ["POST", "/key/../v1/chat/completions"],
    ["POST", "/key/%2e%2e/v1/chat/completions"],
    ["POST", "//v1/chat/completions"],
    ["PUT", "/v1/chat/completions"],
  ])("finds no way around the filter: %s %s", async (method, path) => {
    const before = bench.standIn.calls.length;
    const { status } = await new Promise<{ status: number }>((resolve) => {
      // fetch would tidy the path up.
      import("node:http").then(({ request }) =>
        request(
          `${bench.url}`,
          { method, path, headers: { authorization: `Bearer ${key}`, "content-type": "application/json" } },
          (response) => {
            response.resume();
            resolve({ status: response.statusCode ?? 0 });
          },
        ).end(JSON.stringify(ask(CARD))),
      );
    });
    expect([400, 404]).toContain(status);
    expect(bench.standIn.calls).toHaveLength(before);
  });
});

describe.each(WIRES)("an answer on %s", (path, body) => {
  const call = (more: object = {}, by = key) => bench.call("POST", path, { ...body, ...more }, { key: by });

  it("is the very bytes of LiteLLM's", async () => {
    const direct = async (more: object) => {
      const response = await fetch(`${bench.standIn.url}${path}`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: JSON.stringify({ ...body, ...more }),
      });
      return { bytes: await response.text(), headers: response.headers };
    };
    for (const more of [{}, { stream: true, stream_options: { include_usage: true } }]) {
      const wanted = await direct(more);
      const got = await call(more);
      expect(await got.text()).toBe(wanted.bytes);
      for (const name of [
        "x-litellm-model-id",
        "llm_provider-x-request-id",
        "server",
        "vary",
        "content-type",
      ])
        expect(got.headers.get(name)).toBe(wanted.headers.get(name));
    }
  });

  it("is blocked as a whole, and nothing of it is kept", async () => {
    bench.standIn.says = `The card is ${CARD}.`;
    const response = await call();
    const text = await response.text();
    expect(response.status).toBe(400);
    expect(text).toContain("CREDIT_CARD");
    expect(text).not.toContain("4111");
    const record = await bench.record(response);
    expect(record).toMatchObject({ outcome: "blocked", policy: { pii: [{ entity: "CREDIT_CARD" }] } });
    expect(JSON.stringify(record)).not.toContain("4111 1");
    expect(record.usage.source).toBe("provider");
    // LiteLLM has booked it.
    expect(record.cost).toEqual({ usd: COST, priceTable: "litellm" });
  });

  it("is masked as a whole", async () => {
    bench.standIn.says = "Write to ada@example.org today.";
    const response = await call({}, strict);
    const text = await response.text();
    expect(text).toContain("Write to [EMAIL] today.");
    expect(text).not.toContain("ada@");
    expect(response.headers.get("content-length")).toBe(String(Buffer.byteLength(text)));
    const record = await bench.record(response);
    expect(record).toMatchObject({ outcome: "completed", response: { sha256: null } });
    expect(JSON.stringify(record.response.body)).toContain("Write to [EMAIL] today.");
  });

  it.each([1, 2, 3, 5, 8, 13])("is blocked in a stream of %s characters an event", async (size) => {
    bench.standIn.size = size;
    bench.standIn.says = `The card is ${CARD}, as you know.`;
    const before = bench.standIn.abandoned;
    const response = await call({ stream: true });
    const text = await response.text();
    expect(text).not.toMatch(/4111|1111/);
    expect(text).not.toContain("[DONE]");
    expect(text).toContain("error");
    const record = await bench.record(response);
    expect(record).toMatchObject({
      outcome: "blocked",
      response: { complete: false },
      policy: { pii: [{ entity: "CREDIT_CARD", count: 1, action: "block" }] },
    });
    expect(JSON.stringify(record)).not.toContain("4111 1");
    expect(bench.standIn.abandoned).toBeGreaterThanOrEqual(before);
  });

  it.each([1, 4, 9])("is masked in a stream of %s characters an event", async (size) => {
    bench.standIn.size = size;
    bench.standIn.says = "Write to ada@example.org";
    const response = await call({ stream: true }, strict);
    const text = await response.text();
    expect(text).not.toMatch(/ada@|example\.org/);
    const record = await bench.record(response);
    expect(record).toMatchObject({ outcome: "completed", response: { complete: true, sha256: null } });
    expect(JSON.stringify(record.response.body)).toContain("Write to [EMAIL]");
    expect(JSON.stringify(record.response.body)).not.toContain("ada@");
  });
});

it("takes the usage that the client did not ask for out of a chunk that has more in it", async () => {
  const chunk = (delta: object, more: object = {}) =>
    `data: ${JSON.stringify({ model: "demo", choices: [{ index: 0, delta, finish_reason: null }], ...more })}\n\n`;
  const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
  const body = `${chunk({ content: "one " })}${chunk({ content: "two" }, { usage })}${chunk({}, { usage })}data: [DONE]\n\n`;
  fail({ answer: { status: 200, headers: { "content-type": "text/event-stream" }, body } });
  const response = await chat(ask("Hi", { stream: true }));
  const text = await response.text();
  expect(JSON.parse(bench.standIn.last.body)).toMatchObject({ stream_options: { include_usage: true } });
  expect(text).not.toContain("usage");
  expect(text.match(/"content":"[^"]*"/g)?.join("")).toMatch(/one .*two/);
  const record = await bench.record(response);
  expect(record.usage).toEqual({ promptTokens: 3, completionTokens: 2, totalTokens: 5, source: "provider" });
  expect(record.response.body).toMatchObject({ choices: [{ message: { content: "one two" } }] });
});

describe("what cannot be checked", () => {
  it("does not pass: a packed answer, bytes that are no text, an event that is no JSON", async () => {
    fail({ packed: true });
    const packed = await chat(ask("Hi"));
    expect(packed.status).toBe(503);
    expect(bench.standIn.last.headers["accept-encoding"]).toBe("identity");
    const events = {
      status: 200,
      headers: { "content-type": "text/event-stream" },
      body: `data: ${CARD}\n\n`,
    };
    fail({ answer: events });
    const stream = await (await chat(ask("Hi", { stream: true }))).text();
    expect(stream).not.toContain("4111");
    expect(stream).toContain("pii_filter_unavailable");
    const text = { status: 200, headers: { "content-type": "text/plain" }, body: `The card: ${CARD}` };
    fail({ answer: text });
    expect((await chat(ask("Hi"))).status).toBe(400);
  });

  it("a last event without its end is checked like the others", async () => {
    const chunk = {
      object: "chat.completion.chunk",
      choices: [{ index: 0, delta: { content: `It is ${CARD}` } }],
    };
    fail({
      answer: {
        status: 200,
        headers: { "content-type": "text/event-stream" },
        body: `data: ${JSON.stringify(chunk)}`,
      },
    });
    expect(await (await chat(ask("Hi", { stream: true }))).text()).not.toContain("4111");
  });
});

describe("the guardrail engine", () => {
  it("checks streams as a whole: as it came, or not at all", async () => {
    const fine = await chat(
      ask("Hi", { stream: true, stream_options: { include_usage: true } }),
      key,
      guarded,
    );
    expect(await fine.text()).toContain("[DONE]");
    expect((await bench.record(fine)).usage.source).toBe("provider");
    bench.standIn.says = `The card is ${CARD}.`;
    const blocked = await chat(ask("Hi", { stream: true }), key, guarded);
    expect(blocked.status).toBe(400);
    expect(await blocked.text()).not.toContain("4111");
  });
});
