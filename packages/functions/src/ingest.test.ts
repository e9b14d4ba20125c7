import { DynamoDBClient, QueryCommand } from "@aws-sdk/client-dynamodb";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import {
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { objectKey } from "@central-llm/core/audit-key";
import type { AuditRecord } from "@central-llm/core/audit-record";
import { requestIdAt, sample } from "@central-llm/core/audit-record-sample";
import * as DeadLetterQueue from "@central-llm/core/dead-letter-queue";
import {
  type AuditPlatform,
  CREDENTIALS,
  clientSettings,
  createAuditPlatform,
} from "@central-llm/local/audit-platform";
import { type AwsEndpoint, startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";

let endpoint: AwsEndpoint;
let platform: AuditPlatform;
let s3: S3Client;
let sqs: SQSClient;
let dynamoDb: DynamoDBClient;
let handler: (
  event: unknown,
  context: unknown,
) => Promise<{ batchItemFailures: { itemIdentifier: string }[] }>;
const output: string[] = [];

const SECRET = "planted-secret-sentence";

beforeAll(async () => {
  endpoint = await startAwsEndpoint();
  platform = await createAuditPlatform(endpoint);
  [s3, sqs, dynamoDb] = [
    new S3Client(clientSettings(endpoint)),
    new SQSClient(clientSettings(endpoint)),
    new DynamoDBClient(clientSettings(endpoint)),
  ];
  vi.stubEnv("AWS_ENDPOINT_URL", endpoint.url);
  vi.stubEnv("AWS_REGION", endpoint.region);
  vi.stubEnv("AWS_ACCESS_KEY_ID", CREDENTIALS.accessKeyId);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", CREDENTIALS.secretAccessKey);
  vi.stubEnv("TABLE_NAME", platform.tableName);
  vi.stubEnv("MAX_PREVIEW_CHARS", "2048");
  vi.stubEnv("AUDIT_DLQ_URL", platform.deadLetterQueueUrl);
  vi.stubEnv("MAX_OBJECT_BYTES", "100000");
  // Powertools prints with a Console of its own unless told that this is development.
  vi.stubEnv("POWERTOOLS_DEV", "true");
  for (const method of ["log", "info", "warn", "error", "debug"] as const) {
    vi.spyOn(console, method).mockImplementation((...parts) => void output.push(parts.join(" ")));
  }
  ({ handler } = (await import("./ingest.ts")) as unknown as { handler: typeof handler });
});

afterAll(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  s3.destroy();
  sqs.destroy();
  dynamoDb.destroy();
  await endpoint.stop();
});

beforeEach(async () => {
  endpoint.setFault(undefined);
  for (const url of [platform.ingestQueueUrl, platform.deadLetterQueueUrl]) await drain(url);
  output.length = 0;
});

async function drain(url: string): Promise<Message[]> {
  const taken: Message[] = [];
  for (;;) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: url,
        MaxNumberOfMessages: 10,
        MessageAttributeNames: ["All"],
        MessageSystemAttributeNames: ["All"],
      }),
    );
    if (Messages.length === 0) return taken;
    const Entries = Messages.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle }));
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: url, Entries }));
    taken.push(...Messages);
  }
}

/** As Lambda's event source mapping hands messages over. */
const lambdaEvent = (messages: Message[], receives?: number) => ({
  Records: messages.map((message) => ({
    messageId: message.MessageId,
    receiptHandle: message.ReceiptHandle,
    body: message.Body,
    attributes: {
      ApproximateReceiveCount: String(receives ?? message.Attributes?.ApproximateReceiveCount),
      SentTimestamp: message.Attributes?.SentTimestamp,
      ApproximateFirstReceiveTimestamp: message.Attributes?.ApproximateFirstReceiveTimestamp,
    },
    messageAttributes: {},
    eventSource: "aws:sqs",
  })),
});

const LAMBDA = {
  functionName: "llm-audit-ingest",
  awsRequestId: "1",
  getRemainingTimeInMillis: () => 60_000,
};

/** Takes what is in the ingest queue and hands it to the function in one batch. */
async function ingestQueue(
  change: (messages: Message[]) => Message[] = (messages) => messages,
  receives?: number,
) {
  const messages = change(await drain(platform.ingestQueueUrl));
  const { batchItemFailures } = await handler(lambdaEvent(messages, receives), LAMBDA);
  return { messages, failures: batchItemFailures.map(({ itemIdentifier }) => itemIdentifier) };
}

