/** The central path as an application team meets it: the official `openai` package against `npm start`, through the edge. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DynamoDBClient, QueryCommand } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { AuditRecord } from "@central-llm/core/audit-record";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { clientSettings } from "./audit-platform.ts";
import { freeOffset, type Instance, LocalPlatforms } from "./testing/local-platform.ts";

let folder: string;
let platforms: LocalPlatforms;
let running: Instance;
let client: OpenAI;
let modelUrl: string;

const IDENTITY = { "x-llm-source": "openai-client", "x-llm-user": "qa", "x-llm-request-type": "chat" };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "central-llm-central-"));
  platforms = new LocalPlatforms(folder);
  const offset = await freeOffset();
  running = await platforms.start("central", offset);
  modelUrl = `http://127.0.0.1:${8001 + offset}`;
  client = new OpenAI({
    baseURL: `${running.env.CENTRAL_URL}/v1`,
    apiKey: "not-used-by-central",
    defaultHeaders: { ...IDENTITY, "x-api-key": running.env.CENTRAL_API_KEY ?? "" },
    maxRetries: 0,
  });
});

afterAll(async () => {
  await platforms.stop(running);
  await rm(folder, { recursive: true, force: true });
});

const endpoint = () =>
  clientSettings({ url: running.env.AWS_ENDPOINT_URL ?? "", region: running.env.AWS_REGION ?? "" });

/** The row by a Query that is not ours, then the object that it points to. */
async function audited(
  requestId: string | null | undefined,
): Promise<{ row: Record<string, { S?: string; N?: string }>; record: AuditRecord }> {
  const dynamoDb = new DynamoDBClient(endpoint());
  const find = async () => {
    const { Items = [] } = await dynamoDb.send(
      new QueryCommand({
        TableName: running.env.TABLE_NAME,
        KeyConditionExpression: "id = :id",
        ExpressionAttributeValues: { ":id": { S: "project#openai-client" } },
      }),
    );
    return Items.find((item) => item.requestId?.S === requestId);
  };
  await expect.poll(find).toBeDefined();
  const row = (await find()) as Record<string, { S?: string; N?: string }>;
  dynamoDb.destroy();
  const s3 = new S3Client(endpoint());
  const { Body } = await s3.send(
    new GetObjectCommand({ Bucket: row.auditBucket?.S ?? "", Key: row.auditObjectKey?.S ?? "" }),
  );
  const record = AuditRecord.parse(JSON.parse((await Body?.transformToString()) ?? ""));
  s3.destroy();
  return { row, record };
}

const messages = [{ role: "user" as const, content: "Which city is the capital of France?" }];

test("chat: the answer, its id, and both in the audit", async () => {
  const { data, request_id } = await client.chat.completions
    .create({ model: "ministral-8b-instruct", messages })
    .withResponse();
  expect(data.choices[0]?.message.content).toBeTruthy();
  const { row, record } = await audited(request_id);
  expect(record.request.body).toMatchObject({ model: "ministral-8b-instruct", messages });
  expect(record.response.body).toEqual(JSON.parse(JSON.stringify(data)));
  expect(record.usage).toMatchObject({
    promptTokens: data.usage?.prompt_tokens,
    completionTokens: data.usage?.completion_tokens,
    source: "provider",
  });
  expect(record.identity).toMatchObject({ method: "api-key", keyId: expect.stringMatching(/./) });
  expect(JSON.stringify(record)).not.toContain(running.env.CENTRAL_API_KEY);
  expect(row).toMatchObject({
    statusCode: { N: "200" },
    userId: { S: "qa" },
    promptPreview: { S: expect.stringContaining("capital of France") },
  });
  const day = new Date().toISOString().slice(0, 10).replaceAll("-", "/");
  expect(row.auditObjectKey?.S).toBe(`logs/${day}/${request_id}.json`);
});

test("a non-stream answer is byte-equal to the model server's", async () => {
  const body = JSON.stringify({ model: "ministral-8b-instruct", messages, seed: 1 });
  const post = (url: string) =>
    fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: {
        ...IDENTITY,
        "x-api-key": running.env.CENTRAL_API_KEY ?? "",
        "content-type": "application/json",
        "x-request-id": "byte-equal",
      },
      body,
    });
  const [direct, through] = [await post(modelUrl), await post(running.env.CENTRAL_URL ?? "")];
  expect(Buffer.from(await through.arrayBuffer())).toEqual(Buffer.from(await direct.arrayBuffer()));
  expect(through.headers.get("content-type")).toBe(direct.headers.get("content-type"));
});

