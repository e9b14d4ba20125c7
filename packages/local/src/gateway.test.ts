/** The gateway as application teams meet it: their usual clients against `npm start`, each call followed to its audit record and spend row. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import Anthropic from "@anthropic-ai/sdk";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { AuditRecord } from "@central-llm/core/audit-record";
import * as AuditTable from "@central-llm/core/audit-table";
import * as RequestLookUp from "@central-llm/core/request-look-up";
import { HumanMessage } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { generateText, streamText } from "ai";
import OpenAI from "openai";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { clientSettings } from "./audit-platform.ts";
import { freeOffset, type Instance, LocalPlatforms } from "./testing/local-platform.ts";

const MODEL = "claude-3-5-sonnet";
const THINKER = "claude-sonnet-4-5";
const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const user = (content: string) => ({ role: "user" as const, content });
const schema = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
} as const;

let folder: string;
let platforms: LocalPlatforms;
let running: Instance;
let database: pg.Pool;
let dynamoDb: DynamoDBClient;
let s3: S3Client;
/** The last answer's. */
let id = "";

const noting: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  id = response.headers.get("x-request-id") ?? "";
  return response;
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "central-llm-clients-"));
  platforms = new LocalPlatforms(folder);
  running = await platforms.start("gateway", await freeOffset());
  const { env } = running;
  database = new pg.Pool({ connectionString: env.DATABASE_URL, max: 1 });
  const settings = clientSettings({ url: env.AWS_ENDPOINT_URL ?? "", region: env.AWS_REGION ?? "" });
  dynamoDb = new DynamoDBClient(settings);
  s3 = new S3Client(settings);
});
afterAll(async () => {
  await database?.end();
  dynamoDb?.destroy();
  s3?.destroy();
  await platforms.stop(running);
  await rm(folder, { recursive: true, force: true });
});

/** The row in DynamoDB, then the object that it points to. */
async function audited(status: number): Promise<AuditRecord> {
  const table = AuditTable.open(dynamoDb, running.env.TABLE_NAME ?? "");
  await expect.poll(async () => (await RequestLookUp.find(table, id)).length).toBe(1);
  const [row] = await RequestLookUp.find(table, id);
  expect(row).toMatchObject({ requestId: id, statusCode: status, profile: "gateway", userId: "demo" });
  const place = { Bucket: String(row?.auditBucket), Key: String(row?.auditObjectKey) };
  const { Body } = await s3.send(new GetObjectCommand(place));
  return AuditRecord.parse(JSON.parse((await Body?.transformToString()) ?? ""));
}

/** Also the spend row, with the same figures. */
async function booked(): Promise<AuditRecord> {
  const record = await audited(200);
  const find = async () => {
    const text = 'SELECT * FROM "LiteLLM_SpendLogs" WHERE request_id = $1';
    return (await database.query(text, [record.requestId])).rows;
  };
  await expect.poll(async () => (await find()).length).toBe(1);
  expect((await find())[0]).toMatchObject({
    user: "demo",
    status: "success",
    spend: record.cost?.usd,
    prompt_tokens: record.usage.promptTokens,
    completion_tokens: record.usage.completionTokens,
  });
  expect(record.identity).toMatchObject({ method: "virtual-key", keyAlias: "demo" });
  return record;
}

test("openai: chat, stream, tools, structured output, an image, embeddings", async () => {
  const { GATEWAY_URL, GATEWAY_API_KEY } = running.env;
  const client = new OpenAI({ baseURL: `${GATEWAY_URL}/v1`, apiKey: GATEWAY_API_KEY, fetch: noting });
  const { chat } = client;
  const answer = await chat.completions.create({ model: MODEL, messages: [user("Hello")] });
  expect(answer.choices[0]?.message.content).toBe("You said: Hello");
  expect((await booked()).response.body).toEqual(answer);

  const asked = { model: MODEL, messages: [user("Write 30 words")], stream_options: { include_usage: true } };
  let [text, total] = ["", 0];
  for await (const chunk of await chat.completions.create({ ...asked, stream: true })) {
    text += chunk.choices[0]?.delta.content ?? "";
    total = chunk.usage?.total_tokens ?? total;
  }
  expect(text.split(" ")).toHaveLength(30);
  expect((await booked()).usage.totalTokens).toBe(total);

  const tools = [{ type: "function" as const, function: { name: "get_weather", parameters: schema } }];
  const called = await chat.completions.create({ model: MODEL, messages: [user("Call get_weather")], tools });
  expect(called.choices[0]?.message.tool_calls).toHaveLength(1);
  await booked();

  const json_schema = { name: "city", strict: true, schema };
  const json = await chat.completions.create({
    model: THINKER,
    messages: [user("Where?")],
    response_format: { type: "json_schema", json_schema },
  });
  expect(JSON.parse(json.choices[0]?.message.content ?? "")).toEqual({ city: "text" });
  await booked();

  const image_url = { url: `data:image/png;base64,${PIXEL}` };
  const seen = await chat.completions.create({
    model: MODEL,
    messages: [{ role: "user", content: [{ type: "image_url", image_url }] }],
  });
  expect(seen.choices[0]?.message.content).toContain("an image (png");
  await booked();

  const { data } = await client.embeddings.create({
    model: "amazon-titan-embed-text-v2",
    input: ["one", "two"],
  });
  expect(data).toHaveLength(2);
  await booked();
});

