/** The replay function as Lambda calls it, on the embedded queues. */
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { type Reason, toMessage } from "@central-llm/core/dead-letter";
import * as DeadLetterQueue from "@central-llm/core/dead-letter-queue";
import * as S3Event from "@central-llm/core/s3-event";
import { CREDENTIALS, clientSettings, createAuditPlatform } from "@central-llm/local/audit-platform";
import { type AwsEndpoint, startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

let endpoint: AwsEndpoint;
let sqs: SQSClient;
let queue: DeadLetterQueue.DeadLetterQueue;
let handler: (event: unknown, context: unknown) => Promise<unknown>;

beforeEach(async () => {
  endpoint = await startAwsEndpoint();
  const platform = await createAuditPlatform(endpoint);
  sqs = new SQSClient(clientSettings(endpoint));
  const { deadLetterQueueUrl, ingestQueueUrl } = platform;
  queue = { sqs, deadLetterQueueUrl, ingestQueueUrl };
  vi.stubEnv("AWS_ENDPOINT_URL", endpoint.url);
  vi.stubEnv("AWS_REGION", endpoint.region);
  vi.stubEnv("AWS_ACCESS_KEY_ID", CREDENTIALS.accessKeyId);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", CREDENTIALS.secretAccessKey);
  vi.stubEnv("AUDIT_DLQ_URL", deadLetterQueueUrl);
  vi.stubEnv("INGEST_QUEUE_URL", ingestQueueUrl);
  vi.stubEnv("POWERTOOLS_DEV", "true");
  for (const method of ["log", "info", "warn"] as const) vi.spyOn(console, method).mockReturnValue();
  vi.resetModules();
  ({ handler } = (await import("./replay.ts")) as unknown as { handler: typeof handler });
  await letter("throttled", "logs/2026/11/20/a.json");
  await letter("throttled", "logs/2026/11/21/b.json");
  await letter("malformed_json", "logs/2026/11/21/c.json");
});

afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  sqs.destroy();
  await endpoint.stop();
});

async function letter(reason: Reason, key: string): Promise<void> {
  const made = toMessage({
    object: { bucket: "b", key },
    body: "",
    reason,
    detail: "",
    firstFailedAt: "2026-11-21T10:00:00.000Z",
    receives: 1,
  });
  await sqs.send(new SendMessageCommand({ QueueUrl: queue.deadLetterQueueUrl, ...made }));
}

const call = (order: unknown) => handler(order, { getRemainingTimeInMillis: () => 60_000 });
const left = async () =>
  (await DeadLetterQueue.list(queue)).letters.map(({ objects }) => objects[0]?.key.at(-6)).sort();
/** Keys in the ingest queue, without S3's own first event. */
async function sent(): Promise<(string | undefined)[]> {
  const { letters } = await DeadLetterQueue.list({ ...queue, deadLetterQueueUrl: queue.ingestQueueUrl });
  return letters.flatMap(({ objects }) => objects.map(({ key }) => key.at(-6))).sort();
}

test("one letter by its id, some by reason or prefix, and then all", async () => {
  const { letters } = await DeadLetterQueue.list(queue);
  const b = letters.find(({ objects }) => objects[0]?.key.endsWith("b.json"));
  expect(await call({ messageIds: [b?.messageId] })).toMatchObject({
    matched: 1,
    replayed: 1,
    complete: true,
  });
  expect([await left(), await sent()]).toEqual([["a", "c"], ["b"]]);
  expect(await call({ reason: "throttled" })).toMatchObject({ replayed: 1 });
  expect(await call({ prefix: "logs/2026/11/20/" })).toMatchObject({ replayed: 0 });
  expect(await left()).toEqual(["c"]);
  expect(await call({ all: true })).toEqual({ seen: 1, matched: 1, replayed: 1, complete: true });
  expect([await left(), await sent()]).toEqual([[], ["a", "b", "c"]]);
});

test("a dry run says what would be replayed and takes nothing away", async () => {
  expect(await call({ all: true, dryRun: true })).toEqual({
    seen: 3,
    matched: 3,
    replayed: 0,
    complete: true,
  });
  expect([await left(), await sent()]).toEqual([["a", "b", "c"], []]);
  expect(await call({ all: true, limit: 2 })).toMatchObject({ replayed: 2 });
  expect(await left()).toHaveLength(1);
});

test.each([{}, { all: false }, { reason: "boredom" }, { everything: true }, { messageIds: [] }])(
  "an order that names nothing, or what there is not, is refused: %j",
  async (order) => {
    await expect(call(order)).rejects.toThrow(/all: true|expected|Unrecognized|Invalid/);
    expect(await left()).toHaveLength(3);
  },
);

test("what SQS says is S3's own shape, so that ingest takes it", async () => {
  await call({ prefix: "logs/2026/11/20/" });
  const { letters } = await DeadLetterQueue.list({ ...queue, deadLetterQueueUrl: queue.ingestQueueUrl });
  expect(letters.map(({ objects }) => objects)).toContainEqual(
    S3Event.parse(S3Event.body("b", "logs/2026/11/20/a.json")),
  );
});
