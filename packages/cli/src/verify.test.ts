/** A digested trail, one thing done to it, and what `central-llm verify` says: over S3 and on a copy. */
import { execFile } from "node:child_process";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { KMSClient } from "@aws-sdk/client-kms";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { type Digest, digestKey, HOUR_MS } from "@central-llm/core/digest";
import { fingerprint } from "@central-llm/core/digest-envelope";
import { decode, encode } from "@central-llm/core/digest-part";
import { digestHours } from "@central-llm/core/digest-run";
import { DIGEST_KEY_ALIAS } from "@central-llm/core/platform";
import { at, BEGIN, ChainedWriter, MINUTE, type Stored } from "@central-llm/core/testing/digested-trail";
import { trailStore } from "@central-llm/core/trail-store";
import { kmsSigner } from "@central-llm/functions/kms-signer";
import { type AuditPlatform, clientSettings, createAuditPlatform } from "@central-llm/local/audit-platform";
import { type AwsEndpoint, startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { compileCache } from "@central-llm/local/compile-cache";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

const MAIN = new URL("./main.ts", import.meta.url).pathname;
const WINDOW = ["--from", new Date(BEGIN).toISOString(), "--to", new Date(BEGIN + 3 * HOUR_MS).toISOString()];
/** The digests of the trail: of all before BEGIN + 1 h, and of the two hours after. */
const DIGESTS = [0, BEGIN + HOUR_MS, BEGIN + 2 * HOUR_MS].map(digestKey) as [string, string, string];

let endpoint: AwsEndpoint;
let platform: AuditPlatform;
let s3: S3Client;
let kms: KMSClient;
let folder: string;
let a: ChainedWriter;
let records: Stored[];

beforeEach(async () => {
  at(BEGIN);
  endpoint = await startAwsEndpoint();
  platform = await createAuditPlatform(endpoint);
  s3 = new S3Client(clientSettings(endpoint));
  kms = new KMSClient(clientSettings(endpoint));
  folder = await mkdtemp(join(tmpdir(), "verify-"));
  a = new ChainedWriter(s3, platform.bucket, "a-1");
  const b = new ChainedWriter(s3, platform.bucket, "b-1");
  records = [];
  for (let minute = 5; minute < 175; minute += 10)
    records.push(await (minute % 20 === 5 ? a : b).write(BEGIN + minute * MINUTE));
  records.push(await a.write(BEGIN + 175 * MINUTE, "order-4711"));
  await put("logs/2025/11/10/old-writers.json", '{"timestamp":"2025-11-10T12:00:00"}', BEGIN + MINUTE);
  await digest(BEGIN + 76 * MINUTE, 1);
  await digest(BEGIN + 196 * MINUTE, 2);
});

afterEach(async () => {
  vi.useRealTimers();
  s3.destroy();
  kms.destroy();
  await endpoint.stop();
  await rm(folder, { recursive: true });
});

async function digest(now: number, hours: number): Promise<void> {
  at(now);
  const trail = trailStore(s3, platform.bucket);
  const options = { prefix: "logs", lookBackDays: 2, now, partEntries: 4 };
  expect(await digestHours(trail, kmsSigner(kms, DIGEST_KEY_ALIAS), options)).toHaveLength(hours);
}

const Bucket = () => platform.bucket;

/** As somebody who may do everything. */
async function put(Key: string, Body: string | Uint8Array, time = BEGIN + 30 * HOUR_MS): Promise<void> {
  at(time);
  await s3.send(new PutObjectCommand({ Bucket: Bucket(), Key, Body }));
}
const remove = (Key: string) => s3.send(new DeleteObjectCommand({ Bucket: Bucket(), Key }));
async function read(Key: string): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: Bucket(), Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

function run(...given: string[]): Promise<Ran> {
  const env = {
    ...compileCache(),
    PATH: process.env.PATH,
    AWS_ENDPOINT_URL: endpoint.url,
    AWS_REGION: endpoint.region,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
  };
  return new Promise((resolve) =>
    execFile(process.execPath, [MAIN, "verify", ...given], { env, cwd: folder }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr }),
    ),
  );
}

/** What is found, as `kind name`. */
async function found(...given: string[]): Promise<{ code: number; findings: string[]; unproven: number }> {
  const { code, stdout, stderr } = await run(...(given.length > 0 ? given : WINDOW), "--format", "json");
  expect(stderr).toBe("");
  const { findings, unproven } = JSON.parse(stdout);
  return {
    code,
    unproven,
    findings: findings.map(({ kind, name }: { kind: string; name: string }) => `${kind} ${name}`),
  };
}

