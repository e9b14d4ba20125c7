/** How digests are made; what they are good for is shown by the CLI's verify.test.ts. */

import { generateKeyPairSync, sign } from "node:crypto";
import { S3Client } from "@aws-sdk/client-s3";
import { clientSettings, createAuditPlatform } from "@central-llm/local/audit-platform";
import { type AwsEndpoint, startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { latest } from "./digest-ledger.ts";
import { digestHours } from "./digest-run.ts";
import { at, BEGIN, ChainedWriter, MINUTE } from "./testing/digested-trail.ts";
import { byKey, type TrailStore, trailStore } from "./trail-store.ts";

let endpoint: AwsEndpoint;
let s3: S3Client;
let trail: TrailStore;
const NOW = BEGIN + 76 * MINUTE;

/** Signs anything: what a signature is worth is not the matter here. */
const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const signer = {
  publicKey: async () => publicKey.export({ type: "spki", format: "pem" }).toString(),
  sign: async (digest: Uint8Array) => sign("sha256", digest, privateKey),
};

beforeEach(async () => {
  at(BEGIN);
  endpoint = await startAwsEndpoint();
  const { bucket } = await createAuditPlatform(endpoint);
  s3 = new S3Client(clientSettings(endpoint));
  trail = trailStore(s3, bucket);
  const writer = new ChainedWriter(s3, bucket, "w-1");
  for (let index = 0; index < 50; index++) await writer.write(BEGIN + index * MINUTE);
});

afterEach(async () => {
  vi.useRealTimers();
  s3.destroy();
  await endpoint.stop();
});

const options = { prefix: "logs", lookBackDays: 2, now: NOW, partEntries: 8 };

test("a run that is cut off after any part goes on behind it: nothing is asked for twice, nothing is left out", async () => {
  endpoint.operations.reset();
  let runs = 0;
  for (let done = false; !done; runs++) {
    const stop = new AbortController();
    const [hour] = await digestHours(trail, signer, {
      ...options,
      signal: stop.signal,
      onProgress: () => stop.abort(),
    });
    done = hour?.objects !== null;
  }
  expect(runs).toBe(7);
  expect(endpoint.operations.count("s3.HeadObject")).toBe(50);
  const stored = await latest(trail, NOW);
  expect(stored?.digest).toMatchObject({ objects: 50, writers: [{ objects: 50, first: 1, last: 50 }] });
  expect(stored?.digest.parts.map(({ objects }) => objects)).toEqual([8, 8, 8, 8, 8, 8, 2]);
  const edges = stored?.digest.parts.flatMap(({ first, last }) => [first, last]) ?? [];
  expect(edges).toEqual([...new Set(edges)].sort(byKey));
});

test("two runs at the same time make one digest", async () => {
  const runs = await Promise.all([digestHours(trail, signer, options), digestHours(trail, signer, options)]);
  expect(runs.flat()).toHaveLength(1);
  expect((await latest(trail, NOW))?.digest.objects).toBe(50);
});

test("a later hour's digest looks at the days that may still grow, and at no others", async () => {
  await digestHours(trail, signer, options);
  const asked: string[] = [];
  endpoint.setFault(({ operation, url }) => {
    if (operation === "s3.ListObjectsV2")
      asked.push(new URL(url, "http://s3").searchParams.get("prefix") ?? "");
    return undefined;
  });
  await digestHours(trail, signer, { ...options, now: NOW + 60 * MINUTE });
  const days = [-2, -1, 0, 1].map((day) =>
    new Date(BEGIN + 60 * MINUTE + day * 24 * 60 * MINUTE).toISOString().slice(0, 10).replaceAll("-", "/"),
  );
  expect(asked.filter((prefix) => prefix.startsWith("logs/"))).toEqual(days.map((day) => `logs/${day}/`));
});
