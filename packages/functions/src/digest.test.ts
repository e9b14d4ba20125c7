/** The digest function as Lambda calls it, on the embedded engines; what its digests are good for is shown by the CLI's verify.test.ts. */
import { createHash, createPublicKey, verify } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { at, BEGIN, ChainedWriter, MINUTE, sha256 } from "@central-llm/core/testing/digested-trail";
import { CREDENTIALS, clientSettings, createAuditPlatform } from "@central-llm/local/audit-platform";
import { type AwsEndpoint, startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

const HOUR = 60 * MINUTE;
type Hours = { from: string; to: string; objects: number | null }[];

let endpoint: AwsEndpoint;
let s3: S3Client;
let bucket: string;
let writer: ChainedWriter;
let handler: (event: unknown, context: unknown) => Promise<Hours>;
const output: string[] = [];

beforeAll(async () => {
  at(BEGIN);
  endpoint = await startAwsEndpoint();
  ({ bucket } = await createAuditPlatform(endpoint));
  s3 = new S3Client(clientSettings(endpoint));
  writer = new ChainedWriter(s3, bucket, "w-1");
  vi.stubEnv("AWS_ENDPOINT_URL", endpoint.url);
  vi.stubEnv("AWS_REGION", endpoint.region);
  vi.stubEnv("AWS_ACCESS_KEY_ID", CREDENTIALS.accessKeyId);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", CREDENTIALS.secretAccessKey);
  vi.stubEnv("AUDIT_BUCKET", bucket);
  vi.stubEnv("SIGNING_KEY_ID", "alias/central-llm-digest");
  // Powertools prints with a Console of its own unless told that this is development.
  vi.stubEnv("POWERTOOLS_DEV", "true");
  vi.stubEnv("POWERTOOLS_METRICS_DISABLED", "false");
  for (const method of ["log", "info", "warn", "error", "debug"] as const)
    vi.spyOn(console, method).mockImplementation((...parts) => void output.push(parts.join(" ")));
  ({ handler } = (await import("./digest.ts")) as unknown as { handler: typeof handler });
});

afterAll(async () => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  s3.destroy();
  await endpoint.stop();
});

function call(now: number, remainingMs = 60_000): Promise<Hours> {
  at(now);
  return handler(
    {},
    { functionName: "llm-audit-digest", awsRequestId: "1", getRemainingTimeInMillis: () => remainingMs },
  );
}

async function keys(Prefix: string): Promise<string[]> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix }));
  return Contents.map(({ Key = "" }) => Key);
}
async function read(Key: string): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}
async function payload(key: string) {
  return JSON.parse(Buffer.from(JSON.parse((await read(key)).toString()).payload, "base64").toString());
}

test("each settled hour gets one digest, chained and signed; by OpenSSL's rules, not only by ours", async () => {
  const records = [];
  for (const minute of [1, 30, 59, 61, 75]) records.push(await writer.write(BEGIN + minute * MINUTE));
  // Ten minutes after the hour S3 may still show a late one.
  expect(await call(BEGIN + 70 * MINUTE)).toMatchObject([{ to: new Date(BEGIN).toISOString(), objects: 0 }]);
  expect(await call(BEGIN + HOUR + 16 * MINUTE)).toMatchObject([{ objects: 3 }]);
  expect(await call(BEGIN + HOUR + 17 * MINUTE)).toEqual([]);
  expect(await call(BEGIN + 4 * HOUR + 16 * MINUTE)).toMatchObject([
    { objects: 2 },
    { objects: 0 },
    { objects: 0 },
  ]);
  const names = await keys("digests/hours/");
  expect(names).toHaveLength(5);
  const digests = await Promise.all(names.map(payload));
  for (const [index, name] of names.slice(1).entries()) {
    const before = await read(names[index] ?? "");
    expect(digests[index + 1]).toMatchObject({
      number: index + 2,
      previous: { key: names[index], sha256: sha256(before) },
    });
    expect(digests[index + 1].period.from, name).toBe(digests[index].period.to);
  }
  const [part] = digests[1].parts;
  const lines = gunzipSync(await read(part.key))
    .toString()
    .trimEnd()
    .split("\n");
  expect(lines.map((line) => JSON.parse(line))).toMatchObject(
    records.slice(0, 3).map(({ key, text }, index) => ({
      key,
      sha256: sha256(text),
      bytes: Buffer.byteLength(text),
      writer: "w-1",
      sequence: index + 1,
    })),
  );
  expect(digests[1].writers).toEqual([
    { writer: "w-1", objects: 3, first: 1, last: 3, head: sha256(records[2]?.text ?? "") },
  ]);

  const envelope = JSON.parse((await read(names[1] ?? "")).toString());
  const [{ keyid, sig }] = envelope.signatures;
  const pem = await read(`digests/keys/${keyid}.pem`);
  const der = createPublicKey(pem).export({ type: "spki", format: "der" });
  expect(createHash("sha256").update(der).digest("hex")).toBe(keyid);
  const body = Buffer.from(envelope.payload, "base64");
  const signed = Buffer.concat([
    Buffer.from(`DSSEv1 39 application/vnd.central-llm.digest+json ${body.length} `),
    body,
  ]);
  expect(verify("sha256", signed, pem, Buffer.from(sig, "base64"))).toBe(true);
});

