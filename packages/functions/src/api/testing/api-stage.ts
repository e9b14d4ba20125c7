/** The API's real handler over the embedded engines, called as API Gateway calls it. */
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { objectKey } from "@central-llm/core/audit-key";
import type { AuditRecord } from "@central-llm/core/audit-record";
import * as AuditTable from "@central-llm/core/audit-table";
import * as Ingest from "@central-llm/core/ingest";
import {
  type AuditPlatform,
  CREDENTIALS,
  clientSettings,
  createAuditPlatform,
} from "@central-llm/local/audit-platform";
import { type AwsEndpoint, startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { vi } from "vitest";

export interface Answer {
  status: number;
  headers: Record<string, string>;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects
  body: any;
}

export interface ApiStage {
  endpoint: AwsEndpoint;
  platform: AuditPlatform;
  s3: S3Client;
  sqs: SQSClient;
  table: AuditTable.AuditTable;
  /** @param groups of the person, null: not signed in @param request `GET /api/audit?limit=3` */
  call(groups: readonly string[] | null, request: string, body?: unknown, name?: string): Promise<Answer>;
  /** Stores the records as a proxy does and has them ingested. */
  store(...records: AuditRecord[]): Promise<void>;
  /** Makes rows of everything that waits in the queue, such as the console's own records. */
  ingest(): Promise<number>;
  /** What the function printed. */
  output: string[];
  stop(): Promise<void>;
}

export async function startApi(environment: Record<string, string> = {}): Promise<ApiStage> {
  const endpoint = await startAwsEndpoint();
  const platform = await createAuditPlatform(endpoint);
  const s3 = new S3Client(clientSettings(endpoint));
  const sqs = new SQSClient(clientSettings(endpoint));
  const dynamoDb = new DynamoDBClient(clientSettings(endpoint));
  const table = AuditTable.open(dynamoDb, platform.tableName);
  const variables: Record<string, string> = {
    AWS_ENDPOINT_URL: endpoint.url,
    AWS_REGION: endpoint.region,
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    TABLE_NAME: platform.tableName,
    AUDIT_BUCKET: platform.bucket,
    AUDIT_PREFIX: platform.prefix,
    INGEST_QUEUE_URL: platform.ingestQueueUrl,
    AUDIT_DLQ_URL: platform.deadLetterQueueUrl,
    EXPORT_BUCKET: platform.exportBucket,
    EXPORT_QUEUE_URL: platform.exportQueueUrl,
    OIDC_ISSUER: "https://issuer.example.com",
    OIDC_CLIENT_ID: "console",
    POWERTOOLS_DEV: "true",
    ...environment,
  };
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  const output: string[] = [];
  for (const method of ["log", "info", "warn", "error", "debug"] as const) {
    vi.spyOn(console, method).mockImplementation((...parts) => void output.push(parts.join(" ")));
  }
  vi.resetModules();
  const { handler } = (await import("../router.ts")) as unknown as {
    handler(
      event: unknown,
      context: unknown,
    ): Promise<{ statusCode: number; headers: Record<string, string>; body: string }>;
  };

  async function ingest(): Promise<number> {
    let rows = 0;
    for (;;) {
      const { Messages = [] } = await sqs.send(
        new ReceiveMessageCommand({ QueueUrl: platform.ingestQueueUrl, MaxNumberOfMessages: 10 }),
      );
      if (Messages.length === 0) return rows;
      const events = Messages.map(({ MessageId = "", Body = "" }) => ({
        messageId: MessageId,
        body: Body,
        receives: 1,
        firstReceivedAt: new Date().toISOString(),
      }));
      const report = await Ingest.ingest(events, {
        s3,
        sqs,
        table,
        deadLetterQueueUrl: platform.deadLetterQueueUrl,
        row: { maxPreviewChars: 2048 },
        maxObjectBytes: 16 * 1024 * 1024,
        maxReceives: 5,
      });
      rows += report.rows;
      for (const { ReceiptHandle } of Messages) {
        await sqs.send(new DeleteMessageCommand({ QueueUrl: platform.ingestQueueUrl, ReceiptHandle }));
      }
    }
  }

  return {
    endpoint,
    platform,
    s3,
    sqs,
    table,
    output,
    async call(groups, request, body, name = "jo") {
      const [method = "", url = ""] = request.split(" ", 2);
      const { pathname, search, searchParams } = new URL(url, "https://console.example.com");
      const event = {
        version: "2.0",
        routeKey: "ANY /api/{proxy+}",
        rawPath: pathname,
        rawQueryString: search.slice(1),
        headers: { "content-type": "application/json" },
        ...(search && { queryStringParameters: Object.fromEntries(searchParams) }),
        pathParameters: { proxy: pathname.slice("/api/".length) },
        requestContext: {
          http: {
            method,
            path: pathname,
            sourceIp: "198.51.100.7",
            userAgent: "vitest",
            protocol: "HTTP/1.1",
          },
          ...(groups && {
            authorizer: {
              jwt: {
                claims: {
                  sub: `id-of-${name}`,
                  username: name,
                  "cognito:groups": `[${groups.join(" ")}]`,
                  token_use: "access",
                },
                scopes: null,
              },
            },
          }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        isBase64Encoded: false,
      };
      const answer = await handler(event, { getRemainingTimeInMillis: () => 20_000, functionName: "api" });
      return { status: answer.statusCode, headers: answer.headers, body: JSON.parse(answer.body) };
    },
    async store(...records) {
      for (const record of records) {
        await s3.send(
          new PutObjectCommand({
            Bucket: platform.bucket,
            Key: objectKey(platform.prefix, record.receivedAt, record.requestId),
            Body: JSON.stringify(record),
          }),
        );
      }
      await ingest();
    },
    ingest,
    async stop() {
      vi.unstubAllEnvs();
      vi.restoreAllMocks();
      for (const client of [s3, sqs, dynamoDb]) client.destroy();
      await endpoint.stop();
    },
  };
}
