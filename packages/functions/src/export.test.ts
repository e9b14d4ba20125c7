import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { requestIdAt, sample } from "@central-llm/core/audit-record-sample";
import * as AuditRow from "@central-llm/core/audit-row";
import * as AuditTable from "@central-llm/core/audit-table";
import * as ExportJob from "@central-llm/core/export-job";
import * as ExportRun from "@central-llm/core/export-run";
import { clientSettings, createAuditPlatform } from "@central-llm/local/audit-platform";
import { type AwsEndpoint, startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { exportLine } from "./export-line.ts";

const START = Date.parse("2026-11-21T10:00:00.000Z");
const ROWS = 1_200;
const FOREVER = new AbortController().signal;

let endpoint: AwsEndpoint;
let client: DynamoDBClient;
let context: ExportRun.ExportContext;
const ids: string[] = [];

beforeAll(async () => {
  endpoint = await startAwsEndpoint();
  const platform = await createAuditPlatform(endpoint);
  client = new DynamoDBClient(clientSettings(endpoint));
  context = {
    table: AuditTable.open(client, platform.tableName),
    s3: new S3Client(clientSettings(endpoint)),
    bucket: platform.exportBucket,
    maxObjectBytes: 1_000_000,
    line: exportLine,
  };
  const rows = Array.from({ length: ROWS }, (_, at) => {
    const record = sample({
      receivedAt: new Date(START + at * 1_000).toISOString(),
      requestId: requestIdAt(START + at * 1_000),
      request: {
        headers: {},
        body: { messages: [{ role: "user", content: "w".repeat(6_000) }] },
        bytes: 6_000,
      },
    });
    ids.unshift(record.requestId);
    return AuditRow.fromStored(
      { ...record, legacy: false },
      { bucket: "b", key: "k" },
      { maxPreviewChars: 8_000, maxRowBytes: 16_000 },
    );
  });
  expect(await AuditTable.writeRows(context.table, rows)).toEqual(new Map());
});
beforeEach(() => endpoint.setFault(undefined));
afterAll(async () => {
  client.destroy();
  context.s3.destroy();
  await endpoint.stop();
});

const wanted = (changes: Partial<ExportJob.Wanted> = {}): ExportJob.Wanted => ({
  owner: "ann",
  ownerName: "Ann",
  format: "jsonl",
  content: "rows",
  search: {
    filter: { project: "smoke-test" },
    sort: "newest",
    from: "2026-11-21T00:00:00.000Z",
    to: "2026-11-22T00:00:00.000Z",
  },
  asked: {},
  reason: "a test",
  ...changes,
});

async function file(job: ExportJob.ExportJob): Promise<string> {
  const { Body } = await context.s3.send(
    new GetObjectCommand({ Bucket: context.bucket, Key: ExportRun.fileKey(job) }),
  );
  return (await Body?.transformToString()) ?? "";
}
const idsIn = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).requestId);

test("all matches, in the list's order, with the progress in the job", async () => {
  const job = await ExportJob.create(context.table, wanted());
  expect(await ExportRun.run(context, "ann", job.jobId, FOREVER)).toBe("done");
  const done = await ExportJob.get(context.table, "ann", job.jobId);
  const text = await file(job);
  expect(idsIn(text)).toEqual(ids);
  expect(done).toMatchObject({
    state: "done",
    attempts: 1,
    progress: { rows: ROWS, bytes: Buffer.byteLength(text) },
  });
  // Delivered twice: nothing is done again.
  expect(await ExportRun.run(context, "ann", job.jobId, FOREVER)).toBe("skipped");
  expect(await ExportRun.run(context, "bob", job.jobId, FOREVER)).toBe("skipped");
});

test("a job whose store fails, and one that runs out of time, go on from their last part: no row is lost or there twice", async () => {
  const { jobId } = await ExportJob.create(context.table, wanted());
  // S3's least part: the file has two.
  const small = { ...context, partBytes: 5 * 1024 * 1024 };
  const run = (signal: AbortSignal) => ExportRun.run(small, "ann", jobId, signal);
  const job = async () => (await ExportJob.get(context.table, "ann", jobId)) as ExportJob.ExportJob;
  endpoint.setFault(({ operation }) =>
    operation === "s3.CompleteMultipartUpload" ? { status: 400, code: "InvalidRequest" } : undefined,
  );
  expect(await run(FOREVER)).toBe("failed");
  const failed = await job();
  expect(failed).toMatchObject({ state: "failed", error: expect.any(String), attempts: 1 });
  expect(failed.checkpoint.parts.length).toBeGreaterThan(0);
  expect(await run(FOREVER)).toBe("skipped");

  endpoint.setFault(undefined);
  expect(await ExportJob.retry(context.table, failed)).toBe(true);
  expect(await ExportJob.retry(context.table, failed)).toBe(false);
  expect(await run(AbortSignal.abort())).toBe("again");
  expect(await job()).toMatchObject({ state: "queued", attempts: 2 });
  expect(await run(FOREVER)).toBe("done");
  expect(await job()).toMatchObject({ state: "done", attempts: 3, progress: { rows: ROWS } });
  expect(idsIn(await file(failed))).toEqual(ids);
});

test("an export without matches is a file, too", async () => {
  const search = { ...wanted().search, filter: { project: "nothing" } };
  for (const [format, text] of [
    ["jsonl", ""],
    ["csv", /^receivedAt,requestId,.*\r\n$/],
  ] as const) {
    const job = await ExportJob.create(context.table, wanted({ format, search }));
    expect(await ExportRun.run(context, "ann", job.jobId, FOREVER)).toBe("done");
    expect(await file(job)).toMatch(text);
  }
});

describe("cells that a spreadsheet would take for formulas", () => {
  const row = (userId: string) => ({
    receivedAt: "2026",
    requestId: "r",
    projectId: "p",
    id: "",
    createdAt: "",
    userId,
  });
  test.each([
    ["=1+1", "'=1+1"],
    ["+1", "'+1"],
    ["-1", "'-1"],
    ["@SUM(A1)", "'@SUM(A1)"],
    ["\tx", "'\tx"],
    ["=cmd|'/C calc'!A0", "'=cmd|'/C calc'!A0"],
    ['=HYPERLINK("http://evil")', `"'=HYPERLINK(""http://evil"")"`],
    ["plain", "plain"],
    ["a=b", "a=b"],
    ["a,b", '"a,b"'],
    ["a\r\nb", '"a\r\nb"'],
    // Unquoted, it would begin a line of its own.
    ["a\nb", '"a\nb"'],
    ["a\rb", '"a\rb"'],
    ["\uff1d1", "'\uff1d1"],
  ])("%j", (value, cell) => {
    expect(exportLine("csv", row(value))).toContain(`,p,${cell},`);
  });

  test("JSON lines stay what they are", () => {
    expect(JSON.parse(exportLine("jsonl", row("=1+1"))).userId).toBe("=1+1");
  });
});
