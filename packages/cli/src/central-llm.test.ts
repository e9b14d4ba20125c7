import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import type { AuditRecord } from "@central-llm/core/audit-record";
import { requestIdAt, sample } from "@central-llm/core/audit-record-sample";
import * as AuditRow from "@central-llm/core/audit-row";
import * as AuditTable from "@central-llm/core/audit-table";
import { toMessage } from "@central-llm/core/dead-letter";
import {
  type AuditPlatform,
  CREDENTIALS,
  clientSettings,
  createAuditPlatform,
} from "@central-llm/local/audit-platform";
import { type AwsEndpoint, startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { compileCache } from "@central-llm/local/compile-cache";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const MAIN = new URL("./main.ts", import.meta.url).pathname;
const T0 = Date.parse("2026-11-20T10:00:00.000Z");
const SPAN = ["--from", "2026-11-20", "--to", "2026-11-21"];
const NAUGHTY = '=HYPERLINK("http://x")\u001b[31m';

let endpoint: AwsEndpoint;
let platform: AuditPlatform;
let env: Record<string, string>;
let folder: string;
let table: AuditTable.AuditTable;
const clients: { destroy(): void }[] = [];
let s3: S3Client;
let sqs: SQSClient;
const records: AuditRecord[] = [];

interface Ran {
  code: number | null;
  out: string;
  err: string;
}

function run(args: string[], options: { env?: Record<string, string>; cwd?: string } = {}): Promise<Ran> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: options.cwd ?? folder,
    env: {
      ...compileCache(),
      PATH: process.env.PATH ?? "",
      HOME: folder,
      AWS_EC2_METADATA_DISABLED: "true",
      ...(options.env ?? env),
    },
  });
  const ran: Ran = { code: null, out: "", err: "" };
  child.stdout.on("data", (chunk) => (ran.out += chunk));
  child.stderr.on("data", (chunk) => (ran.err += chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ ...ran, code }));
  });
}

async function store(record: AuditRecord): Promise<void> {
  const key = `logs/2026/11/20/${record.requestId}.json`;
  await s3.send(new PutObjectCommand({ Bucket: platform.bucket, Key: key, Body: JSON.stringify(record) }));
  const row = AuditRow.fromStored(
    { ...record, legacy: false },
    { bucket: platform.bucket, key },
    { maxPreviewChars: 100 },
  );
  expect(await AuditTable.writeRows(table, [row])).toEqual(new Map());
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "central-llm-cli-"));
  endpoint = await startAwsEndpoint();
  platform = await createAuditPlatform(endpoint);
  s3 = new S3Client(clientSettings(endpoint));
  sqs = new SQSClient(clientSettings(endpoint));
  const dynamoDb = new DynamoDBClient(clientSettings(endpoint));
  clients.push(s3, sqs, dynamoDb);
  table = AuditTable.open(dynamoDb, platform.tableName);
  env = {
    AWS_ENDPOINT_URL: endpoint.url,
    AWS_REGION: endpoint.region,
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    INGEST_QUEUE_URL: platform.ingestQueueUrl,
    AUDIT_DLQ_URL: platform.deadLetterQueueUrl,
  };
  for (let i = 0; i < 30; i++) {
    const time = T0 + i * 1_000;
    records.push(
      sample({
        requestId: i === 7 ? "order-4711" : requestIdAt(time),
        clientRequestId: i === 7 ? "order-4711" : null,
        receivedAt: new Date(time).toISOString(),
        projectId: i % 3 === 0 ? "other" : "smoke-test",
        userId: i === 5 ? NAUGHTY : "qa",
        statusCode: i % 10 === 9 ? 404 : 200,
        outcome: i % 10 === 9 ? "client_error" : "completed",
        latencyMs: 1_000 + i,
      }),
    );
  }
  for (const record of records) await store(record);
});

afterAll(async () => {
  for (const client of clients) client.destroy();
  await endpoint.stop();
  await rm(folder, { recursive: true });
});

const newest = (wanted: (record: AuditRecord) => boolean = () => true) =>
  records
    .filter(wanted)
    .map(({ requestId }) => requestId)
    .reverse();
const lines = ({ out }: Ran) =>
  out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const ids = (ran: Ran) => lines(ran).map(({ requestId }) => requestId);