test("openai: its classes of errors, each on record", async () => {
  const { GATEWAY_URL, GATEWAY_API_KEY } = running.env;
  const { chat } = new OpenAI({ baseURL: `${GATEWAY_URL}/v1`, apiKey: GATEWAY_API_KEY, fetch: noting });
  const ask = (content: string, model = MODEL) =>
    chat.completions.create({ model, messages: [user(content)] });
  await expect(ask("My card is 4111 1111 1111 1111")).rejects.toThrow(OpenAI.BadRequestError);
  expect(await audited(400)).toMatchObject({ outcome: "blocked" });
  await expect(ask("Hello", "no-such-model")).rejects.toThrow(OpenAI.NotFoundError);
  await audited(404);
  const stranger = new OpenAI({ baseURL: `${GATEWAY_URL}/v1`, apiKey: "sk-nobody" });
  await expect(stranger.models.list()).rejects.toThrow(OpenAI.AuthenticationError);
});

test("@anthropic-ai/sdk: messages, stream, tools, thinking, count_tokens", async () => {
  const { GATEWAY_URL, GATEWAY_API_KEY } = running.env;
  const { messages } = new Anthropic({ baseURL: GATEWAY_URL, apiKey: GATEWAY_API_KEY, fetch: noting });
  const ask = { model: MODEL, max_tokens: 200, messages: [user("Write 20 words")] };
  const message = await messages.create(ask);
  expect((await booked()).response.body).toEqual(message);
  const final = await messages.stream(ask).finalMessage();
  expect((await booked()).usage.completionTokens).toBe(final.usage.output_tokens);
  const tools = [{ name: "get_weather", input_schema: { ...schema, required: ["city"] } }];
  const called = await messages.create({ ...ask, messages: [user("Call get_weather")], tools });
  expect(called.stop_reason).toBe("tool_use");
  await booked();
  const thinking = { type: "adaptive" as const };
  const thought = await messages
    .stream({ ...ask, model: "claude-sonnet-5", max_tokens: 4_000, thinking })
    .finalMessage();
  expect(thought.content.map(({ type }) => type)).toEqual(["thinking", "text"]);
  await booked();
  const { input_tokens } = await messages.countTokens({ model: MODEL, messages: ask.messages });
  expect(input_tokens).toBeGreaterThan(0);
  expect(await audited(200)).toMatchObject({ requestType: "count_tokens", cost: null });
});

test("the Vercel AI SDK and LangChain", async () => {
  const { GATEWAY_URL, GATEWAY_API_KEY = "" } = running.env;
  const baseURL = `${GATEWAY_URL}/v1`;
  const provider = createOpenAICompatible({
    name: "central",
    baseURL,
    apiKey: GATEWAY_API_KEY,
    fetch: noting,
    includeUsage: true,
  });
  const { text } = await generateText({ model: provider(MODEL), prompt: "Hello" });
  expect(text).toBe("You said: Hello");
  await booked();
  const result = streamText({ model: provider(MODEL), prompt: "Write 30 words" });
  expect((await result.text).split(" ")).toHaveLength(30);
  expect((await booked()).usage.completionTokens).toBe((await result.usage).outputTokens);
  const model = new ChatOpenAI({
    model: MODEL,
    apiKey: GATEWAY_API_KEY,
    configuration: { baseURL, fetch: noting },
  });
  expect((await model.invoke([new HumanMessage("Hello")])).text).toBe("You said: Hello");
  await booked();
});
