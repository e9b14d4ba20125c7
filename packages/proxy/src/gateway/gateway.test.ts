/** The gateway as a whole, over HTTP: what each step does to a request, and what is left of it in S3 and PostgreSQL. */
import { hash } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { GatewayBench } from "../testing/gateway-bench.ts";

let bench: GatewayBench;
beforeAll(async () => {
  bench = await GatewayBench.start();
});
afterAll(() => bench?.stop());
afterEach(() => bench.standIn.clearFaults());

const MODEL = "claude-3-5-sonnet";
const ask = (content: string, more: object = {}) => ({
  model: MODEL,
  messages: [{ role: "user", content }],
  ...more,
});
const chat = (key: string | null, body: unknown, headers: Record<string, string> = {}) =>
  bench.call("POST", "/v1/chat/completions", body, { key, headers });

const idOf = (response: Response) => response.headers.get("x-request-id") ?? "";
const eventually = async (holds: () => Promise<boolean>) => expect.poll(holds).toBe(true);
/** The data of a stream's events. */
const eventsOf = (text: string) =>
  text
    .split("\n\n")
    .flatMap((event) => event.split("\n").filter((line) => line.startsWith("data: ")))
    .map((line) => line.slice(6));

it("has its connections to the database before the first request comes", async () => {
  const { rows } = await bench.database.query(
    `SELECT application_name AS name, count(*)::integer AS open FROM pg_stat_activity
     WHERE datname = current_database() AND application_name ~ '(admission|settlement)$' GROUP BY 1 ORDER BY 1`,
  );
  expect(rows).toEqual([
    { name: "central-llm-admission", open: 2 },
    { name: "central-llm-settlement", open: 2 },
  ]);
});

