/** Completeness of a window, with real objects, rows and statements on the embedded engines. */
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DeleteObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { type AuditPlatform, clientSettings, createAuditPlatform } from "@central-llm/local/audit-platform";
import { type AwsEndpoint, startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { afterEach, beforeEach, expect, test } from "vitest";
import { objectKey } from "./audit-key.ts";
import type { AuditRecord } from "./audit-record.ts";
import { requestIdAt, sample } from "./audit-record-sample.ts";
import * as AuditRow from "./audit-row.ts";
import * as AuditTable from "./audit-table.ts";
import { reconcile, type State } from "./reconcile.ts";
import { ledger, reconcileHours } from "./reconcile-ledger.ts";
import { verdict } from "./reconcile-report.ts";
import { awsSource } from "./reconcile-source.ts";
import * as S3Event from "./s3-event.ts";
import { SequenceSet } from "./sequence-set.ts";
import * as StoredRecord from "./stored-record.ts";
import { statementKey, type WriterStatement } from "./writer-statement.ts";

let endpoint: AwsEndpoint;
let platform: AuditPlatform;
let s3: S3Client;
let sqs: SQSClient;
let table: AuditTable.AuditTable;

const FROM = Date.parse("2026-11-20T10:00:00.000Z");
const MINUTE = 60_000;
const HOUR = { from: FROM, to: FROM + 60 * MINUTE };
/** Long after the window. */
const LATER = FROM + 300 * MINUTE;

beforeEach(async () => {
  endpoint = await startAwsEndpoint();
  platform = await createAuditPlatform(endpoint);
  s3 = new S3Client(clientSettings(endpoint));
  sqs = new SQSClient(clientSettings(endpoint));
  table = AuditTable.open(new DynamoDBClient(clientSettings(endpoint)), platform.tableName);
});

afterEach(() => endpoint.stop());

const source = () =>
  awsSource({
    s3,
    sqs,
    table,
    bucket: platform.bucket,
    prefix: platform.prefix,
    ingestQueueUrl: platform.ingestQueueUrl,
  });
const check = (options: Parameters<typeof reconcile>[2] = {}) =>
  reconcile(source(), HOUR, { now: LATER, ...options });

function record(
  writer: string,
  sequence: number,
  at: number,
  changes: Partial<AuditRecord> = {},
): AuditRecord {
  const receivedAt = new Date(at).toISOString();
  return sample({
    receivedAt,
    requestId: requestIdAt(at),
    chain: { writer, sequence, previousHash: null },
    ...changes,
  });
}

const keyOf = ({ receivedAt, requestId }: AuditRecord) => objectKey(platform.prefix, receivedAt, requestId);

async function putObject(stored: AuditRecord): Promise<void> {
  await s3.send(
    new PutObjectCommand({
      Bucket: platform.bucket,
      Key: keyOf(stored),
      Body: JSON.stringify(stored),
      Metadata: { writer: stored.chain.writer, sequence: String(stored.chain.sequence) },
    }),
  );
}

async function putRow(stored: AuditRecord): Promise<void> {
  const key = keyOf(stored);
  const parsed = StoredRecord.parse(JSON.stringify(stored), { key, lastModified: undefined });
  const row = AuditRow.fromStored(parsed, { bucket: platform.bucket, key }, { maxPreviewChars: 100 });
  expect([...(await AuditTable.writeRows(table, [row])).values()]).toEqual([]);
}

async function store(records: AuditRecord[]): Promise<void> {
  for (const stored of records) {
    await putObject(stored);
    await putRow(stored);
  }
}

async function say(
  writer: string,
  at: number,
  sequence: number,
  state: WriterStatement["state"],
): Promise<void> {
  const statement = {
    schemaVersion: 1 as const,
    writer,
    profile: "central",
    at: new Date(at).toISOString(),
    sequence,
    state,
  };
  await s3.send(
    new PutObjectCommand({
      Bucket: platform.bucket,
      Key: statementKey(statement),
      Body: JSON.stringify(statement),
    }),
  );
}

/** 30 records, two minutes apart, from a writer that closed after them. */
async function healthyHour(): Promise<AuditRecord[]> {
  const records = Array.from({ length: 30 }, (_, index) =>
    record("a-1", index + 1, FROM + index * 2 * MINUTE),
  );
  await store(records);
  await say("a-1", FROM - MINUTE, 0, "open");
  await say("a-1", HOUR.to + 5 * MINUTE, 30, "closed");
  return records;
}

async function requeued(): Promise<string[]> {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: platform.ingestQueueUrl,
      MaxNumberOfMessages: 10,
      VisibilityTimeout: 0,
    }),
  );
  // The bucket's own notifications are in the queue too; ours are those without an event's time.
  return Messages.filter(({ Body = "" }) => !Body.includes("eventTime")).flatMap(({ Body = "" }) =>
    S3Event.parse(Body).map(({ key }) => key),
  );
}

