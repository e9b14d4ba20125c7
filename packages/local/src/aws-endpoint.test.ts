import {
  type AttributeValue,
  BatchGetItemCommand,
  BatchWriteItemCommand,
  CreateTableCommand,
  DescribeContinuousBackupsCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  TransactionCanceledException,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
  StartMessageMoveTaskCommand,
} from "@aws-sdk/client-sqs";
import { AUDIT_TABLE } from "@central-llm/core/audit-table-definition";
import { itemBytes } from "@central-llm/core/item-size";
import * as Platform from "@central-llm/core/platform";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type AuditPlatform, clientSettings, createAuditPlatform } from "./audit-platform.ts";
import { type AwsEndpoint, startAwsEndpoint } from "./aws-endpoint.ts";

let endpoint: AwsEndpoint;
let platform: AuditPlatform;
let s3: S3Client;
let sqs: SQSClient;
let dynamoDb: DynamoDBClient;

beforeAll(async () => {
  endpoint = await startAwsEndpoint();
  platform = await createAuditPlatform(endpoint);
  const settings = { ...clientSettings(endpoint), maxAttempts: 1 };
  s3 = new S3Client(settings);
  sqs = new SQSClient(settings);
  dynamoDb = new DynamoDBClient(settings);
});
afterAll(async () => {
  for (const client of [s3, sqs, dynamoDb]) client.destroy();
  await endpoint.stop();
});
afterEach(() => endpoint.setFault(undefined));

const Bucket = Platform.AUDIT_BUCKET;
const put = (Key: string, Body = "{}", more = {}) =>
  s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
const status = (error: unknown) =>
  (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;

async function receive(QueueUrl: string, more = {}) {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl,
      MaxNumberOfMessages: 10,
      MessageSystemAttributeNames: ["All"],
      MessageAttributeNames: ["All"],
      ...more,
    }),
  );
  return Messages;
}
async function drain(QueueUrl: string): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    const messages = await receive(QueueUrl);
    if (messages.length === 0) return bodies;
    bodies.push(...messages.map((m) => m.Body ?? ""));
    await sqs.send(
      new DeleteMessageBatchCommand({
        QueueUrl,
        Entries: messages.map((m, i) => ({ Id: String(i), ReceiptHandle: m.ReceiptHandle ?? "" })),
      }),
    );
  }
}
async function queue(name: string, Attributes: Record<string, string> = {}): Promise<string> {
  const { QueueUrl = "" } = await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes }));
  return QueueUrl;
}

describe("S3", () => {
  test("of fifty writers with If-None-Match exactly one wins, the others get 412", async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, (_, i) => put("race/object.json", `writer ${i}`, { IfNoneMatch: "*" })),
    );
    const lost = outcomes.filter((o) => o.status === "rejected");
    expect(lost).toHaveLength(49);
    expect(lost.every((o) => status(o.reason) === 412 && o.reason.name === "PreconditionFailed")).toBe(true);
  });

  test("keeps user metadata and long, odd keys", async () => {
    const Key = `logs/2026/11/21/a b+c&d=é ${"x".repeat(200)}.json`;
    await put(Key, "{}", { Metadata: { writer: "task-1", sequence: "17" } });
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key }));
    expect(head.Metadata).toEqual({ writer: "task-1", sequence: "17" });
    const got = await s3.send(new GetObjectCommand({ Bucket, Key }));
    expect(got.Metadata).toEqual({ writer: "task-1", sequence: "17" });
    expect(await got.Body?.transformToString()).toBe("{}");
  });

  test("lists every key once, in byte order, over pages, with common prefixes", async () => {
    const keys = ["B", "a", "b", "A", "é", "_", "Z9", "z", "a/1", "a/2", "b/1"].map((k) => `list/${k}`);
    for (const key of keys) await put(key);
    const seen: string[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page: ListObjectsV2CommandOutput = await s3.send(
        new ListObjectsV2Command({ Bucket, Prefix: "list/", MaxKeys: 2, ContinuationToken }),
      );
      seen.push(...(page.Contents ?? []).map((o) => o.Key ?? ""));
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken);
    expect(seen).toEqual([...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));

    const folders: string[] = [];
    do {
      const page: ListObjectsV2CommandOutput = await s3.send(
        new ListObjectsV2Command({
          Bucket,
          Prefix: "list/",
          Delimiter: "/",
          MaxKeys: 1,
          ContinuationToken,
        }),
      );
      folders.push(...(page.CommonPrefixes ?? []).map((p) => p.Prefix ?? ""));
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken);
    expect(folders).toEqual(["list/a/", "list/b/"]);
  });

  test("refuses what it does not know in place of storing it as a body", async () => {
    await put("tagged.json", "the body");
    const tagging = new PutObjectTaggingCommand({ Bucket, Key: "tagged.json", Tagging: { TagSet: [] } });
    await expect(s3.send(tagging)).rejects.toMatchObject({ name: "NotImplemented" });
    const got = await s3.send(new GetObjectCommand({ Bucket, Key: "tagged.json" }));
    expect(await got.Body?.transformToString()).toBe("the body");
  });
});

