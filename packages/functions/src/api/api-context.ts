/** What the API works with: built once for each instance of the function. */
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { SQSClient } from "@aws-sdk/client-sqs";
import { type AccessWriter, accessWriter } from "@central-llm/core/access-writer";
import * as AuditTable from "@central-llm/core/audit-table";
import { type ApiConfig, apiConfig } from "./api-config.ts";
import { type MasterKey, masterKey } from "./master-key.ts";
import { RecentAccesses } from "./recent-accesses.ts";

export interface ApiContext {
  config: ApiConfig;
  s3: S3Client;
  sqs: SQSClient;
  table: AuditTable.AuditTable;
  accesses: AccessWriter;
  recent: RecentAccesses;
  masterKey: MasterKey;
}

/** @throws {Error} when the environment lacks something */
export function apiContext(env: Record<string, string | undefined>): ApiContext {
  const config = apiConfig(env);
  // An endpoint of our own has an IP address, which can carry no bucket name.
  const s3 = new S3Client({ forcePathStyle: env.AWS_ENDPOINT_URL !== undefined });
  return {
    config,
    s3,
    sqs: new SQSClient({}),
    table: AuditTable.open(new DynamoDBClient({}), config.TABLE_NAME),
    accesses: accessWriter(s3, config.AUDIT_BUCKET, config.AUDIT_PREFIX, "console"),
    recent: new RecentAccesses(),
    masterKey: masterKey(config),
  };
}
