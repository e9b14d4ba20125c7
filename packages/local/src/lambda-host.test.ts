import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { CREDENTIALS, clientSettings } from "./audit-platform.ts";
import { type AwsEndpoint, startAwsEndpoint } from "./aws-endpoint.ts";
import { type LambdaFunction, lambdaFunction } from "./lambda-function.ts";
import { startHttpFunction } from "./lambda-http.ts";
import type { FunctionSettings } from "./lambda-instance.ts";
import { failedIds, startQueueSource } from "./lambda-queue-source.ts";
import { startSchedule } from "./lambda-schedule.ts";

let folder: string;
let endpoint: AwsEndpoint;
let sqs: SQSClient;
const functions: LambdaFunction[] = [];
const stops: (() => unknown)[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "central-llm-lambda-"));
  endpoint = await startAwsEndpoint();
  sqs = new SQSClient(clientSettings(endpoint));
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  for (const fn of functions.splice(0)) await fn.stop();
});
afterAll(async () => {
  sqs.destroy();
  await endpoint.stop();
  await rm(folder, { recursive: true, force: true });
});

let files = 0;
async function fn(source: string, more: Partial<FunctionSettings> = {}, log: string[] = []) {
  const handlerFile = join(folder, `handler-${files++}.mjs`);
  await writeFile(handlerFile, source);
  const made = lambdaFunction(
    {
      name: "test",
      handlerFile,
      environment: {},
      region: "eu-central-1",
      timeoutSeconds: 5,
      memoryMb: 512,
      maxConcurrency: 2,
      ...more,
    },
    (line) => log.push(line),
  );
  functions.push(made);
  return made;
}

