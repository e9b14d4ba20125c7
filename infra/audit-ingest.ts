/** Queue, dead-letter queue, subscriber and alarms: from a new object in S3 to a row in the table. */
import {
  AUDIT_PREFIX,
  DEAD_LETTER_QUEUE,
  INGEST,
  INGEST_QUEUE,
  MAX_PREVIEW_CHARS,
} from "@central-llm/core/platform";
import { alarm } from "./alarm.ts";
import { bucket } from "./audit-storage.ts";
import { table } from "./audit-table.ts";
import { key } from "./encryption.ts";
import { lambdaFunction } from "./lambda-function.ts";
import { LAMBDA_FUNCTIONS } from "./lambda-functions.ts";
import { named } from "./stage.ts";

/** @see INGEST for the numbers and their reasons */
function queueOf(logicalName: string, name: string, deadLetters?: sst.aws.Queue): sst.aws.Queue {
  return new sst.aws.Queue(logicalName, {
    visibilityTimeout: `${INGEST.visibilityTimeoutSeconds} seconds`,
    ...(deadLetters && { dlq: { queue: deadLetters.arn, retry: INGEST.maxReceiveCount } }),
    transform: {
      queue: (queue) => {
        queue.name = named(name);
        queue.messageRetentionSeconds = INGEST.retentionSeconds;
        queue.kmsMasterKeyId = key.arn;
        queue.kmsDataKeyReusePeriodSeconds = 3600;
      },
    },
  });
}

export const deadLetterQueue = queueOf("IngestDeadLetters", DEAD_LETTER_QUEUE);
export const queue = queueOf("IngestQueue", INGEST_QUEUE, deadLetterQueue);

bucket.notify({
  notifications: [
    {
      name: "NewAuditObject",
      queue,
      // `*`, not only Put: an object that came by multipart upload raises another event.
      events: ["s3:ObjectCreated:*"],
      filterPrefix: `${AUDIT_PREFIX}/`,
      filterSuffix: ".json",
    },
  ],
});

const { ingest } = LAMBDA_FUNCTIONS;
if (ingest.written) {
  queue.subscribe(
    lambdaFunction(
      ingest,
      {
        TABLE_NAME: table.name,
        MAX_PREVIEW_CHARS: String(MAX_PREVIEW_CHARS),
        AUDIT_DLQ_URL: deadLetterQueue.url,
      },
      [
        { actions: ["s3:GetObject"], resources: [$interpolate`${bucket.arn}/${AUDIT_PREFIX}/*`] },
        // Without it S3 says "forbidden" of an object that is not there, and the dead letter would give a wrong reason.
        { actions: ["s3:ListBucket"], resources: [bucket.arn] },
        { actions: ["dynamodb:BatchWriteItem"], resources: [table.arn] },
        { actions: ["sqs:SendMessage"], resources: [deadLetterQueue.arn] },
        { actions: ["kms:Decrypt", "kms:GenerateDataKey"], resources: [key.arn] },
      ],
    ),
    {
      batch: { size: INGEST.batchSize, window: `${INGEST.batchingWindow} second`, partialResponses: true },
      transform: {
        eventSourceMapping: (mapping) => {
          mapping.scalingConfig = { maximumConcurrency: INGEST.maxConcurrency };
        },
      },
    },
  );
}

const { replay } = LAMBDA_FUNCTIONS;
if (replay.written) {
  new sst.aws.Function(
    "Replay",
    lambdaFunction(replay, { INGEST_QUEUE_URL: queue.url, AUDIT_DLQ_URL: deadLetterQueue.url }, [
      {
        // What was looked at and is not replayed is made visible again.
        actions: ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"],
        resources: [deadLetterQueue.arn],
      },
      { actions: ["sqs:SendMessage"], resources: [queue.arn] },
      { actions: ["kms:Decrypt", "kms:GenerateDataKey"], resources: [key.arn] },
    ]),
  );
}

const sqs = (of: sst.aws.Queue, metricName: string) => ({
  namespace: "AWS/SQS",
  metricName,
  dimensions: { QueueName: of.nodes.queue.name },
  statistic: "Maximum",
  period: 300,
});

alarm("DeadLettersWaiting", {
  name: "llm-audit-dlq-not-empty",
  description: "Audit events could not be made into rows: `central-llm replay` after the cause is fixed.",
  metric: sqs(deadLetterQueue, "ApproximateNumberOfMessagesVisible"),
  threshold: { above: 0 },
  periods: 1,
});
alarm("IngestBehind", {
  name: "llm-audit-ingest-behind",
  description: "The oldest audit event has waited for over 15 minutes: rows appear late, nothing is lost.",
  metric: sqs(queue, "ApproximateAgeOfOldestMessage"),
  threshold: { above: 900 },
  periods: 1,
});
for (const [label, { name }, description] of [
  ["IngestErrors", ingest, "The ingest function failed as a whole."],
  ["ReplayErrors", replay, "A replay of dead letters failed: what it did not send is still in their queue."],
] as const) {
  alarm(label, {
    name: `${name}-errors`,
    description,
    metric: {
      namespace: "AWS/Lambda",
      metricName: "Errors",
      dimensions: { FunctionName: named(name) },
      statistic: "Sum",
      period: 300,
    },
    threshold: { above: 0 },
    periods: 1,
  });
}
