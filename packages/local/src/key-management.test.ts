/** The signing key as AWS's own client sees it. */
import { createHash, createPublicKey, verify } from "node:crypto";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GetPublicKeyCommand, KMSClient, SignCommand } from "@aws-sdk/client-kms";
import { DIGEST_KEY_ALIAS } from "@central-llm/core/platform";
import { expect, test } from "vitest";
import { clientSettings } from "./audit-platform.ts";
import { startAwsEndpoint } from "./aws-endpoint.ts";

test("signs what its public key verifies, keeps its key over a restart, and gives it to nobody else", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "kms-"));
  const message = Buffer.from("a digest");
  const KeyId = DIGEST_KEY_ALIAS;
  const keys: string[] = [];
  for (let life = 0; life < 2; life++) {
    const endpoint = await startAwsEndpoint({ dataDir });
    const kms = new KMSClient(clientSettings(endpoint));
    const { PublicKey, KeySpec } = await kms.send(new GetPublicKeyCommand({ KeyId }));
    expect(KeySpec).toBe("ECC_NIST_P256");
    const { Signature } = await kms.send(
      new SignCommand({
        KeyId,
        Message: createHash("sha256").update(message).digest(),
        MessageType: "DIGEST",
        SigningAlgorithm: "ECDSA_SHA_256",
      }),
    );
    const key = createPublicKey({ key: Buffer.from(PublicKey ?? []), type: "spki", format: "der" });
    expect(verify("sha256", message, key, Signature ?? Buffer.alloc(0))).toBe(true);
    expect(verify("sha256", Buffer.from("another"), key, Signature ?? Buffer.alloc(0))).toBe(false);
    keys.push(Buffer.from(PublicKey ?? []).toString("hex"));
    await expect(kms.send(new GetPublicKeyCommand({ KeyId: "alias/other" }))).rejects.toMatchObject({
      name: "NotFoundException",
    });
    await expect(
      kms.send(
        new SignCommand({ KeyId, Message: message, MessageType: "RAW", SigningAlgorithm: "ECDSA_SHA_256" }),
      ),
    ).rejects.toMatchObject({ name: "ValidationException" });
    kms.destroy();
    await endpoint.stop();
  }
  expect(keys[0]).toBe(keys[1]);
  expect((await stat(join(dataDir, "kms", "digest-key.pem"))).mode & 0o777).toBe(0o600);
  await rm(dataDir, { recursive: true });
});