const key = (index: number) => records[index]?.key ?? "";

/** The bucket as `aws s3 sync` copies it, and the key that an auditor noted. */
async function copy(): Promise<string[]> {
  let ContinuationToken: string | undefined;
  do {
    const page = await s3.send(new ListObjectsV2Command({ Bucket: Bucket(), ContinuationToken }));
    for (const { Key = "" } of page.Contents ?? []) {
      const file = join(folder, "copy", Key);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, await read(Key));
    }
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  await writeFile(join(folder, "key.pem"), await kmsSigner(kms, DIGEST_KEY_ALIAS).publicKey());
  return ["--offline", "copy", "--public-key", "key.pem"];
}

test("an untouched trail verifies, over S3 and as a copy without any service", async () => {
  const online = await run(...WINDOW);
  expect(online).toMatchObject({ code: 0, stderr: "" });
  expect(online.stdout).toContain("untouched");
  expect(online.stdout).toContain("3 digests");
  expect(online.stdout).toContain("19 objects are as they were digested");
  const offline = await copy();
  const { url } = endpoint;
  await endpoint.stop();
  expect(await run(...offline, "--format", "json")).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('"objects": 19'),
  });
  endpoint = await startAwsEndpoint({ port: Number(new URL(url).port) });
});

test("one byte changed, an object deleted, an object added: each is named, also in a copy", async () => {
  const changed = Buffer.from(records[3]?.text ?? "");
  changed[changed.length - 9] = (changed[changed.length - 9] ?? 0) ^ 1;
  await put(key(3), changed);
  await remove(key(7));
  const inserted = key(9).replace(/.{12}\.json$/, "aaaaaaaaaaaa.json");
  await put(inserted, records[9]?.text ?? "", BEGIN + 96 * MINUTE);
  // One that is put there now is named once the digest of now is due; it is in no digest of its own name's hour either.
  const late = key(5).replace(/.{12}\.json$/, "bbbbbbbbbbbb.json");
  await put(late, "{}", BEGIN + 170 * MINUTE);
  const names = [`changed ${key(3)}`, `deleted ${key(7)}`, `added ${inserted}`, `added ${late}`].sort();
  const online = await found();
  expect([online.code, online.findings.sort()]).toEqual([4, names]);
  const offline = await found(...(await copy()));
  expect([offline.code, offline.findings.sort()]).toEqual([4, names]);
  const { stdout } = await run(...WINDOW);
  expect(stdout).toContain("NOT as it was signed");
  expect(stdout).toContain(`Objects that were deleted (1):\n  ${key(7)}: stored`);
});

test("two records swapped: both are named, and which record lies there now", async () => {
  await put(key(2), records[4]?.text ?? "");
  await put(key(4), records[2]?.text ?? "");
  const { code, findings } = await found();
  expect([code, findings]).toEqual([4, [`changed ${key(2)}`, `changed ${key(4)}`]]);
  const requestId = JSON.parse(records[4]?.text ?? "").requestId;
  expect((await run(...WINDOW)).stdout).toContain(`it holds the record of ${requestId} now`);
});

test("a digest that is removed or garbled is named, and what it vouched for is unproven", async () => {
  await remove(DIGESTS[1]);
  const removed = await found();
  expect(removed).toMatchObject({ code: 4, findings: [`digest_missing ${DIGESTS[1]}`], unproven: 6 });
  await put(DIGESTS[1], "{}");
  const garbled = await found();
  expect(garbled).toMatchObject({ code: 4, findings: [`digest_invalid ${DIGESTS[1]}`], unproven: 6 });
  // The last one has no successor that misses it: its hour does.
  await remove(DIGESTS[2]);
  expect((await found()).findings).toContain(`digest_missing ${DIGESTS[2]}`);
});

/** Rewrites a digest and its list as somebody with another key would, to hide a changed object. */
async function resign(name: string, by: KeyObject, change: (digest: Digest) => Digest): Promise<void> {
  const envelope = JSON.parse((await read(name)).toString());
  const payload = Buffer.from(
    JSON.stringify(change(JSON.parse(Buffer.from(envelope.payload, "base64").toString()))),
  );
  const head = `DSSEv1 ${envelope.payloadType.length} ${envelope.payloadType} ${payload.length} `;
  const sig = sign("sha256", Buffer.concat([Buffer.from(head), payload]), by).toString("base64");
  envelope.payload = payload.toString("base64");
  envelope.signatures[0].sig = sig;
  await put(name, JSON.stringify(envelope));
}

