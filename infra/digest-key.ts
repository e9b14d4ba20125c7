/** What signs the hourly digests: a key that can sign and nothing else, and that nobody can read (docs/decisions/digests.md). */
import { DIGEST_KEY_ALIAS } from "@central-llm/core/platform";
import { accountId, holdsData, named } from "./stage.ts";

export const signingKey = new aws.kms.Key(
  "DigestKey",
  {
    description: `Central LLM, stage ${$app.stage}: signs the hourly digests of the audit trail`,
    keyUsage: "SIGN_VERIFY",
    customerMasterKeySpec: "ECC_NIST_P256",
    // AWS rotates no asymmetric keys. A new one is made by hand; verifiers then trust both.
    enableKeyRotation: false,
    deletionWindowInDays: 30,
    policy: aws.iam.getPolicyDocumentOutput({
      statements: [
        {
          // Rights are given by IAM; in a key's policy the resource `*` means this key.
          sid: "AccountDecidesByIam",
          principals: [{ type: "AWS", identifiers: [$interpolate`arn:aws:iam::${accountId}:root`] }],
          actions: ["kms:*"],
          resources: ["*"],
        },
      ],
    }).json,
  },
  holdsData,
);

new aws.kms.Alias("DigestKeyAlias", { name: named(DIGEST_KEY_ALIAS), targetKeyId: signingKey.keyId });