async function emptyQueue(): Promise<void> {
  for (;;) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: platform.ingestQueueUrl,
        MaxNumberOfMessages: 10,
        VisibilityTimeout: 3600,
      }),
    );
    if (Messages.length === 0) return;
  }
}

test("a window with everything in place is complete", async () => {
  await healthyHour();
  const report = await check();
  expect(report).toMatchObject({ objects: 30, rows: 30, missing: 0, gaps: [], silent: [], complete: true });
  expect(report && verdict(report)).toBe("complete");
});

test("an object without a row is named and sent to ingest again; with dryRun only named", async () => {
  await healthyHour();
  const lost = record("a-1", 31, FROM + 59 * MINUTE);
  await putObject(lost);
  await emptyQueue();
  const dry = await check({ dryRun: true });
  expect(dry).toMatchObject({
    missingRows: { count: 1, keys: [keyOf(lost)] },
    requeued: 0,
    missing: 1,
    complete: false,
  });
  expect(await requeued()).toEqual([]);

  const report = await check();
  expect(report).toMatchObject({ missingRows: { count: 1 }, requeued: 1, gaps: [] });
  expect(report && verdict(report)).toBe("1 missing (1 row)");
  expect(await requeued()).toEqual([keyOf(lost)]);
  await putRow(lost);
  expect(await check()).toMatchObject({ complete: true });
});

test("a row without an object is named", async () => {
  const [first] = await healthyHour();
  await s3.send(new DeleteObjectCommand({ Bucket: platform.bucket, Key: keyOf(first as AuditRecord) }));
  expect(await check()).toMatchObject({
    missingObjects: { count: 1, requestIds: [first?.requestId] },
    gaps: [],
    missing: 1,
  });
});

test("client-chosen names are looked up one by one, both ways", async () => {
  const at = FROM + 10 * MINUTE;
  const named = (requestId: string, sequence: number) =>
    record("b-1", sequence, at, { requestId, clientRequestId: requestId });
  const [whole, noRow, noObject] = [named("order-4711", 1), named("order-4712", 2), named("order-4713", 3)];
  await store([whole as AuditRecord]);
  await putObject(noRow as AuditRecord);
  await putRow(noObject as AuditRecord);
  await say("b-1", at - MINUTE, 0, "open");
  await say("b-1", at + MINUTE, 3, "closed");
  const report = await check();
  // Objects without a time in their name count to the window in which they were stored: today, not the one checked.
  expect(report).toMatchObject({
    missingObjects: { count: 1, requestIds: ["order-4713"] },
    gaps: [{ writer: "b-1", first: 2, last: 2 }],
  });

  // In the window in which they were stored, they are looked for.
  const now = Date.now();
  await putObject(record("b-2", 1, now, { requestId: "order-4714", clientRequestId: "order-4714" }));
  const today = await reconcile(source(), { from: now - MINUTE, to: now + MINUTE }, { now, dryRun: true });
  expect(today?.missingRows.keys).toContainEqual(expect.stringContaining("order-4714"));
});

test("gaps: a number without a record, at the window's begin, in its middle, and behind its last row", async () => {
  const records = Array.from({ length: 20 }, (_, index) =>
    record("c-1", index + 101, FROM + index * 2 * MINUTE),
  );
  await store(records.filter((_, index) => index !== 0 && index !== 7 && index !== 8));
  await say("c-1", FROM - 2 * MINUTE, 100, "open");
  await say("c-1", HOUR.to - MINUTE, 123, "open");
  await say("c-1", HOUR.to + 5 * MINUTE, 123, "closed");
  const report = await check();
  expect(report?.gaps).toEqual([
    { writer: "c-1", first: 101, last: 101 },
    { writer: "c-1", first: 108, last: 109 },
    { writer: "c-1", first: 121, last: 123 },
  ]);
  expect(report && verdict(report)).toBe("6 missing (6 numbers in writers' sequences)");
});

test("a request that began before the window and was numbered within it is no gap", async () => {
  await store([
    record("d-1", 1, FROM + MINUTE),
    record("d-1", 2, FROM - 14 * MINUTE),
    record("d-1", 3, FROM + 3 * MINUTE),
  ]);
  await say("d-1", FROM + 10 * MINUTE, 3, "closed");
  expect(await check()).toMatchObject({ gaps: [], complete: true });
});