describe("query", () => {
  test.each([
    [["--project", "smoke-test"], (r: AuditRecord) => r.projectId === "smoke-test"],
    [["--user", "qa"], (r: AuditRecord) => r.userId === "qa"],
    [["--status", "404"], (r: AuditRecord) => r.statusCode === 404],
    [["--status", "4xx"], (r: AuditRecord) => r.statusCode === 404],
    [["--all"], () => true],
    [[], () => true],
  ])("%s", async (args, wanted) => {
    const ran = await run(["query", ...args, ...SPAN, "--format", "jsonl"]);
    expect(ran).toMatchObject({ code: 0, err: "" });
    expect(ids(ran)).toEqual(newest(wanted));
  });

  test("--slowest gives the slowest first; --request-id finds ours and a client's", async () => {
    const slowest = await run([
      "query",
      "--project",
      "smoke-test",
      "--slowest",
      "--limit",
      "3",
      ...SPAN,
      "--format",
      "jsonl",
    ]);
    expect(lines(slowest).map(({ latencyMs }) => latencyMs)).toEqual([1_029, 1_028, 1_026]);
    for (const { requestId } of [records[7], records[8]] as AuditRecord[]) {
      expect(ids(await run(["query", "--request-id", requestId, "--format", "jsonl"]))).toEqual([requestId]);
    }
    const none = await run(["query", "--request-id", "nobody"]);
    expect(none).toMatchObject({ code: 3, out: "" });
    expect(none.err).toContain("nobody");
  });

  test("a page ends with how to go on, which goes on; --all-pages reads to the end", async () => {
    const first = await run(["query", "--limit", "12", ...SPAN, "--format", "jsonl"]);
    expect(ids(first)).toEqual(newest().slice(0, 12));
    const next = /repeat with (.*)$/m.exec(first.err)?.[1]?.split(" ") ?? [];
    const second = await run(["query", "--limit", "12", "--format", "jsonl", ...next]);
    expect(ids(second)).toEqual(newest().slice(12, 24));
    const all = await run(["query", "--limit", "7", "--all-pages", ...SPAN, "--format", "json"]);
    const page = JSON.parse(all.out);
    expect(page.rows.map(({ requestId }: { requestId: string }) => requestId)).toEqual(newest());
    expect(page).toMatchObject({ cursor: null, searchedUntil: "2026-11-20T00:00:00.000Z" });
  });

  test("a table for people: no control characters reach the terminal", async () => {
    const ran = await run(["query", "--project", "smoke-test", ...SPAN]);
    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(/^TIME \(UTC\) +STATUS +LATENCY MS +PROJECT/);
    expect(ran.out).not.toContain("\u001b");
    expect(ran.out).toContain("=HYPERLINK");
    expect(ran.out.trim().split("\n")).toHaveLength(21);
  });

  test("CSV whose cells no spreadsheet runs", async () => {
    const ran = await run(["query", "--all", ...SPAN, "--format", "csv"]);
    const rows = ran.out.trim().split("\n");
    expect(rows[0]).toMatch(/^receivedAt,requestId,projectId,userId,statusCode/);
    expect(rows).toHaveLength(31);
    expect(ran.out).toContain(`"'=HYPERLINK(""http://x"")`);
  });
});

describe("export", () => {
  test("all rows of a query, whatever the pages, into a file that appears whole", async () => {
    const file = join(folder, "all.csv");
    const ran = await run(["export", ...SPAN, "--out", file]);
    expect(ran).toMatchObject({ code: 0, out: "", err: `30 rows in ${file}\n` });
    const text = await readFile(file, "utf8");
    expect(text.trim().split("\n")).toHaveLength(31);
    expect(text).toContain(`"'=HYPERLINK(""http://x"")`);
    expect(text).toBe((await run(["query", "--all", ...SPAN, "--format", "csv"])).out);
    await expect(readFile(`${file}.part`)).rejects.toThrow("ENOENT");
  });

  test("as JSON lines to standard output; a file that cannot be written is told", async () => {
    const ran = await run(["export", "--project", "other", ...SPAN, "--format", "jsonl"]);
    expect(ran.code).toBe(0);
    const ids = ran.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).requestId);
    expect(ids).toEqual(
      records
        .filter(({ projectId }) => projectId === "other")
        .map(({ requestId }) => requestId)
        .reverse(),
    );
    const failed = await run(["export", ...SPAN, "--out", join(folder, "nowhere", "x.csv")]);
    expect([failed.code, failed.err]).toEqual([1, expect.stringContaining("Cannot write")]);
  });
});

describe("get", () => {
  test("row and object; the object alone as it is stored", async () => {
    const ran = await run(["get", "order-4711"]);
    expect(ran.code).toBe(0);
    expect(JSON.parse(ran.out)).toMatchObject([
      { row: { requestId: "order-4711", statusCode: 200 }, object: records[7] },
    ]);
    expect((await run(["get", "order-4711", "--raw"])).out).toBe(JSON.stringify(records[7]));
  });

  test("nothing there is 3, and says what to do", async () => {
    const ran = await run(["get", "nobody"]);
    expect(ran).toMatchObject({ code: 3, out: "" });
    expect(ran.err).toContain("central-llm dlq");
  });
});

test("tail shows what comes, and ends after --count", async () => {
  const ran = run(["tail", "--count", "2", "--interval", "50ms", "--since", "1m", "--format", "jsonl"]);
  const made = [0, 1].map((i) => {
    const time = Date.now() - 1_000 + i;
    return sample({
      requestId: requestIdAt(time),
      receivedAt: new Date(time).toISOString(),
      projectId: "tailed",
    });
  });
  for (const record of made) await store(record);
  expect(ids(await ran)).toEqual(made.map(({ requestId }) => requestId));
});