async function put(record: AuditRecord, body: string = JSON.stringify(record)) {
  const key = objectKey(platform.prefix, record.receivedAt, record.requestId);
  await s3.send(new PutObjectCommand({ Bucket: platform.bucket, Key: key, Body: body }));
  return key;
}

/** Not through our code: the query of seed 002 §10. */
async function rowsOf(projectId: string) {
  const { Items = [] } = await dynamoDb.send(
    new QueryCommand({
      TableName: platform.tableName,
      KeyConditionExpression: "id = :id",
      ExpressionAttributeValues: { ":id": { S: `project#${projectId}` } },
    }),
  );
  return Items;
}

const T0 = Date.parse("2026-11-21T10:00:00.000Z");
let clock = 0;
function records(count: number, projectId: string): AuditRecord[] {
  return Array.from({ length: count }, () => {
    const time = T0 + clock++;
    return sample({ projectId, receivedAt: new Date(time).toISOString(), requestId: requestIdAt(time) });
  });
}

const queue = () => ({
  sqs,
  deadLetterQueueUrl: platform.deadLetterQueueUrl,
  ingestQueueUrl: platform.ingestQueueUrl,
});

describe("events become rows", () => {
  test("a timely row costs no write beside its own", async () => {
    const time = Date.now();
    await put(sample({ receivedAt: new Date(time).toISOString(), requestId: requestIdAt(time) }));
    endpoint.operations.reset();
    expect((await ingestQueue()).failures).toEqual([]);
    expect(endpoint.operations.count("dynamodb.BatchWriteItem")).toBe(1);
    expect(endpoint.operations.count("dynamodb.PutItem")).toBe(0);
  });

  test("one row an object, with the seeds' attributes; one BatchWriteItem for the batch, one for the minutes of late rows", async () => {
    const made = records(10, "rows");
    const keys = await Promise.all(made.map((record) => put(record)));
    endpoint.operations.reset();
    const { failures } = await ingestQueue();
    expect(failures).toEqual([]);
    // These rows are days old: the charts have to count their minute again.
    expect(endpoint.operations.count("dynamodb.BatchWriteItem")).toBe(2);
    expect(endpoint.operations.count("s3.GetObject")).toBe(10);
    const rows = await rowsOf("rows");
    expect(rows.map(({ auditObjectKey }) => auditObjectKey?.S)).toEqual(keys);
    expect(rows[0]).toMatchObject({
      projectId: { S: "rows" },
      statusCode: { N: "200" },
      latencyMs: { N: "812.437" },
      auditBucket: { S: platform.bucket },
    });
  });

  test("twice, shuffled and late: one row each", async () => {
    const made = records(30, "again");
    for (const record of made) await put(record);
    const { messages } = await ingestQueue((all) => [...all, ...all].sort(() => Math.random() - 0.5));
    const late = await handler(lambdaEvent(messages.slice(0, 7)), LAMBDA);
    expect(late.batchItemFailures).toEqual([]);
    const rows = await rowsOf("again");
    expect(rows.map(({ requestId }) => requestId?.S)).toEqual(made.map(({ requestId }) => requestId));
  });

  test("S3's test event, several records in one message, and a key with a space and an umlaut", async () => {
    const [spaced, other] = records(2, "keys") as [AuditRecord, AuditRecord];
    const name = "old request ü+1";
    const key = `logs/2026/11/21/${name}.json`;
    await s3.send(new PutObjectCommand({ Bucket: platform.bucket, Key: key, Body: JSON.stringify(spaced) }));
    await put(other);
    const s3Events = (await drain(platform.ingestQueueUrl)).map(({ Body }) => JSON.parse(Body ?? ""));
    const Records = s3Events.flatMap((event) => event.Records);
    expect(JSON.stringify(Records)).toContain("old+request");
    for (const body of [{ Service: "Amazon S3", Event: "s3:TestEvent" }, { Records }]) {
      await sqs.send(
        new SendMessageCommand({ QueueUrl: platform.ingestQueueUrl, MessageBody: JSON.stringify(body) }),
      );
    }
    const { failures } = await ingestQueue();
    expect(failures).toEqual([]);
    expect((await rowsOf("keys")).map(({ requestId }) => requestId?.S)).toEqual([name, other.requestId]);
  });

  test("an older writer's object is stored, not dropped", async () => {
    const key = "logs/2025/11/10/abc-1.json";
    const body = {
      timestamp: "2025-11-10T12:00:00",
      headers: { "x-llm-source": "legacy", "x-llm-user": "-" },
      status_code: 200,
      latency_ms: "12",
      request_body: { messages: [{ role: "user", content: "hi" }] },
      novel: 1,
    };
    await s3.send(new PutObjectCommand({ Bucket: platform.bucket, Key: key, Body: JSON.stringify(body) }));
    await ingestQueue();
    expect(await rowsOf("legacy")).toMatchObject([
      {
        createdAt: { S: "2025-11-10T12:00:00.000Z#abc-1" },
        userId: { S: "unknown" },
        promptPreview: { S: "user: hi" },
      },
    ]);
  });
});

