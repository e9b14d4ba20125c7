import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { objectKey } from "@central-llm/core/audit-key";
import { sample } from "@central-llm/core/audit-record-sample";
import { type AuditPlatform, clientSettings, createAuditPlatform } from "@central-llm/local/audit-platform";
import { type AwsEndpoint, startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { compileCache } from "@central-llm/local/compile-cache";
import { afterAll, beforeAll, expect, test } from "vitest";

const MAIN = new URL("./main.ts", import.meta.url).pathname;
const WINDOW = ["--from", "2026-11-21T09:00:00Z", "--to", "2026-11-21T11:00:00Z"];
let endpoint: AwsEndpoint;
let platform: AuditPlatform;
let folder: string;
let lost: string;

beforeAll(async () => {
  endpoint = await startAwsEndpoint();
  platform = await createAuditPlatform(endpoint);
  folder = await mkdtemp(join(tmpdir(), "reconcile-"));
  const record = sample({ receivedAt: "2026-11-21T10:00:00.000Z" });
  lost = objectKey(platform.prefix, record.receivedAt, record.requestId);
  await new S3Client(clientSettings(endpoint)).send(
    new PutObjectCommand({ Bucket: platform.bucket, Key: lost, Body: JSON.stringify(record) }),
  );
});

afterAll(async () => {
  await endpoint.stop();
  await rm(folder, { recursive: true });
});

function run(...given: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = {
    ...compileCache(),
    PATH: process.env.PATH,
    AWS_ENDPOINT_URL: endpoint.url,
    AWS_REGION: endpoint.region,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AUDIT_BUCKET: platform.bucket,
    TABLE_NAME: platform.tableName,
    INGEST_QUEUE_URL: platform.ingestQueueUrl,
    AUDIT_DLQ_URL: platform.deadLetterQueueUrl,
  };
  return new Promise((resolve) =>
    execFile(process.execPath, [MAIN, "reconcile", ...given], { env, cwd: folder }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr }),
    ),
  );
}

test("an empty window is complete, with exit code 0", async () => {
  const { code, stdout } = await run("--from", "2026-11-10", "--to", "2026-11-10T01:00:00Z");
  expect([code, stdout]).toEqual([0, expect.stringContaining("complete")]);
});

test("what is missing is named, with exit code 4; --format json is the report", async () => {
  const { code, stdout } = await run(...WINDOW, "--dry-run");
  expect(code).toBe(4);
  expect(stdout).toContain("1 missing (1 row)");
  expect(stdout).toContain(lost);
  const json = await run(...WINDOW, "--dry-run", "--format", "json");
  expect(JSON.parse(json.stdout)).toMatchObject({
    missing: 1,
    complete: false,
    missingRows: { keys: [lost] },
  });
});

test("a state of another window is refused, and one that ended is removed", async () => {
  const file = join(folder, "state.json");
  await writeFile(file, JSON.stringify({ version: 1 }));
  expect(await run(...WINDOW, "--state", file)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("no state"),
  });
  await rm(file);
  expect((await run(...WINDOW, "--dry-run", "--state", file)).code).toBe(4);
  await expect(rm(file)).rejects.toThrow("ENOENT");
  expect((await run("--from", "1h", "--to", "2h")).code).toBe(2);
});
