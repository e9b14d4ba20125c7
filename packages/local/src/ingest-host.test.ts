/** Ingest as it runs: its own processes behind the queue, killed in mid-batch, told everything twice and out of order. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DynamoDBClient, ScanCommand } from "@aws-sdk/client-dynamodb";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { GetQueueAttributesCommand, SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";
import { objectKey } from "@central-llm/core/audit-key";
import { requestIdAt, sample } from "@central-llm/core/audit-record-sample";
import * as S3Event from "@central-llm/core/s3-event";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AuditPlatform, clientSettings, createAuditPlatform } from "./audit-platform.ts";
import { type AwsEndpoint, startAwsEndpoint } from "./aws-endpoint.ts";
import { openLog } from "./process-log.ts";
import { childrenOf, signalled } from "./process-tree.ts";
import { type StartedProgram, spawnProgram } from "./supervised-process.ts";
import { lambdaProgram } from "./testing/lambda-program.ts";

let endpoint: AwsEndpoint;
let platform: AuditPlatform;
let folder: string;
let host: StartedProgram;
let s3: S3Client;
let sqs: SQSClient;
let dynamoDb: DynamoDBClient;

beforeEach(async () => {
  endpoint = await startAwsEndpoint();
  platform = await createAuditPlatform(endpoint);
  folder = await mkdtemp(join(tmpdir(), "central-llm-ingest-"));
  const client = clientSettings(endpoint);
  [s3, sqs, dynamoDb] = [new S3Client(client), new SQSClient(client), new DynamoDBClient(client)];
  host = spawnProgram(
    lambdaProgram(endpoint, platform),
    openLog(folder, "lambda", () => {}),
  );
  await host.listening;
});

afterEach(async () => {
  host.child.kill("SIGKILL");
  for (const client of [s3, sqs, dynamoDb]) client.destroy();
  await endpoint.stop();
  await rm(folder, { recursive: true, force: true });
});

async function rows(): Promise<string[]> {
  const { Items = [] } = await dynamoDb.send(new ScanCommand({ TableName: platform.tableName }));
  // The table also holds the charts' counts.
  return Items.flatMap(({ auditObjectKey }) => auditObjectKey?.S ?? []).sort();
}

async function waiting(QueueUrl: string): Promise<number> {
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({
      QueueUrl,
      AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    }),
  );
  return Object.values(Attributes).reduce((sum, count) => sum + Number(count), 0);
}

test("every event twice and shuffled, ingest killed in mid-batch: one row each, and nothing in the dead-letter queue", async () => {
  const keys: string[] = [];
  for (let count = 0; count < 60; count++) {
    const time = Date.parse("2026-11-21T10:00:00.000Z") + count;
    const record = sample({ receivedAt: new Date(time).toISOString(), requestId: requestIdAt(time) });
    keys.push(objectKey(platform.prefix, record.receivedAt, record.requestId));
    const body = { Bucket: platform.bucket, Key: keys.at(-1), Body: JSON.stringify(record) };
    await s3.send(new PutObjectCommand(body));
  }
  const again = [...keys, ...keys].sort(() => Math.random() - 0.5);
  for (let at = 0; at < again.length; at += 10) {
    const Entries = again
      .slice(at, at + 10)
      .map((key, index) => ({ Id: String(index), MessageBody: S3Event.body(platform.bucket, key) }));
    await sqs.send(new SendMessageBatchCommand({ QueueUrl: platform.ingestQueueUrl, Entries }));
  }
  for (let kill = 0; kill < 2; kill++) {
    // The process dies with its writes on their way: some of them will be done, and it will not know.
    endpoint.operations.reset();
    endpoint.setFault(({ operation }) =>
      operation === "dynamodb.BatchWriteItem" ? { delayMs: 300 } : undefined,
    );
    await expect
      .poll(() => endpoint.operations.count("dynamodb.BatchWriteItem"), { interval: 5 })
      .toBeGreaterThan(0);
    const instances = await childrenOf(host.child.pid ?? 0);
    expect(instances.filter((pid) => signalled(pid, "SIGKILL")).length).toBeGreaterThan(0);
  }
  endpoint.setFault(undefined);
  await expect.poll(() => waiting(platform.ingestQueueUrl)).toBe(0);
  expect(await rows()).toEqual(keys.toSorted());
  expect(await waiting(platform.deadLetterQueueUrl)).toBe(0);
});