describe("a bad object fails alone", () => {
  test("it reaches the dead-letter queue with its reason, the other nine are stored; repaired, replay stores it", async () => {
    const made = records(10, "poison");
    const poison = made[4] as AuditRecord;
    for (const record of made) if (record !== poison) await put(record);
    const key = await put(poison, `{"request": "${SECRET}`);
    const { failures } = await ingestQueue();
    expect(failures).toEqual([]);
    expect(await rowsOf("poison")).toHaveLength(9);
    expect(output.join("\n")).toContain("sent to the dead-letter queue");

    const { letters, complete } = await DeadLetterQueue.list(queue());
    expect(complete).toBe(true);
    expect(letters).toMatchObject([
      { reason: "malformed_json", objects: [{ bucket: platform.bucket, key }], receives: 1 },
    ]);
    expect(letters[0]?.firstFailedAt).toMatch(/^\d{4}-\d{2}-\d{2}T/);
    // Looking has taken nothing away.
    expect((await DeadLetterQueue.list(queue())).letters).toEqual(letters);

    await put(poison);
    await drain(platform.ingestQueueUrl); // Only the replay shall bring it.
    expect(await DeadLetterQueue.replay(queue(), { dryRun: true })).toEqual({
      seen: 1,
      matched: 1,
      replayed: 0,
    });
    expect(await DeadLetterQueue.replay(queue(), { reason: "schema" })).toEqual({
      seen: 1,
      matched: 0,
      replayed: 0,
    });
    expect(await DeadLetterQueue.replay(queue(), { prefix: "logs/2026/11/" })).toEqual({
      seen: 1,
      matched: 1,
      replayed: 1,
    });
    await ingestQueue();
    expect(await rowsOf("poison")).toHaveLength(10);
    expect((await DeadLetterQueue.list(queue())).letters).toEqual([]);
    expect(output.join("\n")).not.toContain(SECRET);
  });

  test.each([
    ["schema", "[]"],
    ["schema", "{}"],
    ["too_large", JSON.stringify({ pad: SECRET.repeat(10_000) })],
    ["malformed_json", Buffer.from([0x7b, 0xff, 0x7d])],
  ])("%s", async (reason, body) => {
    const [record] = records(1, "bad") as [AuditRecord];
    const Key = objectKey(platform.prefix, record.receivedAt, record.requestId);
    await s3.send(new PutObjectCommand({ Bucket: platform.bucket, Key, Body: body }));
    expect((await ingestQueue()).failures).toEqual([]);
    const { letters } = await DeadLetterQueue.list(queue());
    expect(letters).toMatchObject([{ reason, objects: [{ key: Key }] }]);
    expect(output.join("\n")).not.toContain(SECRET);
  });

  test("a message that is no S3 event keeps its body", async () => {
    await sqs.send(new SendMessageCommand({ QueueUrl: platform.ingestQueueUrl, MessageBody: "hello" }));
    expect((await ingestQueue()).failures).toEqual([]);
    const [letter] = await drain(platform.deadLetterQueueUrl);
    expect(letter).toMatchObject({
      Body: "hello",
      MessageAttributes: { reason: { StringValue: "malformed_json" } },
    });
  });

  test("an object that is not there is left to the queue, and on the last receive named", async () => {
    const [present, missing] = records(2, "missing") as [AuditRecord, AuditRecord];
    await put(present);
    const Body = (await drain(platform.ingestQueueUrl))[0]?.Body ?? "";
    for (const MessageBody of [Body, Body.replaceAll(present.requestId, missing.requestId)]) {
      await sqs.send(new SendMessageCommand({ QueueUrl: platform.ingestQueueUrl, MessageBody }));
    }
    const first = await ingestQueue();
    const lost = first.messages.find((message) => message.Body?.includes(missing.requestId));
    expect(first.failures).toEqual([lost?.MessageId]);
    expect((await DeadLetterQueue.list(queue())).letters).toEqual([]);
    const last = await handler(lambdaEvent([lost as Message], 5), LAMBDA);
    expect(last.batchItemFailures).toEqual([]);
    expect((await DeadLetterQueue.list(queue())).letters).toMatchObject([
      { reason: "missing_object", receives: 5 },
    ]);
  });

  test("S3 that answers 503 is throttled, and nothing is lost once it is back", async () => {
    const [record] = records(1, "slow") as [AuditRecord];
    await put(record);
    endpoint.setFault(
      ({ operation }) => (operation === "s3.GetObject" ? { status: 503 } : undefined) as never,
    );
    const { messages, failures } = await ingestQueue();
    expect(failures).toEqual(messages.map(({ MessageId }) => MessageId));
    const last = await handler(lambdaEvent(messages, 5), LAMBDA);
    expect(last.batchItemFailures).toEqual([]);
    endpoint.setFault(undefined);
    expect(await DeadLetterQueue.replay(queue(), { reason: "throttled" })).toMatchObject({ replayed: 1 });
    await ingestQueue();
    expect(await rowsOf("slow")).toHaveLength(1);
  });

  test("when the dead-letter queue does not take it, the message is not acknowledged", async () => {
    const [record] = records(1, "stuck") as [AuditRecord];
    await put(record, "{");
    endpoint.setFault(
      ({ operation }) => (operation === "sqs.SendMessage" ? { status: 500 } : undefined) as never,
    );
    const { messages, failures } = await ingestQueue();
    expect(failures).toEqual(messages.map(({ MessageId }) => MessageId));
  });

  test("what SQS itself moved there is listed as such", async () => {
    const MessageBody = JSON.stringify({
      Records: [
        { eventName: "ObjectCreated:Put", s3: { bucket: { name: "b" }, object: { key: "logs/x.json" } } },
      ],
    });
    await sqs.send(new SendMessageCommand({ QueueUrl: platform.deadLetterQueueUrl, MessageBody }));
    const { letters } = await DeadLetterQueue.list(queue());
    expect(letters).toMatchObject([
      {
        reason: "unknown",
        detail: expect.stringContaining("moved by SQS"),
        objects: [{ bucket: "b", key: "logs/x.json" }],
      },
    ]);
  });
});