describe("a function", () => {
  test("sees its own environment, Lambda's, and nothing of the host's", async () => {
    process.env.SECRET_OF_THE_HOST = "x";
    const made = await fn("export const handler = async () => process.env", { environment: { TABLE: "t" } });
    const { payload } = (await made.invoke({})) as { payload: Record<string, string> };
    expect(payload.TABLE).toBe("t");
    expect(payload.AWS_LAMBDA_FUNCTION_NAME).toBe("test");
    expect(payload.SECRET_OF_THE_HOST).toBeUndefined();
    expect(payload.PATH).toBeUndefined();
  });

  test("gets Lambda's context, and its logs come out line by line", async () => {
    const log: string[] = [];
    const made = await fn(
      `export const handler = async (event, context) => {
         console.log("one line for " + event.name);
         return [context.functionName, context.awsRequestId, context.getRemainingTimeInMillis()];
       }`,
      {},
      log,
    );
    const { payload } = (await made.invoke({ name: "Ada" })) as { payload: [string, string, number] };
    expect(payload[0]).toBe("test");
    expect(payload[1]).toMatch(/^[0-9a-f-]{36}$/);
    expect(payload[2]).toBeGreaterThan(1000);
    expect(payload[2]).toBeLessThanOrEqual(5000);
    await expect.poll(() => log).toContain("one line for Ada");
  });

  test("starts cold once, handles one event at a time per process and no more at a time than allowed", async () => {
    const made = await fn(
      `let running = 0, most = 0;
       export const handler = async () => {
         most = Math.max(most, ++running);
         await new Promise((r) => setTimeout(r, 100));
         running--;
         return { pid: process.pid, most };
       }`,
    );
    await made.invoke({});
    expect(made.coldStarts()).toHaveLength(1);
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => made.invoke({})));
    const payloads = outcomes.map((o) => (o as { payload: { pid: number; most: number } }).payload);
    expect(new Set(payloads.map((p) => p.pid)).size).toBe(2);
    expect(payloads.every((p) => p.most === 1)).toBe(true);
    expect(made.coldStarts()).toHaveLength(2);
  });

  test("an error, a crash and a module that does not load are outcomes that say why", async () => {
    const made = await fn(
      `export const handler = async (event) => {
         if (event.crash) process.exit(3);
         throw new TypeError("no such thing");
       }`,
    );
    expect(await made.invoke({})).toMatchObject({
      error: { errorType: "TypeError", errorMessage: "no such thing" },
    });
    expect(await made.invoke({ crash: true })).toMatchObject({
      error: {
        errorType: "Runtime.ExitError",
        errorMessage: expect.stringContaining("exit status 3"),
      },
    });
    const broken = await fn(`throw new Error("TABLE_NAME is missing")`);
    expect(await broken.invoke({})).toMatchObject({
      error: {
        errorType: "Runtime.InitError",
        errorMessage: expect.stringContaining("TABLE_NAME is missing"),
      },
    });
  });

  test("a time-out kills the process, even a busy one, and the next event gets a new one", async () => {
    const made = await fn(
      `export const handler = async (event) => { while (event.spin); return process.pid }`,
      { timeoutSeconds: 0.3 },
    );
    const before = (await made.invoke({})) as { payload: number };
    expect(await made.invoke({ spin: true })).toMatchObject({
      error: {
        errorType: "Sandbox.Timedout",
        errorMessage: expect.stringContaining("Task timed out after 0.30"),
      },
    });
    expect(isAlive(before.payload)).toBe(false);
    const after = (await made.invoke({})) as { payload: number };
    expect(after.payload).not.toBe(before.payload);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("the queue's event source mapping", () => {
  let queues = 0;
  async function queue(maxReceiveCount = 5) {
    const name = `source-${queues++}`;
    const dead = await sqs.send(new CreateQueueCommand({ QueueName: `${name}-dlq` }));
    const source = await sqs.send(
      new CreateQueueCommand({
        QueueName: name,
        Attributes: {
          RedrivePolicy: JSON.stringify({
            deadLetterTargetArn: `arn:aws:sqs:${endpoint.region}:000000000000:${name}-dlq`,
            maxReceiveCount,
          }),
        },
      }),
    );
    return { url: source.QueueUrl ?? "", dead: dead.QueueUrl ?? "", name };
  }
  const send = (QueueUrl: string, bodies: string[]) =>
    sqs.send(
      new SendMessageBatchCommand({
        QueueUrl,
        Entries: bodies.map((MessageBody, i) => ({ Id: `m${i}`, MessageBody })),
      }),
    );
  async function depth(QueueUrl: string): Promise<number> {
    const { Attributes = {} } = await sqs.send(
      new GetQueueAttributesCommand({
        QueueUrl,
        AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
      }),
    );
    return Object.values(Attributes).reduce((sum, n) => sum + Number(n), 0);
  }
  const client = () => ({ endpoint: endpoint.url, region: endpoint.region, credentials: CREDENTIALS });
  const lines = async (file: string): Promise<Record<string, unknown>[]> =>
    (await readFile(file, "utf8").catch(() => ""))
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));

  test("of ten messages nine are done; the poison one goes to the dead-letter queue after five receives", async () => {
    const { url, dead, name } = await queue();
    const seen = join(folder, `${name}.jsonl`);
    const made = await fn(
      `import { appendFileSync } from "node:fs";
       export const handler = async ({ Records }) => {
         for (const r of Records) appendFileSync(${JSON.stringify(seen)}, JSON.stringify({
           body: r.body, count: r.attributes.ApproximateReceiveCount, source: r.eventSource, arn: r.eventSourceARN, size: Records.length }) + "\\n");
         return { batchItemFailures: Records.filter((r) => r.body === "poison").map((r) => ({ itemIdentifier: r.messageId })) };
       }`,
    );
    await send(url, [...Array.from({ length: 9 }, (_, i) => `good ${i}`), "poison"]);
    const source = await startQueueSource(
      made,
      { queueUrl: url, batchSize: 100, batchingWindow: 0.1, maxConcurrency: 2, retryAfter: 0 },
      client(),
      () => {},
    );
    stops.push(source.stop);
    await expect.poll(() => depth(dead)).toBe(1);
    expect(await depth(url)).toBe(0);
    const handled = await lines(seen);
    expect(handled.filter((l) => l.body === "poison").map((l) => l.count)).toEqual(["1", "2", "3", "4", "5"]);
    expect(handled.filter((l) => String(l.body).startsWith("good"))).toHaveLength(9);
    expect(handled[0]).toMatchObject({
      source: "aws:sqs",
      arn: `arn:aws:sqs:${endpoint.region}:000000000000:${name}`,
      size: 10,
    });
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: dead }));
    expect(Messages[0]?.Body).toBe("poison");
  });

  test("gathers up to the batch size over several receives, and no longer than the window", async () => {
    const { url, name } = await queue();
    const seen = join(folder, `${name}.jsonl`);
    const made = await fn(
      `import { appendFileSync } from "node:fs";
       export const handler = async ({ Records }) => appendFileSync(${JSON.stringify(seen)}, JSON.stringify({ size: Records.length }) + "\\n");`,
    );
    for (let i = 0; i < 3; i++)
      await send(
        url,
        Array.from({ length: 10 }, (_, n) => `${i}.${n}`),
      );
    const source = await startQueueSource(
      made,
      { queueUrl: url, batchSize: 25, batchingWindow: 0.2, maxConcurrency: 1 },
      client(),
      () => {},
    );
    stops.push(source.stop);
    await expect.poll(() => depth(url)).toBe(0);
    expect((await lines(seen)).map((l) => l.size)).toEqual([25, 5]);
  });

  test("a handler that throws fails its whole batch; an endpoint that fails is asked again", async () => {
    const { url, dead } = await queue(2);
    const log: string[] = [];
    const made = await fn(`export const handler = async () => { throw new Error("broken") }`);
    let faults = 2;
    endpoint.setFault(({ operation }) =>
      operation === "sqs.ReceiveMessage" && faults-- > 0 ? { status: 500 } : undefined,
    );
    stops.push(() => endpoint.setFault(undefined));
    await send(url, ["a", "b", "c"]);
    const source = await startQueueSource(
      made,
      { queueUrl: url, batchSize: 10, batchingWindow: 0, maxConcurrency: 1, retryAfter: 0 },
      client(),
      (line) => log.push(line),
    );
    stops.push(source.stop);
    await expect.poll(() => depth(dead)).toBe(3);
  });

  test("partial batch responses are read as Lambda reads them", () => {
    const ids = ["a", "b"];
    const all = new Set(ids);
    const of = (payload: unknown) => failedIds({ payload }, ids);
    for (const nothing of [null, {}, { batchItemFailures: null }, { batchItemFailures: [] }]) {
      expect(of(nothing)).toEqual(new Set());
    }
    expect(of({ batchItemFailures: [{ itemIdentifier: "b" }] })).toEqual(new Set(["b"]));
    for (const bad of [
      { itemIdentifier: "" },
      { itemIdentifier: null },
      { id: "a" },
      { itemIdentifier: "x" },
    ]) {
      expect(of({ batchItemFailures: [bad] })).toEqual(all);
    }
    expect(failedIds({ error: { errorType: "Error", errorMessage: "" } }, ids)).toEqual(all);
  });
});

