/** Builds what ingest works with, once for each instance of the function. */
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { SQSClient } from "@aws-sdk/client-sqs";
import * as AuditTable from "@central-llm/core/audit-table";
import type { IngestContext } from "@central-llm/core/ingest";
import { ingestConfig } from "./ingest-config.ts";
import { tracer } from "./ingest-telemetry.ts";

/** @throws {Error} when the environment lacks something */
export function ingestContext(env: Record<string, string | undefined>): IngestContext {
  const config = ingestConfig(env);
  // An endpoint of our own has an IP address, which can carry no bucket name.
  const forcePathStyle = env.AWS_ENDPOINT_URL !== undefined;
  return {
    s3: tracer.captureAWSv3Client(new S3Client({ forcePathStyle })),
    sqs: tracer.captureAWSv3Client(new SQSClient({})),
    table: AuditTable.open(tracer.captureAWSv3Client(new DynamoDBClient({})), config.TABLE_NAME),
    deadLetterQueueUrl: config.AUDIT_DLQ_URL,
    row: {
      maxPreviewChars: config.MAX_PREVIEW_CHARS,
      maxRowBytes: config.MAX_ROW_BYTES,
      ...(config.ROW_RETENTION_DAYS && { retentionDays: config.ROW_RETENTION_DAYS }),
    },
    maxObjectBytes: config.MAX_OBJECT_BYTES,
    maxReceives: config.MAX_RECEIVE_COUNT,
  };
}