test("a digest replaced by one of another key, or under our key's name, is named", async () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
  await resign(DIGESTS[1], privateKey, (digest) => ({ ...digest, objects: 0, parts: [], writers: [] }));
  const forged = await run(...WINDOW);
  expect(forged.code).toBe(4);
  expect(forged.stdout).toContain(`${DIGESTS[1]}: has a signature that does not fit its contents`);
  const envelope = JSON.parse((await read(DIGESTS[1])).toString());
  envelope.signatures[0].keyid = fingerprint(pem);
  await put(DIGESTS[1], JSON.stringify(envelope));
  await put(`digests/keys/${fingerprint(pem)}.pem`, pem);
  const other = await run(...WINDOW);
  expect(other.code).toBe(4);
  expect(other.stdout).toContain(
    `${DIGESTS[1]}: is signed with a key that is not trusted (${fingerprint(pem)})`,
  );
  // Who trusts both keys still sees that the chain was broken.
  await writeFile(join(folder, "theirs.pem"), pem);
  const offline = await found(...(await copy()), "--public-key", "theirs.pem");
  expect(offline.code).toBe(4);
  expect(offline.findings).toContain(`digest_invalid ${DIGESTS[1]}`);
});

test("an older digest in the place of a newer one is named", async () => {
  await put(DIGESTS[2], await read(DIGESTS[1]));
  expect(await found()).toMatchObject({ code: 4, unproven: 6, findings: [`digest_invalid ${DIGESTS[2]}`] });
});

test("a digest's list that is changed or gone is named", async () => {
  const envelope = JSON.parse((await read(DIGESTS[1])).toString());
  const { parts } = JSON.parse(Buffer.from(envelope.payload, "base64").toString()) as Digest;
  const [first, second] = parts;
  if (!first || !second) throw new Error("the hour has two parts");
  const entries = decode(first, await read(first.key)) ?? [];
  await put(first.key, encode(BEGIN + HOUR_MS, entries.slice(1)).bytes);
  await remove(second.key);
  expect(await found()).toMatchObject({
    code: 4,
    unproven: 6,
    findings: [`part_changed ${first.key}`, `part_missing ${second.key}`],
  });
});

test("what came late lies in a later digest; what has none yet waits; a number never stored is told apart", async () => {
  a.lose();
  const first = a.make(BEGIN + 181 * MINUTE);
  const second = a.make(BEGIN + 182 * MINUTE);
  await a.store(second, BEGIN + 183 * MINUTE);
  await a.store(first, BEGIN + 250 * MINUTE);
  await digest(BEGIN + 320 * MINUTE, 2);
  await a.write(BEGIN + 321 * MINUTE);
  const { code, stdout } = await run(
    "--from",
    WINDOW[1] ?? "",
    "--to",
    new Date(BEGIN + 6 * HOUR_MS).toISOString(),
  );
  // The digest of the hour of the last record is overdue by now, for a trail that went on.
  expect(stdout).toContain("21 objects are as they were digested");
  expect(stdout).toContain("1 objects wait");
  expect(stdout).toContain("Numbers that a writer gave and never stored (1):\n  a-1: number 11:");
  expect(stdout).not.toContain("do not follow");
  expect([code, stdout.match(/Digests that are missing \((\d+)\)/)?.[1]]).toEqual([4, "1"]);
});

test("a record that was taken away before its hour was digested is missed by its successor", async () => {
  const gone = a.make(BEGIN + 190 * MINUTE);
  await a.write(BEGIN + 191 * MINUTE);
  await digest(BEGIN + 256 * MINUTE, 1);
  const to = new Date(BEGIN + 4 * HOUR_MS).toISOString();
  expect(gone.key).not.toBe("");
  expect(await found("--from", WINDOW[1] ?? "", "--to", to)).toMatchObject({
    code: 4,
    findings: ["missing a-1"],
  });
});

test("a trail without digests, wrong keys and wrong use are told in words", async () => {
  for (const name of DIGESTS) await remove(name);
  const none = await run(...WINDOW);
  expect(none.code).toBe(4);
  expect(none.stdout).toContain("there is no digest at all");
  expect(await run("--offline", ".")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--public-key"),
  });
  expect(await run("--offline", "nowhere", "--public-key", "x")).toMatchObject({ code: 2 });
  await writeFile(join(folder, "bad.pem"), "no key");
  expect(await run(...WINDOW, "--public-key", "bad.pem")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("no public key"),
  });
  expect(await run("--from", "1h", "--to", "2h")).toMatchObject({ code: 2 });
});