test("an object that came hours late lies in the digest of the hour in which it came, and no digest is written again", async () => {
  const [late] = [writer.make(BEGIN + 3 * HOUR)];
  const before = new Map(
    await Promise.all((await keys("digests/hours/")).map(async (key) => [key, await read(key)] as const)),
  );
  await writer.store(late as NonNullable<typeof late>, BEGIN + 26 * HOUR);
  const hours = await call(BEGIN + 27 * HOUR + 16 * MINUTE);
  expect(hours).toHaveLength(23);
  expect(hours.filter(({ objects }) => objects === 1)).toMatchObject([
    { from: new Date(BEGIN + 26 * HOUR).toISOString() },
  ]);
  for (const [key, bytes] of before) expect((await read(key)).equals(bytes), key).toBe(true);
});

test("a run whose time is over, or whose S3 fails, leaves no half digest; the next one makes the same hour whole", async () => {
  const from = BEGIN + 27 * HOUR;
  for (let index = 0; index < 40; index++) await writer.write(from + index * MINUTE);
  const count = (await keys("digests/hours/")).length;
  endpoint.setFault(({ operation, url }) =>
    operation === "s3.PutObject" && url.includes("/digests/hours/") ? { status: 403 } : undefined,
  );
  await expect(call(from + HOUR + 16 * MINUTE)).rejects.toThrow();
  endpoint.setFault(undefined);
  expect(await keys("digests/hours/")).toHaveLength(count);
  const parts = await keys(`digests/parts/`);
  // What is stored already is not made again.
  endpoint.operations.reset();
  expect(await call(from + HOUR + 17 * MINUTE)).toMatchObject([{ objects: 40 }]);
  expect(endpoint.operations.count("s3.HeadObject")).toBe(0);
  expect(await keys(`digests/parts/`)).toEqual(parts);
});

test("a digest that is not the one of its hour stops the chain with a word, and is not built upon", async () => {
  const last = (await keys("digests/hours/")).at(-1) ?? "";
  const kept = await read(last);
  await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: last }));
  const { PutObjectCommand } = await import("@aws-sdk/client-s3");
  await s3.send(
    new PutObjectCommand({
      Bucket: bucket,
      Key: last,
      Body: await read((await keys("digests/hours/"))[1] ?? ""),
    }),
  );
  await expect(call(BEGIN + 30 * HOUR)).rejects.toThrow("is not the digest of its hour");
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: last, Body: kept }));
  // One in the future does not send the chain there.
  const future = last.replace(/^digests\/hours\/\d{4}/, "digests/hours/2099");
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: future, Body: kept }));
  expect(await call(BEGIN + 29 * HOUR + 16 * MINUTE)).toMatchObject([
    { from: new Date(BEGIN + 28 * HOUR).toISOString() },
  ]);
});

test("says in metrics how many were signed and how many are due, and no content in its log", () => {
  const text = output.join("\n");
  expect(text).toContain('"DigestsSigned":23');
  expect(text).toContain('"DigestHoursBehind":0');
  expect(text).not.toContain("helpful assistant");
});
