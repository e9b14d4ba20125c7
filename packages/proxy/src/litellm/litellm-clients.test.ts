/**
 * The official clients through the gateway and LiteLLM: every wire, and what the audit holds of it. `npm run test:litellm` runs
 * this file against the real LiteLLM.
 */
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { JUDGE, LitellmBench } from "../testing/litellm-bench.ts";

const MODEL = "demo";
let bench: LitellmBench;
let key: string;
let token: string;
let openai: OpenAI;
let anthropic: Anthropic;
beforeAll(async () => {
  bench = await LitellmBench.start();
  await bench.bench.database.query(
    `INSERT INTO "LiteLLM_TeamTable" (team_id, team_alias) VALUES ('t1', 'search')`,
  );
  ({ key, token } = await bench.key({ key_alias: "lane", user_id: "ada", team_id: "t1" }));
  openai = new OpenAI({ baseURL: `${bench.url}/v1`, apiKey: key, maxRetries: 0 });
  anthropic = new Anthropic({ baseURL: bench.url, apiKey: key, maxRetries: 0 });
});
afterAll(() => bench?.stop());

const user = (content: string) => [{ role: "user" as const, content }];
const idOf = (response: { headers: Headers }) => response.headers.get("x-request-id") ?? "";
const identity = () => ({ method: "virtual-key", keyId: token, keyAlias: "lane", teamId: "t1" });
const schema = { type: "object" as const, properties: { city: { type: "string" } }, required: ["city"] };

describe("openai", () => {
  it("chats; the record names key, owner, team, model and LiteLLM's own cost", async () => {
    const { data, response } = await openai.chat.completions
      .create({ model: MODEL, messages: user("Hello"), user: "ada" })
      .withResponse();
    expect(data.choices[0]?.message.content).toContain("Hello");
    expect(response.headers.get("x-litellm-call-id")).toBe(idOf(response));
    const record = await bench.record(idOf(response));
    expect(record).toMatchObject({
      profile: "gateway",
      projectId: "search",
      userId: "ada",
      requestType: "chat",
      identity: { ...identity(), assertedUser: "ada", matches: true },
      outcome: "completed",
      model: { requested: MODEL, served: data.model, provider: "litellm" },
      request: { body: { model: MODEL, messages: user("Hello"), user: "ada" }, truncated: false },
      response: { complete: true, bytes: Number(response.headers.get("content-length")) },
      usage: { promptTokens: data.usage?.prompt_tokens, source: "provider" },
      cost: { usd: Number(response.headers.get("x-litellm-response-cost")), priceTable: "litellm" },
    });
    expect(record.cost?.usd).toBeGreaterThan(0);
    expect(record.response.body).toMatchObject({ id: data.id, choices: data.choices });
    expect(record.response.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(record.response.headers["x-litellm-model-id"]).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.stringify(record)).not.toContain(key);
  });

  it("streams; the record has the whole answer and the usage, which the client did not ask for", async () => {
    const { data, response } = await openai.chat.completions
      .create({ model: MODEL, messages: user("Hello"), stream: true })
      .withResponse();
    let text = "";
    for await (const chunk of data) {
      expect(chunk.usage ?? null).toBeNull();
      expect(chunk.choices).toHaveLength(1);
      text += chunk.choices[0]?.delta.content ?? "";
    }
    const record = await bench.record(idOf(response));
    expect(record).toMatchObject({
      http: { stream: true },
      response: { complete: true, body: { choices: [{ message: { content: text } }] } },
      usage: { source: "provider" },
    });
    expect(record.usage.completionTokens).toBeGreaterThan(5);
    expect(record.response.chunks).toBeGreaterThan(0);
    expect(record.queueTimeMs).toBeGreaterThan(0);
    expect(record.timeToFirstTokenMs).toBeGreaterThanOrEqual(record.queueTimeMs ?? Infinity);
  });

  it("streams with the usage when asked", async () => {
    const stream = await openai.chat.completions.create({
      model: MODEL,
      messages: user("Hello"),
      stream: true,
      stream_options: { include_usage: true },
    });
    let usage: OpenAI.CompletionUsage | null | undefined;
    for await (const chunk of stream) usage = chunk.usage ?? usage;
    expect(usage?.completion_tokens).toBeGreaterThan(5);
  });

  it("calls tools, whole and streamed", async () => {
    const asked = {
      model: MODEL,
      messages: user("What is the weather in Paris?"),
      tools: [{ type: "function" as const, function: { name: "get_weather", parameters: schema } }],
    };
    const whole = await openai.chat.completions.create(asked);
    expect(whole.choices[0]?.message.tool_calls?.[0]).toMatchObject({ function: { name: "get_weather" } });
    const streamed = await openai.chat.completions.stream(asked).finalChatCompletion();
    expect(streamed.choices[0]?.message.tool_calls?.[0]).toMatchObject({
      function: { name: "get_weather", arguments: '{"city":"Paris"}' },
    });
  });

  it("completes, embeds and lists models", async () => {
    const { data: completion, response } = await openai.completions
      .create({ model: MODEL, prompt: "Once upon" })
      .withResponse();
    expect(completion.choices[0]?.text.length).toBeGreaterThan(10);
    expect(await bench.record(idOf(response))).toMatchObject({ requestType: "completion" });
    const { data: vectors, response: embedded } = await openai.embeddings
      .create({ model: MODEL, input: ["one", "two"], encoding_format: "float" })
      .withResponse();
    expect(vectors.data).toHaveLength(2);
    const record = await bench.record(idOf(embedded));
    expect(record).toMatchObject({ requestType: "embedding", response: { body: { object: "list" } } });
    expect(record.usage.promptTokens).toBeGreaterThan(0);
    expect((await openai.models.list()).data.map(({ id }) => id)).toContain(MODEL);
  });

  it("responds, whole and streamed", async () => {
    const { data: whole, response } = await openai.responses
      .create({ model: MODEL, input: "Hello" })
      .withResponse();
    expect(whole.output_text).toContain("Hello");
    const record = await bench.record(idOf(response));
    expect(record).toMatchObject({ requestType: "responses", usage: { source: "provider" } });
    const streamed = await openai.responses
      .create({ model: MODEL, input: "Hello", stream: true })
      .withResponse();
    let text = "";
    for await (const event of streamed.data)
      if (event.type === "response.output_text.delta") text += event.delta;
    expect(text).toContain("Hello");
    const kept = await bench.record(idOf(streamed.response));
    expect(JSON.stringify(kept.response.body)).toContain(text);
    expect(kept.usage.completionTokens).toBeGreaterThan(5);
  });

  it("is refused for a key that LiteLLM does not know, in LiteLLM's words; nothing of the text is kept", async () => {
    const stranger = new OpenAI({
      baseURL: `${bench.url}/v1`,
      apiKey: "sk-nobody-0123456789",
      maxRetries: 0,
    });
    const before = await bench.metric("gateway_failed_authentications_total");
    const failure = await stranger.chat.completions
      .create({ model: MODEL, messages: user("a secret plan") })
      .then(
        () => null,
        (error: unknown) => error,
      );
    expect(failure).toBeInstanceOf(OpenAI.AuthenticationError);
    expect((failure as Error).message).toContain("Authentication Error");
    const record = await bench.record(idOf(failure as { headers: Headers }));
    expect(record).toMatchObject({
      statusCode: 401,
      outcome: "client_error",
      identity: { method: "virtual-key", keyAlias: null },
      request: { body: null, truncated: true },
    });
    expect(record.identity.keyId).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.stringify(record)).not.toMatch(/secret plan|sk-nobody/);
    expect(await bench.metric("gateway_failed_authentications_total")).toBe(before + 1);
  });

  it.runIf(JUDGE)("gets LiteLLM's error for a model that it does not have", async () => {
    const call = openai.chat.completions.create({ model: "no-such-model", messages: user("Hi") });
    await expect(call).rejects.toMatchObject({ status: 400 });
  });

  it("is blocked for a card, which LiteLLM never sees", async () => {
    const failure = await openai.chat.completions
      .create({ model: MODEL, messages: user("Pay with 4111 1111 1111 1111") })
      .then(
        () => null,
        (error: unknown) => error,
      );
    expect(failure).toMatchObject({ status: 400, code: "pii_blocked" });
    const record = await bench.record(idOf(failure as { headers: Headers }));
    expect(record).toMatchObject({
      outcome: "blocked",
      identity: identity(),
      request: { body: { messages: user("Pay with [CREDIT_CARD]") }, sha256: null },
      policy: { pii: [{ entity: "CREDIT_CARD", count: 1, action: "block" }] },
    });
  });
});

