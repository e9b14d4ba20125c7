import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { HeadObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { GetQueueUrlCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import * as Platform from "@central-llm/core/platform";
import { afterEach, expect, test } from "vitest";
import { clientSettings } from "./audit-platform.ts";
import { compileCache } from "./compile-cache.ts";

const running: ReturnType<typeof spawn>[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const child of running.splice(0)) if (child.exitCode === null) child.kill("SIGKILL");
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function start(dataDir: string) {
  const child = spawn(process.execPath, [join(import.meta.dirname, "aws-main.ts")], {
    env: { ...compileCache(), PATH: process.env.PATH, PORT: "0", DATA_DIR: dataDir },
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.push(child);
  for await (const line of createInterface({ input: child.stdout })) {
    const { msg, port } = JSON.parse(line);
    if (msg === "listening") return { child, url: `http://127.0.0.1:${port}` };
  }
  throw new Error("the endpoint ended before it listened");
}

const settings = (url: string) => ({ ...clientSettings({ url, region: "eu-central-1" }), maxAttempts: 1 });
const row = (n: number) => ({ id: { S: "project#kill" }, createdAt: { S: String(n) } });

test("what was acknowledged survives kill -9, on another port", async () => {
  const folder = await mkdtemp(join(tmpdir(), "central-llm-aws-"));
  folders.push(folder);
  const first = await start(folder);
  const s3 = new S3Client(settings(first.url));
  const dynamoDb = new DynamoDBClient(settings(first.url));
  const sqs = new SQSClient(settings(first.url));
  const stored: number[] = [];
  const written: number[] = [];
  let stop = false;
  async function write(worker: number) {
    for (let n = worker; !stop; n += 8) {
      try {
        const Key = `logs/2026/11/21/${n}.json`;
        await s3.send(new PutObjectCommand({ Bucket: Platform.AUDIT_BUCKET, Key, Body: `{"n":${n}}` }));
        stored.push(n);
        await dynamoDb.send(new PutItemCommand({ TableName: Platform.TABLE_NAME, Item: row(n) }));
        written.push(n);
      } catch (error) {
        if (!stop) throw error;
      }
    }
  }
  const writers = Array.from({ length: 8 }, (_, worker) => write(worker));
  await expect.poll(() => written.length).toBeGreaterThan(200);
  // One message is held by a reader that dies with the endpoint.
  const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: Platform.INGEST_QUEUE }));
  await sqs.send(new ReceiveMessageCommand({ QueueUrl }));
  stop = true;
  first.child.kill("SIGKILL");
  await Promise.all([once(first.child, "exit"), ...writers]);

  const second = await start(folder);
  expect(second.url).not.toBe(first.url);
  const s3Again = new S3Client(settings(second.url));
  const dynamoDbAgain = new DynamoDBClient(settings(second.url));
  const sqsAgain = new SQSClient(settings(second.url));
  for (const n of stored) {
    await s3Again.send(
      new HeadObjectCommand({ Bucket: Platform.AUDIT_BUCKET, Key: `logs/2026/11/21/${n}.json` }),
    );
  }
  for (const n of written) {
    const { Item } = await dynamoDbAgain.send(
      new GetItemCommand({ TableName: Platform.TABLE_NAME, Key: row(n) }),
    );
    expect(Item).toEqual(row(n));
  }
  const url = await sqsAgain.send(new GetQueueUrlCommand({ QueueName: Platform.INGEST_QUEUE }));
  expect(url.QueueUrl).toContain(second.url);
  const keys = new Set<string>();
  let tests = 0;
  for (;;) {
    const { Messages = [] } = await sqsAgain.send(
      new ReceiveMessageCommand({ QueueUrl: url.QueueUrl, MaxNumberOfMessages: 10 }),
    );
    if (Messages.length === 0) break;
    for (const message of Messages) {
      const { Event, Records } = JSON.parse(message.Body ?? "");
      if (Event === "s3:TestEvent") tests++;
      else keys.add(Records[0].s3.object.key);
    }
  }
  // The test event was the oldest message: the one that the dead reader held.
  expect(tests).toBe(1);
  for (const n of stored) expect(keys).toContain(`logs/2026/11/21/${n}.json`);
});
