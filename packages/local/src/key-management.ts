/**
 * KMS on this machine, as far as the platform uses it: one ECDSA key on P-256 that signs digests, kept in a file. Wire format:
 * docs.aws.amazon.com/kms/latest/APIReference, Sign and GetPublicKey (JSON 1.1).
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DIGEST_KEY_ALIAS } from "@central-llm/core/platform";
import { p256 } from "@noble/curves/nist.js";
import { z } from "zod";

export interface KmsAnswer {
  status: number;
  body: object;
}

export interface KeyManagement {
  /** @param operation e.g. `Sign` @param body the request's JSON */
  handle(operation: string, body: string): KmsAnswer;
}

const ALGORITHM = "ECDSA_SHA_256";
const KEY_ID = "00000000-0000-4000-8000-00000000d19e";

const Sign = z.object({
  Message: z.base64(),
  MessageType: z.literal("DIGEST"),
  SigningAlgorithm: z.literal(ALGORITHM),
});

const refusal = (type: string, message: string): KmsAnswer => ({
  status: 400,
  body: { __type: type, message },
});

/** @param folder where the key is kept; omitted: it is new each time */
export function openKeyManagement(options: { folder?: string | undefined; region: string }): KeyManagement {
  const key = privateKey(options.folder);
  const arn = `arn:aws:kms:${options.region}:000000000000:key/${KEY_ID}`;
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" }).toString("base64");
  const { d = "" } = key.export({ format: "jwk" });
  const scalar = Buffer.from(d, "base64url");

  return {
    handle(operation, text) {
      const body = json(text);
      const keyId = String((body as { KeyId?: unknown } | null)?.KeyId ?? "");
      if (![KEY_ID, arn, DIGEST_KEY_ALIAS].includes(keyId))
        return refusal("NotFoundException", `Key '${keyId}' does not exist`);
      if (operation === "GetPublicKey") {
        const facts = { KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY", SigningAlgorithms: [ALGORITHM] };
        return { status: 200, body: { KeyId: arn, PublicKey: publicKey, ...facts } };
      }
      if (operation !== "Sign")
        return refusal("UnknownOperationException", `${operation} is not implemented locally`);
      const asked = Sign.safeParse(body);
      const digest = Buffer.from(asked.data?.Message ?? "", "base64");
      if (!asked.success || digest.length !== 32)
        return refusal("ValidationException", `Only 32-byte digests are signed here, with ${ALGORITHM}`);
      // node:crypto hashes what it signs; KMS signs the hash as it comes.
      const signature = p256.sign(digest, scalar, { prehash: false, format: "der" });
      const Signature = Buffer.from(signature).toString("base64");
      return { status: 200, body: { KeyId: arn, Signature, SigningAlgorithm: ALGORITHM } };
    },
  };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function privateKey(folder: string | undefined): KeyObject {
  const make = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  if (folder === undefined) return make();
  const file = join(folder, "digest-key.pem");
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(file, make().export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  }
  return createPrivateKey(readFileSync(file));
}
