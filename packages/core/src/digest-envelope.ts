/**
 * A signed digest as it is stored: a DSSE envelope (github.com/secure-systems-lab/dsse, protocol.md), signed with ECDSA
 * P-256 and SHA-256, the signature in DER as KMS and OpenSSL give it. The signature covers the payload's exact bytes.
 */
import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { z } from "zod";
import { Digest, parseDigestKey } from "./digest.ts";

const PAYLOAD_TYPE = "application/vnd.central-llm.digest+json";

/** Signs with a key that never leaves its owner: KMS on AWS. */
export interface Signer {
  /** SPKI, as PEM. */
  publicKey(): Promise<string>;
  /** @param digest the SHA-256 (32 bytes) of what is signed @returns the ECDSA signature in DER */
  sign(digest: Uint8Array): Promise<Uint8Array>;
}

const Envelope = z.object({
  payloadType: z.literal(PAYLOAD_TYPE),
  payload: z.base64(),
  signatures: z.array(z.object({ keyid: z.string(), sig: z.base64() })).length(1),
});

/** Public keys that a verifier trusts, by fingerprint. */
export type TrustedKeys = ReadonlyMap<string, KeyObject>;

/** @param pems each with one public key @throws when a text holds no public key */
export function trustedKeys(pems: readonly string[]): TrustedKeys {
  return new Map(pems.map((pem) => [fingerprint(pem), createPublicKey(pem)]));
}

/** @param der SPKI, as KMS gives it @throws when it is no key */
export const publicKeyPem = (der: Uint8Array): string =>
  createPublicKey({ key: Buffer.from(der), type: "spki", format: "der" })
    .export({ type: "spki", format: "pem" })
    .toString();

/** sha256 of the key's DER (SPKI) in hex. */
export function fingerprint(pem: string): string {
  const der = createPublicKey(pem).export({ type: "spki", format: "der" });
  return createHash("sha256").update(der).digest("hex");
}

/** What is signed, DSSE's pre-authentication encoding: `DSSEv1 <length> <type> <length> <payload>`. */
function signedBytes(payload: Uint8Array): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(PAYLOAD_TYPE)} ${PAYLOAD_TYPE} ${payload.byteLength} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** @returns the bytes to store */
export async function seal(digest: Digest, signer: Signer): Promise<Buffer> {
  const payload = Buffer.from(JSON.stringify(Digest.parse(digest)));
  const sig = await signer.sign(createHash("sha256").update(signedBytes(payload)).digest());
  const envelope = {
    payloadType: PAYLOAD_TYPE,
    payload: payload.toString("base64"),
    signatures: [{ keyid: fingerprint(await signer.publicKey()), sig: Buffer.from(sig).toString("base64") }],
  };
  return Buffer.from(JSON.stringify(envelope));
}

export type Opened =
  | { digest: Digest; fault: null }
  /** `digest` is what it says, which nobody has to believe; null when it is not even readable. */
  | { digest: Digest | null; fault: string };

/** Reads the digest that is stored under `key` and says why it is not to be believed. */
export function open(key: string, bytes: Uint8Array, trusted: TrustedKeys): Opened {
  const envelope = Envelope.safeParse(json(bytes));
  if (!envelope.success) return { digest: null, fault: "is not a signed digest" };
  const payload = Buffer.from(envelope.data.payload, "base64");
  const parsed = Digest.safeParse(json(payload));
  const digest = parsed.success ? parsed.data : null;
  const [signature] = envelope.data.signatures;
  const publicKey = trusted.get(signature?.keyid ?? "");
  if (!publicKey) return { digest, fault: `is signed with a key that is not trusted (${signature?.keyid})` };
  if (!verify("sha256", signedBytes(payload), publicKey, Buffer.from(signature?.sig ?? "", "base64")))
    return { digest, fault: "has a signature that does not fit its contents" };
  if (!digest) return { digest, fault: "is signed but is no digest of this version" };
  if (Date.parse(digest.period.from) !== parseDigestKey(key))
    return { digest, fault: `is the digest of ${digest.period.from}` };
  return { digest, fault: null };
}

function json(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return undefined;
  }
}