describe("dlq and replay", () => {
  test("counts, lists, says what a replay would do, replays", async () => {
    expect(await run(["dlq"])).toMatchObject({ code: 0, out: "no dead letters\n" });
    for (const [i, reason] of (["malformed_json", "malformed_json", "throttled"] as const).entries()) {
      const object = { bucket: platform.bucket, key: `logs/2026/11/2${i}/x.json` };
      const letter = {
        object,
        body: "",
        reason,
        detail: "for a test",
        firstFailedAt: "2026-11-21T09:00:00.000Z",
        receives: 1,
      };
      await sqs.send(new SendMessageCommand({ QueueUrl: platform.deadLetterQueueUrl, ...toMessage(letter) }));
    }
    const listed = await run(["dlq"]);
    expect(listed.out).toContain("3 dead letters: ");
    expect(listed.out).toContain("2 malformed_json");
    expect(listed.out).toContain(`s3://${platform.bucket}/logs/2026/11/22/x.json`);
    const asJson = JSON.parse((await run(["dlq", "--reason", "throttled", "--format", "json"])).out);
    expect(asJson).toMatchObject({ counts: { throttled: 1 }, complete: true });
    expect(await run(["replay", "--all", "--dry-run"])).toMatchObject({
      code: 0,
      out: "would replay 3 of 3 dead letters\n",
    });
    expect(await run(["replay", "--prefix", "logs/2026/11/20/"])).toMatchObject({
      code: 0,
      out: "replayed 1 of 3 dead letters\n",
    });
    expect(await run(["replay", "--reason", "throttled"])).toMatchObject({
      code: 0,
      out: "replayed 1 of 2 dead letters\n",
    });
    expect(await run(["replay", "--all"])).toMatchObject({ code: 0, out: "replayed 1 of 1 dead letters\n" });
    expect(await run(["replay"])).toMatchObject({ code: 2, err: expect.stringContaining("--all") });
  });
});

describe("status and settings", () => {
  test("0 when everything answers, 1 when something does not, with its name", async () => {
    const well = await run(["status", "--format", "json"]);
    expect(well.code).toBe(0);
    expect(JSON.parse(well.out)).toMatchObject({
      ok: true,
      checks: [
        { name: "audit bucket", ok: true },
        { name: "audit table", ok: true, detail: expect.stringContaining("newest row") },
        { ok: true },
        { ok: true },
      ],
    });
    const sick = await run(["status"], { env: { ...env, CENTRAL_PROXY_URL: "http://127.0.0.1:1" } });
    expect(sick.code).toBe(1);
    expect(sick.err).toContain("central proxy");
  });

  test("nothing listening, no such table: what to do, and 1", async () => {
    const away = await run(["query"], {
      env: { ...env, AWS_ENDPOINT_URL: "http://127.0.0.1:1", AWS_MAX_ATTEMPTS: "1" },
    });
    expect(away).toMatchObject({ code: 1, err: expect.stringContaining("npm start") });
    const other = await run(["query"], { env: { ...env, TABLE_NAME: "Nothing" } });
    expect(other).toMatchObject({ code: 1, err: expect.stringContaining("TABLE_NAME") });
  });

  test(".local/env of this folder or above is used when the environment names nothing", async () => {
    const root = join(folder, "repository");
    await mkdir(join(root, ".local"), { recursive: true });
    await mkdir(join(root, "packages", "x"), { recursive: true });
    await writeFile(
      join(root, ".local", "env"),
      Object.entries(env)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(""),
    );
    const cwd = join(root, "packages", "x");
    const ran = await run(["query", ...SPAN, "--format", "jsonl"], { env: {}, cwd });
    expect(ids(ran)).toEqual(newest());
    const aws = await run(["--aws", "query"], {
      env: { AWS_CONFIG_FILE: "/dev/null", AWS_SHARED_CREDENTIALS_FILE: "/dev/null" },
      cwd,
    });
    expect(aws).toMatchObject({ code: 1, err: expect.stringContaining("AWS_REGION") });
  });
});

describe.concurrent("usage", () => {
  test("--help of each command has examples, and ends with 0", async () => {
    for (const args of [[], ["query"], ["get"], ["tail"], ["dlq"], ["replay"], ["status"]]) {
      const ran = await run([...args, "--help"]);
      expect(ran.code, args[0]).toBe(0);
      expect(ran.out, args[0]).toContain("Examples:");
    }
    expect((await run(["--help"])).out).toContain("Exit codes:");
  });

  test.each([
    [["query", "--status", "999x"], "4xx"],
    [["query", "--from", "yesterday"], "24h"],
    [["query", "--limit", "0"], "1 to 500"],
    [["query", "--project", "a", "--user", "b"], "Choose one"],
    [["query", "--slowest"], "--project"],
    [["query", "--project", "a", "--slowest", "--from", "60d"], "31 days"],
    [["query", "--from", "1h", "--to", "2h"], "before"],
    [["query", "--cursor", "abc"], "cursor"],
    [["query", "--format", "xml"], "jsonl"],
    [["query", "--nonsense"], "--nonsense"],
    [["frobnicate"], "frobnicate"],
  ])("%s is 2 and says why", async (args, said) => {
    const ran = await run(args);
    expect(ran.code).toBe(2);
    expect(ran.err).toContain(said);
  });
});