describe("S3 → SQS", () => {
  test("sends s3:TestEvent, then AWS's event for objects of the prefix and suffix", async () => {
    const [test = "", ...others] = await drain(platform.ingestQueueUrl);
    expect(JSON.parse(test)).toMatchObject({ Event: "s3:TestEvent", Bucket });
    // The long key of the test above.
    expect(others).toHaveLength(1);
    await put("elsewhere/x.json");
    await put("logs/2026/11/21/not-json.txt");
    await put("logs/2026/11/21/a b+c.json", "12345");
    const events = await drain(platform.ingestQueueUrl);
    expect(events).toHaveLength(1);
    const event = JSON.parse(events[0] ?? "");
    // By the form's rules, which our reader goes by.
    const decoded = decodeURIComponent(event.Records[0].s3.object.key.replaceAll("+", " "));
    expect(decoded).toBe("logs/2026/11/21/a b+c.json");
    expect(event).toMatchObject({
      Records: [
        {
          eventSource: "aws:s3",
          eventName: "ObjectCreated:Put",
          awsRegion: endpoint.region,
          s3: {
            bucket: { name: Bucket, arn: `arn:aws:s3:::${Bucket}` },
            object: { size: 5 },
          },
        },
      ],
    });
  });

  test("encodes keys in events as S3 does: + for a space, slashes left alone", async () => {
    await drain(platform.ingestQueueUrl);
    await put("logs/2026/11/21/a b+ü.json");
    const [event = ""] = await drain(platform.ingestQueueUrl);
    expect(JSON.parse(event).Records[0].s3.object.key).toBe("logs/2026/11/21/a+b%2B%C3%BC.json");
  });

  test("a second createAuditPlatform changes nothing and sends no second test event", async () => {
    await drain(platform.ingestQueueUrl);
    expect(await createAuditPlatform(endpoint)).toEqual(platform);
    expect(await drain(platform.ingestQueueUrl)).toEqual([]);
  });
});

