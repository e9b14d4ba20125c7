/** Signs with a KMS key, which nobody can read: ECDSA on P-256. */
import { GetPublicKeyCommand, type KMSClient, SignCommand } from "@aws-sdk/client-kms";
import type { Signer } from "@central-llm/core/digest-envelope";
import { publicKeyPem } from "@central-llm/core/digest-envelope";

/** @param keyId id, ARN or alias of a key of kind ECC_NIST_P256 */
export function kmsSigner(kms: KMSClient, keyId: string): Signer {
  let pem: Promise<string> | undefined;
  const read = async () => {
    const { PublicKey } = await kms.send(new GetPublicKeyCommand({ KeyId: keyId }));
    if (!PublicKey) throw new Error(`KMS gave no public key of ${keyId}`);
    return publicKeyPem(PublicKey);
  };
  return {
    publicKey() {
      pem ??= read();
      return pem;
    },
    async sign(digest) {
      const { Signature } = await kms.send(
        new SignCommand({
          KeyId: keyId,
          Message: digest,
          MessageType: "DIGEST",
          SigningAlgorithm: "ECDSA_SHA_256",
        }),
      );
      if (!Signature) throw new Error(`KMS gave no signature of ${keyId}`);
      return Signature;
    },
  };
}
