import { Hash } from "@smithy/hash-node";
import { SignatureV4 } from "@smithy/signature-v4";
import { expect, test } from "vitest";
import { AwsSigner, type Credentials } from "./aws-signature.ts";

const HEADERS = {
  host: "central-llm-audit.s3.eu-central-1.amazonaws.com",
  "content-type": "application/json",
  "content-length": "3300",
  "if-none-match": "*",
  "x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "x-amz-meta-writer": "task-mwq7w94431be1c",
  "x-amz-meta-sequence": "17",
};
const PATH = "/logs/2026/11/21/01a1fd7a-ce82-7343-aaf0-442857633076.json";

async function theirs(
  method: string,
  credentials: Credentials,
  now: number,
): Promise<Record<string, string>> {
  const signer = new SignatureV4({
    service: "s3",
    region: "eu-central-1",
    credentials: { ...credentials },
    sha256: Hash.bind(null, "sha256"),
    uriEscapePath: false,
    applyChecksum: false,
  });
  const request = {
    method,
    protocol: "https:",
    hostname: HEADERS.host,
    path: PATH,
    query: {},
    headers: { ...HEADERS },
  };
  return (await signer.sign(request, { signingDate: new Date(now) })).headers;
}

const PLAIN = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };

test.each([
  ["plain credentials", PLAIN],
  ["temporary credentials", { ...PLAIN, sessionToken: "IQoJb3JpZ2luX2VjE".repeat(40) }],
  ["a secret longer than a block", { accessKeyId: "A", secretAccessKey: "s".repeat(100) }],
])("the signature is @smithy/signature-v4's: %s", async (_name, credentials) => {
  const ours = new AwsSigner("s3", "eu-central-1");
  // The same signer over seconds, a day's end, and back: the cached key must follow.
  for (const time of [
    "2026-11-21T23:59:59.999Z",
    "2026-11-22T00:00:00.000Z",
    "2026-11-22T00:00:00.900Z",
    "2026-02-28T12:00:00.000Z",
  ]) {
    for (const method of ["PUT", "HEAD"]) {
      const now = Date.parse(time);
      expect(ours.sign(method, PATH, HEADERS, credentials, now)).toEqual(
        await theirs(method, credentials, now),
      );
    }
  }
});

test("other credentials get another key at once", async () => {
  const ours = new AwsSigner("s3", "eu-central-1");
  const now = Date.parse("2026-11-21T10:00:00.000Z");
  ours.sign("PUT", PATH, HEADERS, PLAIN, now);
  const rotated = { accessKeyId: "AKIDOTHER", secretAccessKey: "another" };
  expect(ours.sign("PUT", PATH, HEADERS, rotated, now)).toEqual(await theirs("PUT", rotated, now));
});

test("for Bedrock, an escaped path is escaped once more", async () => {
  const path = `/model/${encodeURIComponent("arn:aws:bedrock:eu-west-2::profile/eu.anthropic.claude-v2:0")}/converse`;
  const now = Date.parse("2026-11-21T10:00:00.000Z");
  const signer = new SignatureV4({
    service: "bedrock",
    region: "eu-west-2",
    credentials: PLAIN,
    sha256: Hash.bind(null, "sha256"),
    applyChecksum: false,
  });
  const request = {
    method: "POST",
    protocol: "https:",
    hostname: HEADERS.host,
    path,
    query: {},
    headers: HEADERS,
  };
  const { headers } = await signer.sign(request, { signingDate: new Date(now) });
  expect(new AwsSigner("bedrock", "eu-west-2").sign("POST", path, HEADERS, PLAIN, now)).toEqual(headers);
});

test("a path that would need escaping is refused, not signed wrongly", () => {
  expect(() => new AwsSigner("s3", "eu-central-1").sign("PUT", "/a b", HEADERS, PLAIN, 0)).toThrow("escape");
});