describe("SQS", () => {
  test("sends and deletes in batches, carries attributes, reports depth", async () => {
    const QueueUrl = await queue("batches");
    await sqs.send(
      new SendMessageBatchCommand({
        QueueUrl,
        Entries: Array.from({ length: 10 }, (_, i) => ({
          Id: `m${i}`,
          MessageBody: `body ${i}`,
          MessageAttributes: { reason: { DataType: "String", StringValue: `r${i}` } },
        })),
      }),
    );
    const depth = async () =>
      (
        await sqs.send(
          new GetQueueAttributesCommand({
            QueueUrl,
            AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
          }),
        )
      ).Attributes;
    expect(await depth()).toEqual({
      ApproximateNumberOfMessages: "10",
      ApproximateNumberOfMessagesNotVisible: "0",
    });
    const messages = await receive(QueueUrl);
    expect(messages[3]?.MessageAttributes?.reason?.StringValue).toBe("r3");
    expect(messages[3]?.Attributes?.ApproximateReceiveCount).toBe("1");
    expect(await depth()).toMatchObject({ ApproximateNumberOfMessagesNotVisible: "10" });
    const Entries = messages.map((m, i) => ({ Id: String(i), ReceiptHandle: m.ReceiptHandle }));
    const { Successful } = await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
    expect(Successful).toHaveLength(10);
    expect(await depth()).toMatchObject({ ApproximateNumberOfMessagesNotVisible: "0" });
  });

  test("moves a message to the dead-letter queue after maxReceiveCount receives", async () => {
    const dead = await queue("move-dlq");
    const deadLetterTargetArn = `arn:aws:sqs:${endpoint.region}:000000000000:move-dlq`;
    const source = await queue("move", {
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 2 }),
    });
    await sqs.send(new SendMessageCommand({ QueueUrl: source, MessageBody: "poison" }));
    for (const count of ["1", "2"]) {
      const [message] = await receive(source);
      expect(message?.Attributes?.ApproximateReceiveCount).toBe(count);
      await sqs.send(
        new ChangeMessageVisibilityCommand({
          QueueUrl: source,
          ReceiptHandle: message?.ReceiptHandle,
          VisibilityTimeout: 0,
        }),
      );
    }
    expect(await receive(source)).toEqual([]);
    expect((await receive(dead, { VisibilityTimeout: 0 }))[0]?.Body).toBe("poison");
    expect(await drain(dead)).toEqual(["poison"]);
  });

  test("a move task takes messages from the dead-letter queue to where they came from", async () => {
    const dead = await queue("task-dlq");
    const deadLetterTargetArn = `arn:aws:sqs:${endpoint.region}:000000000000:task-dlq`;
    const source = await queue("task", {
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 1 }),
    });
    await sqs.send(new SendMessageCommand({ QueueUrl: source, MessageBody: "poison" }));
    await receive(source, { VisibilityTimeout: 0 });
    expect(await receive(source)).toEqual([]);
    await sqs.send(new StartMessageMoveTaskCommand({ SourceArn: deadLetterTargetArn }));
    expect(await drain(dead)).toEqual([]);
    expect(await drain(source)).toEqual(["poison"]);
  });

  test("a long poll whose client has gone does not swallow a message", async () => {
    const QueueUrl = await queue("polls");
    const abort = new AbortController();
    const poll = sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }), {
      abortSignal: abort.signal,
    });
    await expect.poll(() => endpoint.operations.count("sqs.ReceiveMessage")).toBeGreaterThan(0);
    abort.abort();
    await expect(poll).rejects.toThrow();
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "still here" }));
    const [message] = await receive(QueueUrl, { WaitTimeSeconds: 2 });
    expect(message?.Body).toBe("still here");
    expect(message?.Attributes?.ApproximateReceiveCount).toBe("1");
  });
});

