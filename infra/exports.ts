/** Exports: the queue of jobs with its dead-letter queue and alarm, the function that makes the files, and their bucket. */

import { KEPT_DAYS } from "@central-llm/core/export-job";
import {
  AUDIT_PREFIX,
  EXPORT,
  EXPORT_BUCKET,
  EXPORT_DEAD_LETTER_QUEUE,
  EXPORT_QUEUE,
} from "@central-llm/core/platform";
import { alarm } from "./alarm.ts";
import { bucket as auditBucket } from "./audit-storage.ts";
import { table } from "./audit-table.ts";
import { encryptedBucket } from "./encrypted-bucket.ts";
import { key } from "./encryption.ts";
import { lambdaFunction } from "./lambda-function.ts";
import { LAMBDA_FUNCTIONS } from "./lambda-functions.ts";
import { named } from "./stage.ts";

/** A bucket of its own: the trail's keeps everything, files are to be gone after a week. */
export const bucket = encryptedBucket("ExportBucket", {
  name: `${named(EXPORT_BUCKET)}-{account-id}`,
  lifecycle: { glacierAfterDays: null, expireAfterDays: KEPT_DAYS },
});

const encrypted = (name: string) => (queue: { name?: unknown; kmsMasterKeyId?: unknown }) => {
  queue.name = named(name);
  queue.kmsMasterKeyId = key.arn;
  return undefined;
};
const failures = new sst.aws.Queue("ExportDeadLetters", {
  transform: { queue: encrypted(EXPORT_DEAD_LETTER_QUEUE) },
});
export const queue = new sst.aws.Queue("ExportQueue", {
  visibilityTimeout: `${EXPORT.visibilityTimeoutSeconds} seconds`,
  dlq: { queue: failures.arn, retry: EXPORT.maxReceiveCount },
  transform: { queue: encrypted(EXPORT_QUEUE) },
});

/** Items of the audit table that are export jobs, and no others. */
export const exportItems = [
  { test: "ForAllValues:StringLike", variable: "dynamodb:LeadingKeys", values: ["export#*"] },
];

queue.subscribe(
  lambdaFunction(
    LAMBDA_FUNCTIONS.export,
    { TABLE_NAME: table.name, EXPORT_BUCKET: bucket.name, EXPORT_QUEUE_URL: queue.url },
    [
      {
        actions: ["dynamodb:Query", "dynamodb:BatchGetItem"],
        resources: [table.arn, $interpolate`${table.arn}/index/*`],
      },
      { actions: ["dynamodb:GetItem", "dynamodb:PutItem"], resources: [table.arn], conditions: exportItems },
      { actions: ["s3:GetObject"], resources: [$interpolate`${auditBucket.arn}/${AUDIT_PREFIX}/*`] },
      { actions: ["s3:PutObject"], resources: [$interpolate`${bucket.arn}/exports/*`] },
      { actions: ["sqs:SendMessage"], resources: [queue.arn] },
      { actions: ["kms:Decrypt", "kms:GenerateDataKey"], resources: [key.arn] },
    ],
  ),
  {
    batch: { size: 1, partialResponses: true },
    transform: {
      eventSourceMapping: (mapping) => {
        mapping.scalingConfig = { maximumConcurrency: EXPORT.maxConcurrency };
      },
    },
  },
);

const sqs = (of: sst.aws.Queue, metricName: string) => ({
  namespace: "AWS/SQS",
  metricName,
  dimensions: { QueueName: of.nodes.queue.name },
  statistic: "Maximum",
  period: 300,
});

alarm("ExportsFailed", {
  name: "llm-audit-exports-dlq-not-empty",
  description: "An export job was given up: its function died again and again. Its owner can start it again.",
  metric: sqs(failures, "ApproximateNumberOfMessagesVisible"),
  threshold: { above: 0 },
  periods: 1,
});
alarm("ExportsWait", {
  name: "llm-audit-exports-behind",
  description: "An export has waited for over half an hour: large ones hold up others.",
  metric: sqs(queue, "ApproximateAgeOfOldestMessage"),
  threshold: { above: 1_800 },
  periods: 1,
});
alarm("ExportErrors", {
  name: `${LAMBDA_FUNCTIONS.export.name}-errors`,
  description: "The export function failed as a whole; a job's own failure is shown to its owner.",
  metric: {
    namespace: "AWS/Lambda",
    metricName: "Errors",
    dimensions: { FunctionName: named(LAMBDA_FUNCTIONS.export.name) },
    statistic: "Sum",
    period: 300,
  },
  threshold: { above: 0 },
  periods: 1,
});
