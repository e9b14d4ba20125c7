/**
 * Creates what infra/ creates on AWS for the audit trail: bucket, notification, queues with redrive, table. Through
 * the AWS APIs, so that it works on any engine behind an endpoint URL.
 */
import {
  CreateTableCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  ResourceNotFoundException,
  type TableDescription,
  UpdateContinuousBackupsCommand,
  UpdateTimeToLiveCommand,
  waitUntilTableExists,
} from "@aws-sdk/client-dynamodb";
import {
  CreateBucketCommand,
  GetBucketNotificationConfigurationCommand,
  HeadBucketCommand,
  NotFound,
  PutBucketNotificationConfigurationCommand,
  type QueueConfiguration,
  S3Client,
} from "@aws-sdk/client-s3";
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  QueueDoesNotExist,
  SetQueueAttributesCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { AUDIT_TABLE, TTL_ATTRIBUTE } from "@central-llm/core/audit-table-definition";
import * as Platform from "@central-llm/core/platform";

/** Any: the local endpoint does not look at them. */
export const CREDENTIALS = { accessKeyId: "local", secretAccessKey: "local" };

export interface AuditPlatform {
  bucket: string;
  exportBucket: string;
  exportQueueUrl: string;
  prefix: string;
  tableName: string;
  ingestQueueUrl: string;
  deadLetterQueueUrl: string;
}

/** Settings of an AWS SDK client for the endpoint. */
export function clientSettings(endpoint: { url: string; region: string }) {
  return {
    endpoint: endpoint.url,
    region: endpoint.region,
    credentials: CREDENTIALS,
    // The endpoint's host is an IP address, which can carry no bucket name.
    forcePathStyle: true,
  };
}

async function ensureBucket(s3: S3Client, region: string, Bucket: string): Promise<void> {
  try {
    await s3.send(new HeadBucketCommand({ Bucket }));
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
    await s3.send(
      new CreateBucketCommand({
        Bucket,
        CreateBucketConfiguration: { LocationConstraint: region as "eu-central-1" },
      }),
    );
  }
}

/** The queue's URL and ARN. Attributes of a queue that exists are brought up to date. */
async function ensureQueue(sqs: SQSClient, QueueName: string, Attributes: Record<string, string>) {
  let QueueUrl: string | undefined;
  try {
    ({ QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName })));
    await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes }));
  } catch (error) {
    if (!(error instanceof QueueDoesNotExist)) throw error;
    ({ QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName, Attributes })));
  }
  const read = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }));
  return { url: QueueUrl ?? "", arn: read.Attributes?.QueueArn ?? "" };
}

async function ensureNotification(s3: S3Client, Bucket: string, QueueArn: string): Promise<void> {
  const wanted: QueueConfiguration = {
    Id: Platform.INGEST_QUEUE,
    QueueArn,
    Events: ["s3:ObjectCreated:*"],
    Filter: {
      Key: {
        FilterRules: [
          { Name: "prefix", Value: `${Platform.AUDIT_PREFIX}/` },
          { Name: "suffix", Value: ".json" },
        ],
      },
    },
  };
  const present = await s3.send(new GetBucketNotificationConfigurationCommand({ Bucket }));
  // Each Put sends another s3:TestEvent.
  if (present.QueueConfigurations?.some((c) => c.Id === wanted.Id && c.QueueArn === QueueArn)) return;
  await s3.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket,
      NotificationConfiguration: { QueueConfigurations: [wanted] },
    }),
  );
}

function shape(table: TableDescription | typeof AUDIT_TABLE): string {
  const indexes = (table.GlobalSecondaryIndexes ?? []).map((index) =>
    JSON.stringify([
      index.IndexName,
      index.KeySchema,
      index.Projection?.ProjectionType,
      [...((index.Projection as { NonKeyAttributes?: string[] })?.NonKeyAttributes ?? [])].sort(),
    ]),
  );
  return JSON.stringify([table.KeySchema, indexes.sort()]);
}