test("a writer that fell silent without closing is reported; one that still speaks or closed later is not", async () => {
  await store([record("dead-1", 1, FROM + MINUTE), record("alive-1", 1, FROM + MINUTE)]);
  await say("dead-1", FROM + 2 * MINUTE, 1, "open");
  await say("alive-1", FROM + 2 * MINUTE, 1, "open");
  await say("alive-1", HOUR.to + 30 * MINUTE, 1, "open");
  const report = await check();
  expect(report).toMatchObject({ missing: 0, complete: false, silent: [{ writer: "dead-1", sequence: 1 }] });
  expect(report && verdict(report)).toBe("1 writer fell silent without closing");
  await say("dead-1", HOUR.to + 10 * MINUTE, 1, "closed");
  expect(await check()).toMatchObject({ complete: true });
});

test("a writer's last word is its last, though its clock ran ahead when it spoke before", async () => {
  await say("stepped", FROM + 50 * MINUTE, 4, "open");
  await say("stepped", FROM + 40 * MINUTE, 4, "closed");
  expect((await check())?.silent).toEqual([]);
});

test("a run that is cut off goes on from its last state, and finds the same", async () => {
  const records = await healthyHour();
  await s3.send(new DeleteObjectCommand({ Bucket: platform.bucket, Key: keyOf(records[3] as AuditRecord) }));
  await s3.send(new DeleteObjectCommand({ Bucket: platform.bucket, Key: keyOf(records[25] as AuditRecord) }));
  const whole = await check({ dryRun: true });
  const stop = new AbortController();
  let saved: State | undefined;
  const cut = await check({
    dryRun: true,
    signal: stop.signal,
    onProgress: (state) => {
      saved = JSON.parse(JSON.stringify(state)) as State;
      if (state.next >= FROM + 30 * MINUTE) stop.abort();
    },
  });
  expect(cut).toBeNull();
  expect(saved?.next).toBe(FROM + 30 * MINUTE);
  expect(await check({ dryRun: true, ...(saved ? { resume: saved } : {}) })).toEqual(whole);
  expect(whole?.missingObjects.count).toBe(2);
});

test("the hourly run checks each settled hour once it is due, keeps what it found, and looks again until it is complete", async () => {
  const records = await healthyHour();
  const lost = records[5] as AuditRecord;
  await s3.send(new DeleteObjectCommand({ Bucket: platform.bucket, Key: keyOf(lost) }));
  const book = ledger(s3, platform.bucket);
  const run = (now: number) => reconcileHours(source(), book, now, AbortSignal.timeout(80_000));
  const first = await run(HOUR.to + 20 * MINUTE);
  expect(first).toHaveLength(48);
  expect(first.at(-1)).toMatchObject({
    hour: "2026-11-20T10:00:00.000Z",
    report: { missing: 1, complete: false },
  });
  expect(first.slice(0, -1).every(({ report }) => report?.complete)).toBe(true);

  // What cannot become a row is sent to ingest once, not every hour.
  const poison = record("a-1", 31, FROM + 59 * MINUTE);
  await putObject(poison);
  const again = await run(HOUR.to + 22 * MINUTE);
  expect(again).toMatchObject([{ report: { requeued: 1, missingRows: { keys: [keyOf(poison)] } } }]);
  expect(await run(HOUR.to + 23 * MINUTE)).toMatchObject([
    { report: { requeued: 0, missingRows: { count: 1 } } },
  ]);
  await putRow(poison);

  await putObject(lost);
  const second = await run(HOUR.to + 25 * MINUTE);
  expect(second).toMatchObject([{ hour: "2026-11-20T10:00:00.000Z", report: { complete: true } }]);
  expect(await run(HOUR.to + 26 * MINUTE)).toEqual([]);
  expect(await book.latest(FROM)).toMatchObject({ kind: "report", report: { complete: true, objects: 31 } });
});

test("a sequence set keeps ranges and names what is missing", () => {
  const set = new SequenceSet();
  for (const value of [5, 1, 2, 9, 3, 10, 4, 7]) set.add(value);
  set.add(3);
  expect(set.ranges).toEqual([
    [1, 5],
    [7, 7],
    [9, 10],
  ]);
  expect(set.missing(1, 12)).toEqual([
    [6, 6],
    [8, 8],
    [11, 12],
  ]);
  expect(set.missing(0, 3)).toEqual([[0, 0]]);
  expect(set.missing(6, 6)).toEqual([[6, 6]]);
  expect(set.missing(2, 5)).toEqual([]);
  const shuffled = new SequenceSet();
  for (const value of Array.from({ length: 1000 }, (_, index) => (index * 617) % 1000)) shuffled.add(value);
  expect(shuffled.ranges).toEqual([[0, 999]]);
});