describe("a chat completion", () => {
  it("is answered, audited with its key and owner, and booked", async () => {
    const { key, token } = await bench.key({
      key_alias: "lane",
      user_id: "ada",
      max_budget: 10,
      rpm_limit: 5,
      tpm_limit: 100_000,
    });
    const response = await chat(key, ask("Hello", { user: "ada" }));
    expect(response.status).toBe(200);
    const body = (await response.json()) as { usage: Record<string, number> };
    const id = response.headers.get("x-request-id") ?? "";
    expect(response.headers.get("x-litellm-call-id")).toBe(id);
    expect(response.headers.get("x-ratelimit-api_key-remaining-requests")).toBe("4");
    expect(response.headers.get("x-litellm-key-max-budget")).toBe("10");
    const { record } = await bench.stored(id);
    expect(record).toMatchObject({
      profile: "gateway",
      userId: "ada",
      requestType: "chat",
      identity: {
        method: "virtual-key",
        keyId: token,
        keyAlias: "lane",
        assertedUser: "ada",
        matches: true,
      },
      statusCode: 200,
      outcome: "completed",
      model: {
        requested: MODEL,
        served: "anthropic.claude-3-5-sonnet-20241022-v2:0",
        provider: "bedrock",
      },
      request: { body: ask("Hello", { user: "ada" }) },
      response: { body, complete: true },
      usage: {
        promptTokens: body.usage.prompt_tokens,
        completionTokens: body.usage.completion_tokens,
        source: "provider",
      },
    });
    expect(record.policy.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(record.cost?.usd).toBeGreaterThan(0);
    expect(response.headers.get("x-litellm-response-cost")).toBe(String(record.cost?.usd));
    expect(await bench.spend(id)).toMatchObject({
      api_key: token,
      user: "ada",
      spend: record.cost?.usd,
      total_tokens: record.usage.totalTokens,
      model_group: MODEL,
      call_type: "acompletion",
      status: "success",
    });
  });

  it("streams, and its record holds the completion that the stream made up", async () => {
    const { key, token } = await bench.key();
    const response = await chat(
      key,
      ask("Write 40 words", { stream: true, stream_options: { include_usage: true } }),
    );
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    const text = await response.text();
    const events = eventsOf(text);
    expect(events.at(-1)).toBe("[DONE]");
    const chunks = events.slice(0, -1).map((event) => JSON.parse(event));
    const content = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
    expect(content.split(" ")).toHaveLength(40);
    const { record } = await bench.stored(idOf(response));
    expect(record).toMatchObject({
      http: { stream: true },
      outcome: "completed",
      usage: { totalTokens: chunks.at(-1).usage.total_tokens, source: "provider" },
      response: { bytes: Buffer.byteLength(text), complete: true, sha256: hash("sha256", text, "hex") },
    });
    expect(record.response.chunks).toBeGreaterThan(3);
    expect(record.timeToFirstTokenMs).toBeGreaterThan(0);
    expect(record.response.body).toMatchObject({
      object: "chat.completion",
      choices: [{ message: { content }, finish_reason: "stop" }],
    });
    expect(await bench.spend(idOf(response))).toMatchObject({ api_key: token, spend: record.cost?.usd });
  });

  it("is let go at the provider when the client leaves, and booked by what had come", async () => {
    const { key, token } = await bench.key({ max_parallel_requests: 1 });
    const left = new AbortController();
    bench.standIn.fail({ afterEvents: 6, hang: true });
    const response = await fetch(`${bench.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      body: JSON.stringify(ask("Write 400 words", { stream: true })),
      signal: left.signal,
    });
    const before = bench.standIn.abandoned;
    await response.body?.getReader().read();
    left.abort();
    await eventually(async () => bench.standIn.abandoned === before + 1);
    const { record } = await bench.stored(idOf(response));
    expect(record).toMatchObject({ outcome: "client_aborted", usage: { source: "estimated" } });
    expect(record.usage.completionTokens).toBeGreaterThan(0);
    const row = await bench.spend(idOf(response));
    expect(row).toMatchObject({ status: "failure", api_key: token, spend: record.cost?.usd });
    expect(row.spend).toBeGreaterThan(0);
    // Its place is free again.
    expect((await chat(key, ask("Hello"))).status).toBe(200);
  });

  it("gives its place back in time for a client that asks again at once", async () => {
    const { key } = await bench.key({ max_parallel_requests: 1, user_id: "serial" });
    for (let again = 0; again < 20; again++) {
      const response = await chat(key, ask("Hello"));
      expect(response.status).toBe(200);
      await response.text();
    }
  });

  it("is tried again, then answered by a fallback, then refused in the provider's sense", async () => {
    const { key } = await bench.key();
    bench.standIn.fail({ error: "ThrottlingException" });
    const retried = await chat(key, ask("Hello"));
    expect(retried.status).toBe(200);
    expect(retried.headers.get("x-litellm-attempted-retries")).toBe("1");
    bench.standIn.fail({ error: "ThrottlingException", times: 3 });
    const refused = await chat(key, ask("Hello"));
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
    expect(await refused.json()).toMatchObject({ error: { type: "rate_limit_error" } });
    expect(await bench.record(idOf(refused))).toMatchObject({
      statusCode: 429,
      outcome: "rate_limited",
      cost: null,
      usage: { source: "none" },
    });
    expect(await bench.spend(idOf(refused))).toMatchObject({ status: "failure", spend: 0, total_tokens: 0 });
  });

  it("that breaks off in the middle ends with an error event and a record that says so", async () => {
    const { key } = await bench.key();
    bench.standIn.fail({ error: "ModelStreamErrorException", afterEvents: 5 });
    const response = await chat(key, ask("Write 200 words", { stream: true }));
    const events = eventsOf(await response.text());
    expect(JSON.parse(events.at(-1) ?? "")).toMatchObject({ error: { type: "upstream_error" } });
    expect(await bench.record(idOf(response))).toMatchObject({
      statusCode: 200,
      outcome: "upstream_error",
      response: { complete: false },
    });
  });
});

describe("other doors", () => {
  it("take Anthropic's messages, streamed and whole", async () => {
    const { key, token } = await bench.key();
    const body = { ...ask("Write 20 words"), max_tokens: 100 };
    const headers = { "x-api-key": key, "anthropic-version": "2023-06-01" };
    const whole = await bench.call("POST", "/v1/messages", body, { key: null, headers });
    const message = (await whole.json()) as { type: string };
    expect([whole.status, message.type]).toEqual([200, "message"]);
    const response = await bench.call(
      "POST",
      "/v1/messages",
      { ...body, stream: true },
      { key: null, headers },
    );
    const events = eventsOf(await response.text()).map((event) => JSON.parse(event));
    expect([events[0].type, events.at(-1).type]).toEqual(["message_start", "message_stop"]);
    const { record } = await bench.stored(idOf(response));
    expect(record.response.body).toMatchObject({ type: "message", content: [{ type: "text" }] });
    expect(record.usage.completionTokens).toBe(events.at(-2).usage.output_tokens);
    expect(await bench.spend(idOf(response))).toMatchObject({
      call_type: "anthropic_messages",
      api_key: token,
    });
  });

  it("count tokens for nothing, and embed", async () => {
    const { key, token } = await bench.key({ max_budget: 1 });
    const count = await bench.call("POST", "/v1/messages/count_tokens", ask("How many?"), { key });
    expect(((await count.json()) as { input_tokens: number }).input_tokens).toBeGreaterThan(0);
    expect(await bench.record(idOf(count))).toMatchObject({ requestType: "count_tokens", cost: null });
    const body = { model: "amazon-titan-embed-text-v2", input: ["one", "two"] };
    const embedded = await bench.call("POST", "/v1/embeddings", body, { key });
    expect(((await embedded.json()) as { data: unknown[] }).data).toHaveLength(2);
    const rows = await bench.spend(idOf(embedded));
    expect(rows).toMatchObject({ call_type: "aembedding", api_key: token });
    const all = await bench.database.query('SELECT 1 FROM "LiteLLM_SpendLogs" WHERE api_key = $1', [token]);
    expect(all.rowCount).toBe(1);
  });

  it("list only the models that the key may call", async () => {
    const { key } = await bench.key({ models: [MODEL] });
    const list = (await (await bench.call("GET", "/v1/models", undefined, { key })).json()) as {
      data: { id: string }[];
    };
    expect(list.data.map(({ id }) => id)).toEqual([MODEL]);
  });

  it("answer load balancers, and tell outsiders no metrics", async () => {
    for (const path of ["/health", "/health/liveliness", "/health/readiness", "/ready"])
      expect((await fetch(bench.url + path)).status).toBe(200);
    const headers = { "x-forwarded-for": "203.0.113.9" };
    expect((await fetch(`${bench.url}/metrics`, { headers })).status).toBe(404);
    expect(await bench.metric("gateway_admission_seconds_count")).toBeGreaterThan(0);
  });

  it("call what the key's own alias stands for, with the reservation of that model", async () => {
    const { key } = await bench.key({ aliases: { "gpt-4": "claude-3-opus" }, rpm_limit: 4 });
    for (const remaining of ["2", "1", "0"]) {
      const response = await chat(key, { ...ask("Hello"), model: "gpt-4" });
      expect(response.status).toBe(200);
      expect(response.headers.get("x-litellm-model-id")).toBe("claude-3-opus");
      expect(response.headers.get("x-ratelimit-api_key-remaining-requests")).toBe(remaining);
    }
  });
});