describe("over HTTP", () => {
  test("turns a request into API Gateway's event and the answer back, bytes included", async () => {
    const made = await fn(
      `export const handler = async (event) => event.rawPath === "/bytes"
         ? { statusCode: 201, headers: { "content-type": "image/png", "x-n": 1 }, cookies: ["a=1", "b=2"], isBase64Encoded: true, body: event.body }
         : event.rawPath === "/nonsense" ? { statusCode: 42 }
         : event.rawPath === "/fail" ? Promise.reject(new Error("no")) : event`,
    );
    const http = await startHttpFunction(made, 0);
    stops.push(http.stop);
    const answer = await fetch(`${http.url}/api/audit?project=a&project=b&q=x%20y`, {
      method: "POST",
      headers: { cookie: "s=1; t=2", "content-type": "application/json", "x-mixed": "v" },
      body: `{"a":1}`,
    });
    expect(await answer.json()).toMatchObject({
      version: "2.0",
      rawPath: "/api/audit",
      rawQueryString: "project=a&project=b&q=x%20y",
      queryStringParameters: { project: "a,b", q: "x y" },
      cookies: ["s=1", "t=2"],
      headers: { "x-mixed": "v" },
      requestContext: { http: { method: "POST", path: "/api/audit", sourceIp: "127.0.0.1" } },
      body: `{"a":1}`,
      isBase64Encoded: false,
    });
    const bytes = Buffer.from([0, 255, 128, 10]);
    const binary = await fetch(`${http.url}/bytes`, { method: "PUT", body: bytes });
    expect(binary.status).toBe(201);
    expect(binary.headers.get("content-type")).toBe("image/png");
    expect(binary.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(Buffer.from(await binary.arrayBuffer())).toEqual(bytes);
    for (const path of ["/fail", "/nonsense"]) {
      const failed = await fetch(http.url + path);
      expect([failed.status, await failed.json()]).toEqual([500, { message: "Internal Server Error" }]);
    }
  });
});

test("a schedule calls its function with EventBridge's event, again and again", async () => {
  const seen = join(folder, "schedule.jsonl");
  const made = await fn(
    `import { appendFileSync } from "node:fs";
     export const handler = async (event) => appendFileSync(${JSON.stringify(seen)}, JSON.stringify(event) + "\\n");`,
  );
  stops.push(startSchedule(made, "hourly", 20));
  const events = async () => (await readFile(seen, "utf8").catch(() => "")).split("\n").filter(Boolean);
  await expect.poll(async () => (await events()).length).toBeGreaterThan(2);
  expect(JSON.parse((await events())[0] ?? "")).toMatchObject({
    source: "aws.scheduler",
    "detail-type": "Scheduled Event",
  });
});
