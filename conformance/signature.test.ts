/** Our own signer of S3 requests, held against botocore's: moto checks signatures when it is told to. */
import { hash } from "node:crypto";
import { CreateBucketCommand, GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { ObjectStore } from "@central-llm/proxy/object-store";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

const { STORAGE_JUDGE_URL: url = "" } = process.env;
const region = "eu-central-1";
const Bucket = "signed";
let credentials = { accessKeyId: "setup", secretAccessKey: "setup" };

async function iam(parameters: Record<string, string>): Promise<string> {
  const response = await fetch(url, {
    method: "POST",
    headers: { authorization: `AWS4-HMAC-SHA256 Credential=setup/20260101/${region}/iam/aws4_request` },
    body: new URLSearchParams({ Version: "2010-05-08", UserName: "proxy", ...parameters }),
  });
  const xml = await response.text();
  expect(response.status, xml).toBe(200);
  return xml;
}

/** From so many requests on, moto wants valid signatures; Infinity: never. */
const checkAfter = (requests: number) =>
  fetch(`${url}/moto-api/reset-auth`, { method: "POST", body: String(requests) });

const client = () =>
  new S3Client({ endpoint: url, region, credentials, forcePathStyle: true, maxAttempts: 1 });

beforeAll(async () => {
  if (!url) return;
  await fetch(`${url}/moto-api/reset`, { method: "POST" });
  await iam({ Action: "CreateUser" });
  const PolicyDocument = JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action: "s3:*", Resource: "*" }],
  });
  await iam({ Action: "PutUserPolicy", PolicyName: "s3", PolicyDocument });
  const key = await iam({ Action: "CreateAccessKey" });
  const element = (name: string) => new RegExp(`<${name}>(.*?)</${name}>`).exec(key)?.[1] ?? "";
  credentials = { accessKeyId: element("AccessKeyId"), secretAccessKey: element("SecretAccessKey") };
  await client().send(
    new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: region } }),
  );
  await checkAfter(0);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  if (url) await checkAfter(Number.POSITIVE_INFINITY);
});

function store(secret: string): ObjectStore {
  vi.stubEnv("AWS_ACCESS_KEY_ID", credentials.accessKeyId);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", secret);
  return new ObjectStore({ bucket: Bucket, region, endpoint: url, connections: 2 });
}

const AS = { writer: "task-1-1795255200000", sequence: 17 };

const put = (to: ObjectStore, key: string, body: string) =>
  to.put(key, Buffer.from(body), hash("sha256", body), AS);

test.skipIf(!url)(
  "a PUT and a HEAD with our signature are accepted; the object, its metadata and its name are whole",
  async () => {
    const ours = store(credentials.secretAccessKey);
    for (const name of ["0190a5b2-plain", "a.b_c-D", "x".repeat(128)]) {
      const key = `logs/2026/11/21/${name}.json`;
      expect(await put(ours, key, '{"ü":1}')).toBe("stored");
      expect(await put(ours, key, "{}")).toBe("exists");
      expect(await ours.head(key)).toEqual(AS);
      const { Body } = await client().send(new GetObjectCommand({ Bucket, Key: key }));
      expect(await Body?.transformToString()).toBe('{"ü":1}');
    }
    await ours.close();
  },
);

test.skipIf(!url)("with another secret it is refused: moto does look", async () => {
  const wrong = store("not-the-secret");
  await expect(put(wrong, "logs/x.json", "{}")).rejects.toMatchObject({ reason: "SignatureDoesNotMatch" });
  await wrong.close();
});
