/** The hourly work on the audit trail: reconcile (S3 against the table and the writers' sequences) and digest. */
import { AUDIT_PREFIX } from "@central-llm/core/platform";
import { STATEMENT_PREFIX } from "@central-llm/core/writer-statement";
import { alarm } from "./alarm.ts";
import { deadLetterQueue, queue } from "./audit-ingest.ts";
import { bucket } from "./audit-storage.ts";
import { table } from "./audit-table.ts";
import { key } from "./encryption.ts";
import { lambdaFunction } from "./lambda-function.ts";
import { LAMBDA_FUNCTIONS } from "./lambda-functions.ts";
import { named } from "./stage.ts";

const objects = [AUDIT_PREFIX, STATEMENT_PREFIX].map((prefix) => $interpolate`${bucket.arn}/${prefix}/*`);
const environment = {
  TABLE_NAME: table.name,
  AUDIT_BUCKET: bucket.name,
  AUDIT_PREFIX,
  INGEST_QUEUE_URL: queue.url,
  AUDIT_DLQ_URL: deadLetterQueue.url,
};
const readTrail = [
  { actions: ["s3:GetObject"], resources: objects },
  {
    actions: ["s3:ListBucket"],
    resources: [bucket.arn],
    conditions: [
      { test: "StringLike", variable: "s3:prefix", values: [`${AUDIT_PREFIX}/*`, `${STATEMENT_PREFIX}/*`] },
    ],
  },
  {
    actions: ["dynamodb:Query", "dynamodb:GetItem"],
    resources: [table.arn, $interpolate`${table.arn}/index/*`],
  },
  { actions: ["kms:Decrypt", "kms:GenerateDataKey"], resources: [key.arn] },
];

const { reconcile, digest } = LAMBDA_FUNCTIONS;
if (reconcile.written) {
  new sst.aws.CronV2("Reconcile", {
    // Past the hour's end, so that late uploads of that hour have arrived.
    schedule: "cron(20 * * * ? *)",
    timezone: "UTC",
    function: lambdaFunction(reconcile, environment, [
      ...readTrail,
      { actions: ["sqs:SendMessage"], resources: [queue.arn] },
    ]),
  });
}

if (digest.written) {
  const signingKey = new aws.kms.Key("DigestKey", {
    description: `Central LLM, stage ${$app.stage}: signs the hourly digests`,
    keyUsage: "SIGN_VERIFY",
    customerMasterKeySpec: "ECC_NIST_P256",
    deletionWindowInDays: 30,
  });
  new sst.aws.CronV2("Digest", {
    schedule: "cron(30 * * * ? *)",
    timezone: "UTC",
    function: lambdaFunction(digest, { ...environment, SIGNING_KEY_ID: signingKey.arn }, [
      ...readTrail,
      { actions: ["s3:PutObject"], resources: [$interpolate`${bucket.arn}/digests/*`] },
      { actions: ["kms:Sign", "kms:GetPublicKey"], resources: [signingKey.arn] },
    ]),
  });
}

for (const [label, { name }] of [
  ["Reconcile", reconcile],
  ["Digest", digest],
] as const) {
  alarm(`${label}Errors`, {
    name: `${name}-errors`,
    description: `The hourly ${label.toLowerCase()} failed: the next run repeats it, two failures need a look.`,
    metric: {
      namespace: "AWS/Lambda",
      metricName: "Errors",
      dimensions: { FunctionName: named(name) },
      statistic: "Sum",
      period: 3600,
    },
    threshold: { above: 0 },
    periods: 1,
  });
}
alarm("AuditObjectsMissing", {
  name: "llm-audit-objects-missing",
  description: "A writer's sequence has a gap, or an object has no row: `central-llm reconcile` says which.",
  metric: {
    // Written by the reconcile function.
    namespace: "CentralLLM",
    metricName: "MissingAuditObjects",
    dimensions: { service: reconcile.name },
    statistic: "Maximum",
    period: 3600,
  },
  threshold: { above: 0 },
  periods: 1,
});
