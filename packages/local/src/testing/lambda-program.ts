/** The Lambda host as tests start it: on the engines of one test, impatient. */
import { join } from "node:path";
import { type AuditPlatform, CREDENTIALS } from "../audit-platform.ts";
import type { AwsEndpoint } from "../aws-endpoint.ts";
import type { Program } from "../supervised-process.ts";

export function lambdaProgram(endpoint: AwsEndpoint, platform: AuditPlatform): Program {
  return {
    name: "lambda",
    file: join(import.meta.dirname, "../lambda-main.ts"),
    environment: {
      AWS_ENDPOINT_URL: endpoint.url,
      AWS_REGION: endpoint.region,
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      TABLE_NAME: platform.tableName,
      INGEST_QUEUE_URL: platform.ingestQueueUrl,
      AUDIT_DLQ_URL: platform.deadLetterQueueUrl,
      AUDIT_BUCKET: platform.bucket,
      AUDIT_PREFIX: platform.prefix,
      EXPORT_QUEUE_URL: platform.exportQueueUrl,
      EXPORT_BUCKET: platform.exportBucket,
      RETRY_AFTER: "0",
    },
    healthUrl: null,
  };
}
