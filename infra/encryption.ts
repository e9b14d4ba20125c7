/** One key for everything at rest (seed 004 §6.6): audit objects, rows, messages, logs, the database and its backups. */
import { accountId, holdsData, named, region } from "./stage.ts";

/** Services that encrypt on their own behalf, in this account only. Everything else goes through a role's rights. */
const SERVICES = [
  // S3 puts messages on the encrypted ingest queue; alarms and rules publish to the encrypted topic.
  "s3.amazonaws.com",
  "cloudwatch.amazonaws.com",
  "events.amazonaws.com",
  "cloudtrail.amazonaws.com",
  "delivery.logs.amazonaws.com",
];

export const key = new aws.kms.Key(
  "DataKey",
  {
    description: `Central LLM, stage ${$app.stage}: data at rest`,
    enableKeyRotation: true,
    rotationPeriodInDays: 365,
    deletionWindowInDays: 30,
    // In a key's policy the resource `*` means this key.
    policy: aws.iam.getPolicyDocumentOutput({
      statements: [
        {
          // Without it a mistake in the rest would lock everybody out of the key for good; rights are then given by IAM.
          sid: "AccountDecidesByIam",
          principals: [{ type: "AWS", identifiers: [$interpolate`arn:aws:iam::${accountId}:root`] }],
          actions: ["kms:*"],
          resources: ["*"],
        },
        {
          sid: "ServicesOfThisAccount",
          principals: [{ type: "Service", identifiers: SERVICES }],
          actions: ["kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"],
          resources: ["*"],
          conditions: [{ test: "StringEquals", variable: "aws:SourceAccount", values: [accountId] }],
        },
        {
          sid: "LogGroupsOfThisAccount",
          principals: [{ type: "Service", identifiers: [`logs.${region}.amazonaws.com`] }],
          actions: [
            "kms:Encrypt",
            "kms:Decrypt",
            "kms:ReEncryptFrom",
            "kms:ReEncryptTo",
            "kms:GenerateDataKey",
            "kms:DescribeKey",
          ],
          resources: ["*"],
          conditions: [
            {
              test: "ArnLike",
              variable: "kms:EncryptionContext:aws:logs:arn",
              values: [$interpolate`arn:aws:logs:${region}:${accountId}:log-group:*`],
            },
          ],
        },
      ],
    }).json,
  },
  holdsData,
);

new aws.kms.Alias("DataKeyAlias", { name: `alias/${named("llmlite-key")}`, targetKeyId: key.keyId });
