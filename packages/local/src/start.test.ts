import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DynamoDBClient, QueryCommand } from "@aws-sdk/client-dynamodb";
import { HeadObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { GetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { clientSettings } from "./audit-platform.ts";
import { compileCache } from "./compile-cache.ts";
import { portsAt, takenPorts } from "./local-ports.ts";
import { descendants } from "./testing/descendants.ts";
import { freeOffset, type Instance, LocalPlatforms } from "./testing/local-platform.ts";

let folder: string;
let platforms: LocalPlatforms;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "central-llm-start-"));
  platforms = new LocalPlatforms(folder);
});
afterEach(() => platforms.killAll());
afterAll(() => rm(folder, { recursive: true, force: true }));

function alive(pids: number[]): number[] {
  return pids.filter((pid) => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  });
}

const ask = ({ env }: Instance, id: string, more: Record<string, string> = {}) =>
  fetch(`${env.CENTRAL_URL}/v1/chat/completions`, {
    method: "POST",
    headers: {
      "x-api-key": env.CENTRAL_API_KEY ?? "",
      "content-type": "application/json",
      "x-llm-source": "smoke-test",
      "x-llm-user": "qa",
      "x-llm-request-type": "chat",
      "x-request-id": id,
      ...more,
    },
    body: JSON.stringify({
      model: "ministral-8b-instruct",
      messages: [{ role: "user", content: "ping" }],
      max_tokens: 16,
    }),
  });
const keyOf = (id: string) => `logs/${new Date().toISOString().slice(0, 10).replaceAll("-", "/")}/${id}.json`;

async function stored({ env }: Instance, id: string): Promise<boolean> {
  const s3 = new S3Client(clientSettings({ url: env.AWS_ENDPOINT_URL ?? "", region: env.AWS_REGION ?? "" }));
  try {
    await s3.send(new HeadObjectCommand({ Bucket: env.AUDIT_BUCKET, Key: keyOf(id) }));
    return true;
  } catch (error) {
    if ((error as Error).name === "NotFound") return false;
    throw error;
  } finally {
    s3.destroy();
  }
}

/** The project's rows, by a plain Query that is not ours. */
async function rows({ env }: Instance, project: string) {
  const dynamoDb = new DynamoDBClient(
    clientSettings({ url: env.AWS_ENDPOINT_URL ?? "", region: env.AWS_REGION ?? "" }),
  );
  const { Items = [] } = await dynamoDb.send(
    new QueryCommand({
      TableName: env.TABLE_NAME,
      KeyConditionExpression: "id = :id",
      ExpressionAttributeValues: { ":id": { S: `project#${project}` } },
    }),
  );
  dynamoDb.destroy();
  return Items;
}