describe("DynamoDB", () => {
  const row = (id: string, more = {}) => ({
    id: { S: "project#p" },
    createdAt: { S: `2026-11-21T10:00:00.000Z#${id}` },
    requestId: { S: id },
    userIdPk: { S: "user#u" },
    userIdSk: { S: `2026#${id}` },
    statusCode: { N: "200" },
    promptPreview: { S: "only in the base item" },
    ...more,
  });
  const TableName = Platform.TABLE_NAME;

  test("has the table with TTL", async () => {
    const ttl = await dynamoDb.send(new DescribeTimeToLiveCommand({ TableName }));
    expect(ttl.TimeToLiveDescription).toEqual({ TimeToLiveStatus: "ENABLED", AttributeName: "expiresAt" });
  });

  test("has the table with point-in-time recovery", async () => {
    const backups = await dynamoDb.send(new DescribeContinuousBackupsCommand({ TableName }));
    expect(
      backups.ContinuousBackupsDescription?.PointInTimeRecoveryDescription?.PointInTimeRecoveryStatus,
    ).toBe("ENABLED");
  });

  test("writes and reads batches; an INCLUDE index carries what it says and no more; pages both ways", async () => {
    const ids = Array.from({ length: 25 }, (_, i) => `id-${String(i).padStart(2, "0")}`);
    await dynamoDb.send(
      new BatchWriteItemCommand({
        RequestItems: { [TableName]: ids.map((id) => ({ PutRequest: { Item: row(id) } })) },
      }),
    );
    const { Responses } = await dynamoDb.send(
      new BatchGetItemCommand({
        RequestItems: {
          [TableName]: {
            Keys: ids.map((id) => ({ id: row(id).id, createdAt: row(id).createdAt })),
            ConsistentRead: true,
          },
        },
      }),
    );
    expect(Responses?.[TableName]).toHaveLength(25);
    for (const ScanIndexForward of [true, false]) {
      const seen: string[] = [];
      let ExclusiveStartKey: Record<string, { S: string }> | undefined;
      do {
        const page = await dynamoDb.send(
          new QueryCommand({
            TableName,
            IndexName: "GSI_UserTime",
            KeyConditionExpression: "userIdPk = :u AND begins_with(userIdSk, :t)",
            ExpressionAttributeValues: { ":u": { S: "user#u" }, ":t": { S: "2026#" } },
            Limit: 7,
            ScanIndexForward,
            ExclusiveStartKey,
          }),
        );
        for (const item of page.Items ?? []) {
          expect(item.promptPreview).toBeUndefined();
          expect(item.statusCode).toEqual({ N: "200" });
          seen.push(item.createdAt?.S?.split("#")[1] ?? "");
        }
        ExclusiveStartKey = page.LastEvaluatedKey as typeof ExclusiveStartKey;
      } while (ExclusiveStartKey);
      expect(seen).toEqual(ScanIndexForward ? ids : ids.toReversed());
    }
  });

  test("counts operations and write units, per table and index, as AWS charges them", async () => {
    const unit = async (run: () => Promise<unknown>) => {
      endpoint.operations.reset();
      await run();
      return endpoint.operations.writeUnits();
    };
    const Item = row("units", { promptPreview: { S: "x".repeat(3000) } });
    const first = await unit(async () => {
      const put = await dynamoDb.send(
        new PutItemCommand({ TableName, Item, ReturnConsumedCapacity: "INDEXES" }),
      );
      expect(put.ConsumedCapacity).toMatchObject({
        CapacityUnits: 5,
        Table: { CapacityUnits: 4 },
        GlobalSecondaryIndexes: { GSI_UserTime: { CapacityUnits: 1 } },
      });
    });
    expect(first).toEqual({ [TableName]: 4, [`${TableName}/GSI_UserTime`]: 1 });
    // The same item again: the table is charged, the unchanged index entry is not.
    expect(await unit(() => dynamoDb.send(new PutItemCommand({ TableName, Item })))).toEqual({
      [TableName]: 4,
    });
    // A new index key is a delete and a put there.
    const moved = new UpdateItemCommand({
      TableName,
      Key: { id: Item.id, createdAt: Item.createdAt },
      UpdateExpression: "SET userIdSk = :t",
      ExpressionAttributeValues: { ":t": { S: "2027#units" } },
    });
    expect(await unit(() => dynamoDb.send(moved))).toEqual({
      [TableName]: 4,
      [`${TableName}/GSI_UserTime`]: 2,
    });
    const batch = await dynamoDb.send(
      new BatchWriteItemCommand({
        RequestItems: { [TableName]: [{ PutRequest: { Item: row("b1") } }, { PutRequest: { Item } }] },
        ReturnConsumedCapacity: "TOTAL",
      }),
    );
    expect(batch.ConsumedCapacity).toEqual([{ TableName, CapacityUnits: 1 + 1 + 4 + 2 }]);
    expect(endpoint.operations.counts()).toEqual({ "dynamodb.UpdateItem": 1, "dynamodb.BatchWriteItem": 1 });
  });

  test("charges a refused condition like the write", async () => {
    const Item = row("refused", { promptPreview: { S: "x".repeat(3000) } });
    await dynamoDb.send(new PutItemCommand({ TableName, Item }));
    endpoint.operations.reset();
    const again = new PutItemCommand({ TableName, Item, ConditionExpression: "attribute_not_exists(id)" });
    await expect(dynamoDb.send(again)).rejects.toMatchObject({ name: "ConditionalCheckFailedException" });
    expect(endpoint.operations.writeUnits()).toEqual({ [TableName]: 4 });
  });

  test.each<[AttributeValue, unknown]>([
    [{ S: "ascii" }, "ascii"],
    [{ S: "ü…😀" }, "ü…😀"],
    [{ N: "0" }, 0],
    [{ N: "-5" }, -5],
    [{ N: "170" }, 170],
    [{ N: "200" }, 200],
    [{ N: "812.437" }, 812.437],
    [{ N: "95.118" }, 95.118],
    [{ N: "0.004044" }, 0.004044],
    [{ N: "1795255200" }, 1_795_255_200],
    [{ BOOL: true }, true],
    [{ NULL: true }, null],
    [{ L: [{ S: "pii" }, { S: "partial" }] }, ["pii", "partial"]],
    [{ M: { a: { S: "b" }, c: { N: "12.5" } } }, { a: "b", c: 12.5 }],
  ])("%j is as large as core reckons: an item of 1,024 bytes is one unit, of 1,025 two", async (v, value) => {
    const id = crypto.randomUUID();
    const known = { id: "project#sizes", createdAt: id, v: value, fill: "" };
    const room = 1024 - itemBytes(known);
    for (const [bytes, units] of [
      [room, 1],
      [room + 1, 2],
    ] as const) {
      const Item = { id: { S: "project#sizes" }, createdAt: { S: id }, v, fill: { S: "x".repeat(bytes) } };
      endpoint.operations.reset();
      await dynamoDb.send(new PutItemCommand({ TableName, Item }));
      expect(endpoint.operations.writeUnits(), `${bytes} bytes of filling`).toEqual({ [TableName]: units });
    }
  });

  test("shows its requests to a listener", async () => {
    const heard: string[] = [];
    const stop = endpoint.operations.onDynamoDbRequest((operation, body) =>
      heard.push(`${operation} ${body.TableName}`),
    );
    await dynamoDb.send(
      new GetItemCommand({ TableName, Key: { id: { S: "project#p" }, createdAt: { S: "x" } } }),
    );
    stop();
    await dynamoDb.send(
      new GetItemCommand({ TableName, Key: { id: { S: "project#p" }, createdAt: { S: "x" } } }),
    );
    expect(heard).toEqual([`GetItem ${TableName}`]);
  });

  test("a transaction is all or nothing and names the condition that failed", async () => {
    await dynamoDb.send(
      new CreateTableCommand({
        ...AUDIT_TABLE,
        TableName: "Transactions",
        AttributeDefinitions: AUDIT_TABLE.AttributeDefinitions.slice(0, 2),
        GlobalSecondaryIndexes: undefined,
      }),
    );
    const Put = (id: string, more = {}) => ({
      Put: { TableName: "Transactions", Item: row(id), ...more },
    });
    await dynamoDb.send(new TransactWriteItemsCommand({ TransactItems: [Put("t1")] }));
    const again = dynamoDb.send(
      new TransactWriteItemsCommand({
        TransactItems: [Put("t2"), Put("t1", { ConditionExpression: "attribute_not_exists(id)" })],
      }),
    );
    const error = await again.then(
      () => undefined,
      (e) => e,
    );
    expect(error).toBeInstanceOf(TransactionCanceledException);
    expect(error.CancellationReasons.map((r: { Code: string }) => r.Code)).toEqual([
      "None",
      "ConditionalCheckFailed",
    ]);
    const { Item } = await dynamoDb.send(
      new GetItemCommand({
        TableName: "Transactions",
        Key: { id: row("t2").id, createdAt: row("t2").createdAt },
      }),
    );
    expect(Item).toBeUndefined();
  });
});

