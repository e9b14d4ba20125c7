/** Clients for the platform that the settings name. */
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { GetQueueUrlCommand, SQSClient } from "@aws-sdk/client-sqs";
import * as AuditTable from "@central-llm/core/audit-table";
import { DEAD_LETTER_QUEUE, INGEST_QUEUE } from "@central-llm/core/platform";
import type { Settings } from "./settings.ts";

export interface Connection {
  settings: Settings;
  /** For messages. */
  target: string;
  s3: S3Client;
  sqs: SQSClient;
  dynamoDb: DynamoDBClient;
  table: AuditTable.AuditTable;
  queues(): Promise<{ ingestQueueUrl: string; deadLetterQueueUrl: string }>;
}

/** Where and as whom AWS's clients call; without credentials of its own it is AWS's usual places. */
export function clientConfig(settings: Settings) {
  const {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY,
  } = settings;
  const credentials = AWS_ACCESS_KEY_ID &&
    AWS_SECRET_ACCESS_KEY && {
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: AWS_SECRET_ACCESS_KEY,
      ...(settings.AWS_SESSION_TOKEN && { sessionToken: settings.AWS_SESSION_TOKEN }),
    };
  return {
    ...(endpoint && { endpoint }),
    ...(region && { region }),
    ...(credentials && { credentials }),
  };
}

export function connect(settings: Settings): Connection {
  const { AWS_ENDPOINT_URL: endpoint, AWS_REGION: region } = settings;
  const config = clientConfig(settings);
  // An endpoint of our own has an IP address, which can carry no bucket name.
  const s3 = new S3Client({ ...config, forcePathStyle: endpoint !== undefined });
  const sqs = new SQSClient(config);
  const dynamoDb = new DynamoDBClient(config);
  const urlOf = async (QueueName: string) =>
    (await sqs.send(new GetQueueUrlCommand({ QueueName }))).QueueUrl ?? "";
  return {
    settings,
    target: endpoint ?? `AWS ${region ?? ""}`.trim(),
    s3,
    sqs,
    dynamoDb,
    table: AuditTable.open(dynamoDb, settings.TABLE_NAME),
    async queues() {
      return {
        ingestQueueUrl: settings.INGEST_QUEUE_URL ?? (await urlOf(INGEST_QUEUE)),
        deadLetterQueueUrl: settings.AUDIT_DLQ_URL ?? (await urlOf(DEAD_LETTER_QUEUE)),
      };
    },
  };
}

export function close({ s3, sqs, dynamoDb }: Connection): void {
  s3.destroy();
  sqs.destroy();
  dynamoDb.destroy();
}
