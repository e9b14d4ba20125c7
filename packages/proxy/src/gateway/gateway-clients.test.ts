/** Real clients against the whole gateway: each call is followed to its audit object, its row in DynamoDB and its spend row. */
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import Anthropic from "@anthropic-ai/sdk";
import { HumanMessage } from "@langchain/core/messages";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { embedMany, generateText, streamText } from "ai";
import OpenAI from "openai";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { GatewayBench } from "../testing/gateway-bench.ts";

let bench: GatewayBench;
let key: string;
let token: string;
/** Of the answers, in their order. */
let ids: string[];

beforeAll(async () => {
  bench = await GatewayBench.start({ ingest: true });
  ({ key, token } = await bench.key({ key_alias: "clients", user_id: "ada", max_budget: 100 }));
});
afterAll(() => bench?.stop());
beforeEach(() => {
  ids = [];
});
afterEach(() => bench.standIn.clearFaults());

const MODEL = "claude-3-5-sonnet";
const THINKER = "claude-sonnet-4-5";
const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const user = (content: string) => ({ role: "user" as const, content });
const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
} as const;

const noting: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  ids.push(response.headers.get("x-request-id") ?? "");
  return response;
};

/** Rows come in batches, a second or two behind: they are looked at when all calls are made. */
const due: { id: string; status: number }[] = [];

/** The last call's record, row and spend agree, and are the key's. */
async function kept(status = 200) {
  const id = ids.at(-1) ?? "";
  const record = await bench.record(id);
  expect(record).toMatchObject({
    profile: "gateway",
    statusCode: status,
    userId: "ada",
    identity: { method: "virtual-key", keyId: token, keyAlias: "clients" },
  });
  due.push({ id, status });
  return record;
}

/** Also of a call that a model answered. */
async function booked() {
  const record = await kept();
  expect(record.usage.source).toBe("provider");
  expect(await bench.spend(record.requestId)).toMatchObject({
    api_key: token,
    user: "ada",
    status: "success",
    spend: record.cost?.usd,
    prompt_tokens: record.usage.promptTokens,
    completion_tokens: record.usage.completionTokens,
  });
  return record;
}

describe("openai", () => {
  const client = (more: object = {}) =>
    new OpenAI({ baseURL: `${bench.url}/v1`, apiKey: key, fetch: noting, maxRetries: 0, ...more });

  it("chat, and a stream with its usage", async () => {
    const answer = await client().chat.completions.create({ model: MODEL, messages: [user("Hello")] });
    expect(answer.choices[0]?.message.content).toBe("You said: Hello");
    expect((await booked()).response.body).toEqual(answer);
    const stream = await client().chat.completions.create({
      model: MODEL,
      messages: [user("Write 30 words")],
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let total = 0;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      total = chunk.usage?.total_tokens ?? total;
    }
    expect(text.split(" ")).toHaveLength(30);
    expect((await booked()).usage.totalTokens).toBe(total);
  });

  it("tools, structured output and images", async () => {
    const tools = [{ type: "function" as const, function: { name: "get_weather", parameters } }];
    const called = await client().chat.completions.create({
      model: MODEL,
      messages: [user("Call get_weather")],
      tools,
    });
    expect(called.choices[0]?.message.tool_calls).toHaveLength(1);
    expect(JSON.stringify((await booked()).response.body)).toContain("get_weather");
    const json = await client().chat.completions.create({
      model: THINKER,
      messages: [user("Where?")],
      response_format: {
        type: "json_schema",
        json_schema: { name: "city", strict: true, schema: parameters },
      },
    });
    expect(JSON.parse(json.choices[0]?.message.content ?? "")).toEqual({ city: "text" });
    await booked();
    const url = `data:image/png;base64,${PIXEL}`;
    const seen = await client().chat.completions.create({
      model: MODEL,
      messages: [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }],
    });
    expect(seen.choices[0]?.message.content).toContain("an image (png");
    await booked();
  });

  it("embeddings and the list of models", async () => {
    const { data } = await client().embeddings.create({
      model: "amazon-titan-embed-text-v2",
      input: ["one", "two"],
    });
    expect(data.map(({ embedding }) => embedding.length)).toEqual([1_024, 1_024]);
    expect((await booked()).requestType).toBe("embedding");
    const models = await client().models.list();
    expect(models.data.map(({ id }) => id)).toContain(MODEL);
    expect(await kept()).toMatchObject({ requestType: "admin", http: { path: "/v1/models" } });
  });

  it("its classes of errors, and its own retries", async () => {
    const ask = { model: MODEL, messages: [user("Hello")] };
    const stranger = client({ apiKey: "sk-nobody-has-this-key" });
    await expect(stranger.chat.completions.create(ask)).rejects.toThrow(OpenAI.AuthenticationError);
    await expect(client().chat.completions.create({ ...ask, model: "gpt-9" })).rejects.toThrow(
      OpenAI.NotFoundError,
    );
    await kept(404);
    await expect(client().chat.completions.create({ ...ask, n: 2 })).rejects.toThrow(OpenAI.BadRequestError);
    await kept(400);
    const small = await bench.key({ models: ["claude-3-opus"] });
    const denied = client({ apiKey: small.key });
    await expect(denied.chat.completions.create(ask)).rejects.toThrow(OpenAI.PermissionDeniedError);
    bench.standIn.fail({ error: "ThrottlingException", times: 3 });
    await expect(client().chat.completions.create(ask)).rejects.toThrow(OpenAI.RateLimitError);
    expect(await kept(429)).toMatchObject({ outcome: "rate_limited" });
    bench.standIn.fail({ error: "InternalServerException", times: 3 });
    await expect(client().chat.completions.create(ask)).rejects.toThrow(OpenAI.InternalServerError);
    await kept(502);
    bench.standIn.fail({ error: "ThrottlingException", times: 3 });
    ids = [];
    const answer = await client({ maxRetries: 1 }).chat.completions.create(ask);
    expect([answer.object, ids.length]).toEqual(["chat.completion", 2]);
    await booked();
  });
});

