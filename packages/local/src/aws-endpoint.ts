/**
 * S3, SQS, DynamoDB and a key to sign with on one URL in this process, for development and tests: `AWS_ENDPOINT_URL` makes any AWS client
 * use it. Listens on 127.0.0.1 alone; takes any credentials.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { type AwsEndpoint, bodyOf, dynamoDbBody, serve } from "./aws-front.ts";
import { AwsOperations } from "./aws-operations.ts";
import { openDynamoDb } from "./dynamodb.ts";
import { openKeyManagement } from "./key-management.ts";
import { openObjectStorage } from "./object-storage.ts";

export type { AwsEndpoint };

export const REGION = "eu-central-1";

/**
 * @param options.port 0 or omitted: any free one
 * @param options.dataDir where objects, queues and tables are kept; omitted: in memory, gone with `stop`
 * @throws the listener's error, e.g. EADDRINUSE
 */
export async function startAwsEndpoint(
  options: { port?: number; dataDir?: string } = {},
): Promise<AwsEndpoint> {
  const operations = new AwsOperations();
  const folder = (name: string) => (options.dataDir ? join(options.dataDir, name) : undefined);
  const keys = openKeyManagement({ folder: folder("kms"), region: REGION });
  const storage = await openObjectStorage({ folder: folder("s3-sqs"), region: REGION });
  const dynamoDb = openDynamoDb({
    path: folder("dynamodb"),
    region: REGION,
    onWrite: (write) => operations.recordWrite(write),
  });
  return serve(
    {
      region: REGION,
      operations,
      async dynamoDb(operation, request, response) {
        const body = await dynamoDbBody(operations, operation, request, response);
        if (body === null) return;
        const answer = await dynamoDb.handle(operation, body);
        const json = JSON.stringify(answer.body);
        response.writeHead(answer.status, {
          "content-type": "application/x-amz-json-1.0",
          "content-length": Buffer.byteLength(json),
          "x-amz-crc32": crc32(json),
          "x-amzn-requestid": randomUUID(),
        });
        response.end(json);
      },
      async kms(operation, request, response) {
        const { status, body } = keys.handle(operation, await bodyOf(request));
        response.writeHead(status, { "content-type": "application/x-amz-json-1.1" });
        response.end(JSON.stringify(body));
      },
      storage: storage.handle,
      listeningAt: storage.listeningAt,
      async stop() {
        await storage.stop();
        await dynamoDb.stop();
      },
    },
    options.port ?? 0,
  );
}