describe("faults on demand", () => {
  test("status, delay, reset, a lost answer and a hang", async () => {
    const rule = (fault: Parameters<AwsEndpoint["setFault"]>[0]) => endpoint.setFault(fault);
    rule(({ operation }) => (operation === "s3.PutObject" ? { status: 503 } : undefined));
    await expect(put("fault/a.json")).rejects.toMatchObject({ name: "SlowDown" });
    rule(({ operation }) => (operation === "dynamodb.GetItem" ? { status: 400 } : undefined));
    const Key = { id: { S: "a" }, createdAt: { S: "b" } };
    await expect(
      dynamoDb.send(new GetItemCommand({ TableName: Platform.TABLE_NAME, Key })),
    ).rejects.toMatchObject({ name: "ProvisionedThroughputExceededException" });
    rule(() => "reset");
    await expect(put("fault/b.json")).rejects.toThrow();
    rule(() => "lose-answer");
    await expect(put("fault/c.json")).rejects.toThrow();
    rule(() => "hang");
    await expect(
      s3.send(new HeadObjectCommand({ Bucket, Key: "fault/c.json" }), {
        abortSignal: AbortSignal.timeout(100),
      }),
    ).rejects.toThrow();
    rule(() => ({ delayMs: 60 }));
    const start = performance.now();
    await s3.send(new HeadObjectCommand({ Bucket, Key: "fault/c.json" }));
    expect(performance.now() - start).toBeGreaterThan(55);
    rule(undefined);
    await expect(s3.send(new HeadObjectCommand({ Bucket, Key: "fault/b.json" }))).rejects.toMatchObject({
      name: "NotFound",
    });
  });
});