/** @throws Error when the table is there with other keys or indexes: an older version's data */
async function ensureTable(dynamoDb: DynamoDBClient): Promise<void> {
  const { TableName } = AUDIT_TABLE;
  try {
    const { Table } = await dynamoDb.send(new DescribeTableCommand({ TableName }));
    if (Table && shape(Table) !== shape(AUDIT_TABLE)) {
      throw new Error(
        `The table ${TableName} has other keys or indexes than this version's: \`npm start -- --fresh\` starts anew.`,
      );
    }
  } catch (error) {
    if (!(error instanceof ResourceNotFoundException)) throw error;
    await dynamoDb.send(new CreateTableCommand(AUDIT_TABLE));
    await waitUntilTableExists({ client: dynamoDb, maxWaitTime: 30, minDelay: 1 }, { TableName });
    await dynamoDb.send(
      new UpdateContinuousBackupsCommand({
        TableName,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      }),
    );
  }
  const { TimeToLiveDescription } = await dynamoDb.send(new DescribeTimeToLiveCommand({ TableName }));
  // AWS refuses to enable what is enabled.
  if (TimeToLiveDescription?.TimeToLiveStatus === "DISABLED") {
    await dynamoDb.send(
      new UpdateTimeToLiveCommand({
        TableName,
        TimeToLiveSpecification: { Enabled: true, AttributeName: TTL_ATTRIBUTE },
      }),
    );
  }
}

/** Creates what is missing and leaves what is there, data included. */
export async function createAuditPlatform(endpoint: { url: string; region: string }): Promise<AuditPlatform> {
  const settings = clientSettings(endpoint);
  const s3 = new S3Client(settings);
  const sqs = new SQSClient(settings);
  const dynamoDb = new DynamoDBClient(settings);
  try {
    const retention = { MessageRetentionPeriod: String(Platform.INGEST.retentionSeconds) };
    const deadLetter = await ensureQueue(sqs, Platform.DEAD_LETTER_QUEUE, retention);
    const ingest = await ensureQueue(sqs, Platform.INGEST_QUEUE, {
      ...retention,
      VisibilityTimeout: String(Platform.INGEST.visibilityTimeoutSeconds),
      RedrivePolicy: JSON.stringify({
        deadLetterTargetArn: deadLetter.arn,
        maxReceiveCount: Platform.INGEST.maxReceiveCount,
      }),
    });
    const failedExports = await ensureQueue(sqs, Platform.EXPORT_DEAD_LETTER_QUEUE, retention);
    const exports = await ensureQueue(sqs, Platform.EXPORT_QUEUE, {
      VisibilityTimeout: String(Platform.EXPORT.visibilityTimeoutSeconds),
      RedrivePolicy: JSON.stringify({
        deadLetterTargetArn: failedExports.arn,
        maxReceiveCount: Platform.EXPORT.maxReceiveCount,
      }),
    });
    await Promise.all([
      ensureTable(dynamoDb),
      ensureBucket(s3, endpoint.region, Platform.EXPORT_BUCKET),
      ensureBucket(s3, endpoint.region, Platform.RAW_ARCHIVE_BUCKET),
      ensureBucket(s3, endpoint.region, Platform.COST_TRACKING_BUCKET),
      ensureBucket(s3, endpoint.region, Platform.AUDIT_BUCKET).then(() =>
        ensureNotification(s3, Platform.AUDIT_BUCKET, ingest.arn),
      ),
    ]);
    return {
      bucket: Platform.AUDIT_BUCKET,
      exportBucket: Platform.EXPORT_BUCKET,
      exportQueueUrl: exports.url,
      prefix: Platform.AUDIT_PREFIX,
      tableName: AUDIT_TABLE.TableName,
      ingestQueueUrl: ingest.url,
      deadLetterQueueUrl: deadLetter.url,
    };
  } finally {
    s3.destroy();
    sqs.destroy();
    dynamoDb.destroy();
  }
}