test("starts, serves, restarts what crashes, refuses a second instance, stops whole", async () => {
  const offset = await freeOffset();
  const began = performance.now();
  const instance = await platforms.start("a", offset);
  const firstMs = performance.now() - began;
  expect(Object.keys(instance.env)).toEqual([
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AUDIT_BUCKET",
    "AUDIT_PREFIX",
    "TABLE_NAME",
    "INGEST_QUEUE_URL",
    "AUDIT_DLQ_URL",
    "CENTRAL_URL",
    "CENTRAL_PROXY_URL",
    "CENTRAL_API_KEY",
    "GATEWAY_URL",
    "GATEWAY_API_KEY",
    "LITELLM_MASTER_KEY",
    "DATABASE_URL",
    "CONSOLE_URL",
  ]);
  expect(instance.env.CENTRAL_URL).toBe(`http://127.0.0.1:${8080 + offset}`);
  expect(instance.output.filter((line) => /warning/i.test(line))).toEqual([]);
  // The line to paste, as printed, without `curl`'s help.
  const curl = instance.output.find((line) => line.startsWith("curl ")) ?? "";
  expect(curl).toContain(instance.env.CENTRAL_API_KEY);
  const pasted = JSON.parse(execFileSync("sh", ["-c", curl], { encoding: "utf8" }));
  expect(pasted.choices[0].message.content).toBe("pong");
  expect((await ask(instance, "first")).headers.get("x-request-id")).toBe("first");
  await expect.poll(() => stored(instance, "first")).toBe(true);
  await expect.poll(async () => (await rows(instance, "smoke-test")).length).toBe(2);

  const same = platforms.launch("a", await freeOffset());
  await once(same.child, "exit");
  expect(same.child.exitCode).toBe(1);
  expect(same.output.join("\n")).toContain(`Another instance (process ${instance.child.pid}) uses`);
  const taken = platforms.launch("b", offset);
  await once(taken.child, "exit");
  expect(taken.output.join("\n")).toContain(`Taken by another program: port ${8080 + offset} (edge)`);
  expect(existsSync(join(folder, "b", "lock"))).toBe(false);

  const model = descendants(instance.child.pid ?? 0).find((p) => p.command.includes("demo-model-main"));
  process.kill(model?.pid ?? 0, "SIGKILL");
  await expect.poll(() => instance.output.join("\n")).toContain("model ended (SIGKILL); it starts again");
  await expect.poll(() => instance.output).toContain("model is up again");
  expect((await ask(instance, "after the crash")).status).toBe(200);

  const pids = descendants(instance.child.pid ?? 0).map((p) => p.pid);
  expect(pids.length).toBeGreaterThanOrEqual(9);
  const stopped = performance.now();
  instance.child.kill("SIGINT");
  await once(instance.child, "exit");
  // Generous: a machine that others use stops ten processes slowly too.
  expect(performance.now() - stopped).toBeLessThan(20_000);
  expect(instance.child.exitCode).toBe(0);
  expect(alive(pids)).toEqual([]);
  expect(await takenPorts(portsAt(offset))).toEqual([]);
  expect(existsSync(join(folder, "a", "env"))).toBe(false);
  expect(existsSync(join(folder, "a", "lock"))).toBe(false);

  // Again, under a plan of the seeds: the data and the key are still there.
  const restarted = performance.now();
  const again = await platforms.start("a", offset, ["--seed-limits=central-llm-client-plan"]);
  // Generous, and the better of two: this machine is shared while tests run.
  expect(Math.min(firstMs, performance.now() - restarted)).toBeLessThan(30_000);
  expect(again.env.CENTRAL_API_KEY).toBe(instance.env.CENTRAL_API_KEY);
  expect(await stored(again, "first")).toBe(true);
  const statuses = (await Promise.all(Array.from({ length: 15 }, (_, i) => ask(again, `burst-${i}`)))).map(
    (answer) => answer.status,
  );
  expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(0);
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(10);

  // A supervisor that is killed takes its processes along.
  const orphans = descendants(again.child.pid ?? 0).map((p) => p.pid);
  again.child.kill("SIGKILL");
  await expect.poll(() => alive(orphans)).toEqual([]);
});

test("--fresh wipes; UPSTREAM_URL replaces the demo model; a killed instance's lock is no obstacle", async () => {
  const offset = await freeOffset();
  const models = createServer((request, response) => {
    request.resume().on("end", () => {
      response.setHeader("content-type", "application/json");
      response.end(
        `{"id":"mine","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`,
      );
    });
  }).listen(0, "127.0.0.1");
  await once(models, "listening");
  const first = await platforms.start("c", offset);
  await ask(first, "old");
  await expect.poll(() => stored(first, "old")).toBe(true);
  const pids = descendants(first.child.pid ?? 0).map((p) => p.pid);
  first.child.kill("SIGKILL");
  await expect.poll(() => alive(pids)).toEqual([]);

  const url = `http://127.0.0.1:${(models.address() as AddressInfo).port}/v1`;
  const second = await platforms.start("c", offset, ["--fresh"], { UPSTREAM_URL: url });
  expect(await stored(second, "old")).toBe(false);
  expect(second.env.CENTRAL_API_KEY).not.toBe(first.env.CENTRAL_API_KEY);
  expect(descendants(second.child.pid ?? 0).some((p) => p.command.includes("demo-model"))).toBe(false);
  expect(await (await ask(second, "new")).json()).toMatchObject({ id: "mine" });
  const s3 = new S3Client(clientSettings({ url: second.env.AWS_ENDPOINT_URL ?? "", region: "eu-central-1" }));
  await expect
    .poll(async () =>
      (await s3.send(new ListObjectsV2Command({ Bucket: second.env.AUDIT_BUCKET }))).Contents?.map(
        (o) => o.Key,
      ),
    )
    .toContain(keyOf("new"));
  s3.destroy();
  second.child.kill("SIGTERM");
  await once(second.child, "exit");
  models.close();
});