test.each([true, false])(
  "a stream with include_usage %s: the client gets what it asked for, the audit has usage",
  async (include_usage) => {
    const { data: stream, request_id } = await client.chat.completions
      .create({
        model: "ministral-8b-instruct",
        messages,
        stream: true,
        ...(include_usage ? { stream_options: { include_usage } } : {}),
      })
      .withResponse();
    let text = "";
    const usages = [];
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      if (chunk.usage) usages.push(chunk.usage);
    }
    expect(text).not.toBe("");
    expect(usages).toHaveLength(include_usage ? 1 : 0);
    const { record } = await audited(request_id);
    expect(record.http.stream).toBe(true);
    expect(record.usage.source).toBe("provider");
    expect(record.response.body).toMatchObject({
      object: "chat.completion",
      choices: [{ message: { role: "assistant", content: text } }],
    });
    expect(record.request.body).toEqual({
      model: "ministral-8b-instruct",
      messages,
      stream: true,
      ...(include_usage ? { stream_options: { include_usage } } : {}),
    });
    expect(record.timeToFirstTokenMs).toBeGreaterThan(0);
  },
);

const tools = [
  {
    type: "function" as const,
    function: {
      name: "get_weather",
      description: "Weather of a city",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];

test.each([false, true])("tools, stream %s: the call arrives whole and is audited", async (stream) => {
  const ask = {
    model: "ministral-8b-instruct",
    messages: [{ role: "user" as const, content: "What is the weather in Paris? Use the tool." }],
    tools,
    tool_choice: "required" as const,
  };
  let id: string | null;
  let name: string | undefined;
  if (stream) {
    const { data, request_id } = await client.chat.completions
      .create({ ...ask, stream: true })
      .withResponse();
    id = request_id;
    for await (const chunk of data) name ??= chunk.choices[0]?.delta.tool_calls?.[0]?.function?.name;
  } else {
    const { data, request_id } = await client.chat.completions.create(ask).withResponse();
    id = request_id;
    const call = data.choices[0]?.message.tool_calls?.[0];
    name = call?.type === "function" ? call.function.name : undefined;
  }
  expect(name).toBe("get_weather");
  const { record } = await audited(id);
  const body = record.response.body as {
    choices: { message: { tool_calls: { function: { name: string; arguments: string } }[] } }[];
  };
  const call = body.choices[0]?.message.tool_calls[0]?.function;
  expect(call?.name).toBe("get_weather");
  expect(JSON.parse(call?.arguments ?? "")).toHaveProperty("city");
});

test("embeddings and models", async () => {
  const { data, request_id } = await client.embeddings
    .create({ model: "bge-m3", input: ["one", "two"] })
    .withResponse();
  expect(data.data).toHaveLength(2);
  expect(data.data[0]?.embedding.length).toBeGreaterThan(0);
  expect((await audited(request_id)).record.http.path).toBe("/v1/embeddings");
  const models = await client.models.list();
  expect(models.data.length).toBeGreaterThan(0);
});

test("the responses API, whole and streamed", async () => {
  const { data, request_id } = await client.responses
    .create({ model: "ministral-8b-instruct", input: "Say hello." })
    .withResponse();
  expect(data.output_text).not.toBe("");
  expect((await audited(request_id)).record.usage.source).toBe("provider");
  const streamed = await client.responses
    .create({ model: "ministral-8b-instruct", input: "Say hello.", stream: true })
    .withResponse();
  let text = "";
  for await (const event of streamed.data)
    if (event.type === "response.output_text.delta") text += event.delta;
  expect(text).not.toBe("");
  expect(JSON.stringify((await audited(streamed.request_id)).record.response.body)).toContain(
    JSON.stringify(text).slice(1, -1),
  );
});

test("errors reach the client as the openai package's classes, and are audited", async () => {
  const failing = (model: string) => client.chat.completions.create({ model, messages });
  await expect(failing("demo-status-400")).rejects.toBeInstanceOf(OpenAI.BadRequestError);
  await expect(failing("demo-status-404")).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  await expect(failing("demo-status-429")).rejects.toBeInstanceOf(OpenAI.RateLimitError);
  const error = await failing("demo-status-500").catch(
    (reason: unknown) => reason as InstanceType<typeof OpenAI.APIError>,
  );
  expect(error).toBeInstanceOf(OpenAI.InternalServerError);
  const { row, record } = await audited((error as { requestID?: string }).requestID);
  expect([row.statusCode?.N, record.outcome]).toEqual(["500", "upstream_error"]);
  const stranger = client.withOptions({ defaultHeaders: { ...IDENTITY, "x-api-key": "wrong" } });
  await expect(stranger.models.list()).rejects.toBeInstanceOf(OpenAI.PermissionDeniedError);
});

test("a stream that the model server breaks off is an error for the client, and partial in the audit", async () => {
  const { data, request_id } = await client.chat.completions
    .create({ model: "demo-cut-3", messages, stream: true })
    .withResponse();
  await expect(async () => {
    for await (const chunk of data) expect(chunk.object).toBe("chat.completion.chunk");
  }).rejects.toThrow();
  const { record } = await audited(request_id);
  expect(record).toMatchObject({ outcome: "upstream_error", response: { complete: false } });
  expect(record.response.body).toMatchObject({
    choices: [{ message: { content: expect.stringMatching(/./) } }],
  });
});