describe("@anthropic-ai/sdk", () => {
  const client = () => new Anthropic({ baseURL: bench.url, apiKey: key, fetch: noting, maxRetries: 0 });
  const ask = { model: MODEL, max_tokens: 200, messages: [user("Write 20 words")] };

  it("messages and a stream", async () => {
    const message = await client().messages.create(ask);
    expect(message.content[0]).toMatchObject({ type: "text" });
    const record = await booked();
    expect([record.requestId, record.response.body]).toEqual([message._request_id, message]);
    const final = await client().messages.stream(ask).finalMessage();
    expect((await booked()).response.body).toMatchObject({ content: [{ type: "text" }], usage: final.usage });
  });

  it("tools, thinking and count_tokens", async () => {
    const tools = [{ name: "get_weather", input_schema: { ...parameters, required: ["city"] } }];
    const called = await client().messages.create({ ...ask, messages: [user("Call get_weather")], tools });
    expect(called.stop_reason).toBe("tool_use");
    await booked();
    const thought = await client()
      .messages.stream({
        ...ask,
        model: "claude-sonnet-5",
        max_tokens: 4_000,
        thinking: { type: "adaptive" },
      })
      .finalMessage();
    expect(thought.content.map(({ type }) => type)).toEqual(["thinking", "text"]);
    expect((await booked()).response.body).toMatchObject({ content: thought.content });
    const { input_tokens } = await client().messages.countTokens({ model: MODEL, messages: ask.messages });
    expect(input_tokens).toBeGreaterThan(0);
    expect(await kept()).toMatchObject({ requestType: "count_tokens", cost: null });
  });

  it("its classes of errors", async () => {
    const stranger = new Anthropic({ baseURL: bench.url, apiKey: "sk-nobody", maxRetries: 0 });
    await expect(stranger.messages.create(ask)).rejects.toThrow(Anthropic.AuthenticationError);
    await expect(client().messages.create({ ...ask, max_tokens: -1 })).rejects.toThrow(
      Anthropic.BadRequestError,
    );
    await kept(400);
    bench.standIn.fail({ error: "ServiceUnavailableException", times: 3 });
    await expect(client().messages.create(ask)).rejects.toThrow(Anthropic.InternalServerError);
    await kept(503);
  });
});

describe("frameworks", () => {
  const provider = () =>
    createOpenAICompatible({
      name: "central",
      baseURL: `${bench.url}/v1`,
      apiKey: key,
      fetch: noting,
      includeUsage: true,
    });

  it("Vercel AI SDK: text, stream, embeddings", async () => {
    const { text } = await generateText({ model: provider()(MODEL), prompt: "Hello" });
    expect(text).toBe("You said: Hello");
    await booked();
    const result = streamText({ model: provider()(MODEL), prompt: "Write 30 words" });
    expect((await result.text).split(" ")).toHaveLength(30);
    expect((await booked()).usage.completionTokens).toBe((await result.usage).outputTokens);
    await embedMany({
      model: provider().embeddingModel("amazon-titan-embed-text-v2"),
      values: ["one", "two"],
    });
    await booked();
  });

  it("LangChain: text, stream, embeddings", async () => {
    const settings = {
      apiKey: key,
      maxRetries: 0,
      configuration: { baseURL: `${bench.url}/v1`, fetch: noting },
    };
    const model = new ChatOpenAI({ model: MODEL, ...settings });
    expect((await model.invoke([new HumanMessage("Hello")])).text).toBe("You said: Hello");
    await booked();
    let text = "";
    for await (const chunk of await model.stream("Write 20 words")) text += chunk.text;
    expect(text.split(" ")).toHaveLength(20);
    await booked();
    const embeddings = new OpenAIEmbeddings({ model: "cohere-embed-english-v3", ...settings });
    expect(await embeddings.embedQuery("hello")).toHaveLength(1_024);
    await booked();
  });
});

it("each of these calls has its row in DynamoDB", async () => {
  expect(due.length).toBeGreaterThan(20);
  await Promise.all(
    due.map(async ({ id, status }) => {
      expect(await bench.row(id)).toMatchObject({ requestId: id, statusCode: status, userId: "ada" });
    }),
  );
});