test("35 dead letters: listed once each, replayed by tens with progress, failing ones are not replayed again", async () => {
  const made = records(35, "many");
  for (const record of made) await put(record, "{");
  await ingestQueue();
  const { letters } = await DeadLetterQueue.list(queue());
  expect(new Set(letters.map(({ messageId }) => messageId)).size).toBe(35);
  expect(DeadLetterQueue.countByReason(letters)).toEqual({ malformed_json: 35 });
  expect((await DeadLetterQueue.list(queue(), { limit: 5 })).letters).toHaveLength(5);
  const seen: number[] = [];
  await DeadLetterQueue.replay(queue(), {}, ({ replayed }) => seen.push(replayed));
  expect(seen.at(-1)).toBe(35);
  expect(seen.length).toBeGreaterThan(3);
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({
      QueueUrl: platform.ingestQueueUrl,
      AttributeNames: ["ApproximateNumberOfMessages"],
    }),
  );
  expect(Attributes?.ApproximateNumberOfMessages).toBe("35");
});

test("the function says in one line what its environment lacks", async () => {
  const { ingestConfig } = await import("./ingest-config.ts");
  expect(() => ingestConfig({ MAX_PREVIEW_CHARS: "many" })).toThrow(
    /^[^\n]*TABLE_NAME[^\n]*AUDIT_DLQ_URL[^\n]*MAX_PREVIEW_CHARS[^\n]*$/,
  );
});
