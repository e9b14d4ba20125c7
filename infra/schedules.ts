/** The hourly work on the audit trail: reconcile (S3 against the table and the writers' sequences) and digest. */
import { DIGEST_PREFIX } from "@central-llm/core/digest";
import { AUDIT_PREFIX } from "@central-llm/core/platform";
import { LEDGER_PREFIX } from "@central-llm/core/reconcile-ledger";
import { STATEMENT_PREFIX } from "@central-llm/core/writer-statement";
import { alarm } from "./alarm.ts";
import { queue } from "./audit-ingest.ts";
import { bucket } from "./audit-storage.ts";
import { table } from "./audit-table.ts";
import { signingKey } from "./digest-key.ts";
import { key } from "./encryption.ts";
import { lambdaFunction } from "./lambda-function.ts";
import { LAMBDA_FUNCTIONS } from "./lambda-functions.ts";
import { named, settings } from "./stage.ts";

const under = (...prefixes: string[]) => prefixes.map((prefix) => $interpolate`${bucket.arn}/${prefix}/*`);
const environment = {
  TABLE_NAME: table.name,
  AUDIT_BUCKET: bucket.name,
  AUDIT_PREFIX,
  INGEST_QUEUE_URL: queue.url,
};
const readTrail = [
  { actions: ["s3:GetObject"], resources: under(AUDIT_PREFIX, STATEMENT_PREFIX) },
  // Lists days, and lets S3 say "not there" instead of "forbidden".
  { actions: ["s3:ListBucket"], resources: [bucket.arn] },
  {
    actions: ["dynamodb:Query", "dynamodb:BatchGetItem"],
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
      { actions: ["s3:GetObject", "s3:PutObject"], resources: under(LEDGER_PREFIX) },
      { actions: ["sqs:SendMessage"], resources: [queue.arn] },
    ]),
  });
}

if (digest.written) {
  new sst.aws.CronV2("Digest", {
    // Past the time in which S3 may still show what it stored in the hour (core's SETTLED_MS).
    schedule: "cron(30 * * * ? *)",
    timezone: "UTC",
    function: lambdaFunction(
      digest,
      {
        AUDIT_BUCKET: bucket.name,
        AUDIT_PREFIX,
        SIGNING_KEY_ID: signingKey.arn,
        DIGEST_LOOK_BACK_DAYS: String(settings.audit.digestLookBackDays),
      },
      [
        { actions: ["s3:GetObject"], resources: under(AUDIT_PREFIX) },
        { actions: ["s3:GetObject", "s3:PutObject"], resources: under(DIGEST_PREFIX) },
        { actions: ["s3:ListBucket"], resources: [bucket.arn] },
        { actions: ["kms:Decrypt", "kms:GenerateDataKey"], resources: [key.arn] },
        { actions: ["kms:Sign", "kms:GetPublicKey"], resources: [signingKey.arn] },
      ],
    ),
  });
  alarm("DigestsLate", {
    name: "llm-audit-digests-late",
    description: "Hours of the trail are not signed though they are over: docs/operate.md, Digests.",
    metric: {
      namespace: "CentralLLM",
      metricName: "DigestHoursBehind",
      dimensions: { service: digest.name },
      statistic: "Maximum",
      period: 3600,
    },
    threshold: { above: 0 },
    periods: 2,
    // A function that is not even called says nothing.
    missingData: "breaching",
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
// What reconcile found, as its metrics say it.
for (const [label, metricName, description] of [
  [
    "AuditObjectsMissing",
    "AuditMissing",
    "A writer's sequence has a gap: `central-llm reconcile` says which.",
  ],
  [
    "AuditWritersSilent",
    "AuditSilentWriters",
    "A writer fell silent without an end: its task was killed, or is cut off.",
  ],
] as const) {
  alarm(label, {
    name: `llm-${label.replace(/(?!^)[A-Z]/g, (letter) => `-${letter}`).toLowerCase()}`,
    description,
    metric: {
      namespace: "CentralLLM",
      metricName,
      dimensions: { service: reconcile.name },
      statistic: "Maximum",
      period: 3600,
    },
    threshold: { above: 0 },
    periods: 1,
  });
}