describe("@anthropic-ai/sdk", () => {
  const asked = { model: MODEL, max_tokens: 500, messages: user("Hello") };

  it("sends messages", async () => {
    const { data, response } = await anthropic.messages.create(asked).withResponse();
    expect(data.content[0]).toMatchObject({ type: "text" });
    const record = await bench.record(idOf(response));
    expect(record).toMatchObject({
      requestType: "chat",
      http: { path: "/v1/messages" },
      identity: identity(),
      usage: { promptTokens: data.usage.input_tokens, completionTokens: data.usage.output_tokens },
      response: { body: { content: data.content } },
    });
  });

  it("streams messages, put together for the audit", async () => {
    const stream = anthropic.messages.stream(asked);
    const { response } = await stream.withResponse();
    const message = await stream.finalMessage();
    const [block] = message.content;
    const record = await bench.record(idOf(response));
    expect(record.response.body).toMatchObject({
      type: "message",
      content: [{ type: "text", text: (block as { text: string }).text }],
    });
    expect(record.usage.completionTokens).toBeGreaterThan(5);
  });

  it("uses tools, streamed", async () => {
    const tools = [{ name: "get_weather", input_schema: schema }];
    const stream = anthropic.messages.stream({
      ...asked,
      messages: user("What is the weather in Paris?"),
      tools,
    });
    const { response } = await stream.withResponse();
    const message = await stream.finalMessage();
    const used = { type: "tool_use", name: "get_weather", input: { city: "Paris" } };
    expect(message.content).toContainEqual(expect.objectContaining(used));
    const record = await bench.record(idOf(response));
    expect(record.response.body).toMatchObject({
      content: expect.arrayContaining([expect.objectContaining(used)]),
    });
  });

  it("counts tokens", async () => {
    const { input_tokens } = await anthropic.messages.countTokens({ model: MODEL, messages: user("Hello") });
    expect(input_tokens).toBeGreaterThan(0);
  });

  it("is blocked in Anthropic's shape", async () => {
    const call = anthropic.messages.create({ ...asked, messages: user("My card: 4111 1111 1111 1111") });
    await expect(call).rejects.toBeInstanceOf(Anthropic.BadRequestError);
    await expect(call).rejects.toMatchObject({
      error: { type: "error", error: { type: "invalid_request_error" } },
    });
  });
});