test("the demo's calls all end in the audit trail, and its broken object in the dead-letter queue", async () => {
  const instance = await platforms.start("e", await freeOffset());
  const demo = spawn(
    process.execPath,
    [join(import.meta.dirname, "demo.ts"), "--requests", "100", "--concurrency", "16", "--with-poison"],
    {
      env: {
        ...compileCache(),
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        LOCAL_DIR: join(folder, "e"),
      },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const output: string[] = [];
  createInterface({ input: demo.stdout }).on("line", (line) => output.push(line));
  await once(demo, "close");
  expect(demo.exitCode).toBe(0);
  expect(output).toContain("100 of 100 calls");
  const told = Object.fromEntries(
    output.flatMap((line) => {
      const match = /^ +(\d+) {2}(.+)$/.exec(line);
      return match ? [[match[2], Number(match[1])]] : [];
    }),
  );
  expect(told).toMatchObject({ "client left": expect.any(Number), "200, cut off": expect.any(Number) });
  expect(Object.values(told).reduce((sum: number, n) => sum + Number(n), 0)).toBe(100);
  const projects = ["support-assistant", "knowledge-search", "coding-agent", "smoke-test"];
  const all = async () => (await Promise.all(projects.map((project) => rows(instance, project)))).flat();
  await expect.poll(async () => (await all()).length).toBe(100);
  const outcomes = Object.groupBy(await all(), (row) => row.outcome?.S ?? "");
  expect(outcomes.client_aborted).toHaveLength(Number(told["client left"]));
  const sqs = new SQSClient(
    clientSettings({ url: instance.env.AWS_ENDPOINT_URL ?? "", region: instance.env.AWS_REGION ?? "" }),
  );
  await expect
    .poll(
      async () => {
        const { Attributes } = await sqs.send(
          new GetQueueAttributesCommand({
            QueueUrl: instance.env.AUDIT_DLQ_URL,
            AttributeNames: ["ApproximateNumberOfMessages"],
          }),
        );
        return Attributes?.ApproximateNumberOfMessages;
      },
      { timeout: 20_000 },
    )
    .toBe("1");
  sqs.destroy();
  instance.child.kill("SIGTERM");
  await once(instance.child, "exit");
});

test("brings up the gateway: the printed line works, and its keys, spend and records outlive a restart", async () => {
  const offset = await freeOffset();
  const first = await platforms.start("g", offset);
  const curl = first.output.filter((line) => line.startsWith("curl ")).at(-1) ?? "";
  expect(curl).toContain(first.env.GATEWAY_API_KEY);
  const pasted = JSON.parse(execFileSync("sh", ["-c", curl], { encoding: "utf8" }));
  expect(pasted.choices[0].message.content).toBe("You said: ping");
  const spent = async ({ env }: Instance) => {
    const database = new pg.Client({ connectionString: env.DATABASE_URL });
    await database.connect();
    const { rows } = await database.query('SELECT "user", spend FROM "LiteLLM_SpendLogs"');
    await database.end();
    return rows;
  };
  await expect.poll(() => spent(first)).toEqual([{ user: "demo", spend: expect.any(Number) }]);
  await expect.poll(async () => (await rows(first, "smoke-test")).length).toBe(1);
  const server = descendants(first.child.pid ?? 0).find((p) => /postgres -D/.test(p.command));
  process.kill(server?.pid ?? 0, "SIGKILL");
  await expect.poll(() => first.output).toContain("postgres is up again");
  await platforms.stop(first);
  expect(await takenPorts(portsAt(offset))).toEqual([]);

  const second = await platforms.start("g", offset);
  expect(second.env.GATEWAY_API_KEY).toBe(first.env.GATEWAY_API_KEY);
  expect(await spent(second)).toHaveLength(1);
  execFileSync("sh", ["-c", curl]);
  await expect.poll(async () => (await spent(second)).length).toBe(2);
  const info = await fetch(`${second.env.GATEWAY_URL}/key/list`, {
    headers: { authorization: `Bearer ${second.env.LITELLM_MASTER_KEY}` },
  });
  expect(await info.json()).toMatchObject({ total_count: 1 });
  await platforms.stop(second);
});

test("wrong settings are named in one line", async () => {
  const bad = platforms.launch("d", 0, [], { PORT_OFFSET: "many" });
  await once(bad.child, "exit");
  expect(bad.output).toEqual(["PORT_OFFSET must be a number"]);
});
