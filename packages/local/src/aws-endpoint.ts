/**
 * S3, SQS and DynamoDB on one URL in this process, for development and tests: `AWS_ENDPOINT_URL` makes any AWS client
 * use it. Listens on 127.0.0.1 alone; takes any credentials.
 */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { type FaultRule, injected } from "./aws-fault.ts";
import { operationOf } from "./aws-operation.ts";
import { AwsOperations } from "./aws-operations.ts";
import { type DynamoDb, openDynamoDb } from "./dynamodb.ts";
import { openObjectStorage } from "./object-storage.ts";

export const REGION = "eu-central-1";
/** DynamoDB's own limit on a request. */
const MAX_DYNAMODB_BYTES = 16 * 1024 * 1024;

export interface AwsEndpoint {
  /** `http://127.0.0.1:<port>` */
  url: string;
  region: string;
  port: number;
  operations: AwsOperations;
  /** Asked for every request from now on; undefined takes the rule away. */
  setFault(rule: FaultRule | undefined): void;
  /** Closes every connection and the stores. */
  stop(): Promise<void>;
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAX_DYNAMODB_BYTES) throw new RangeError("request too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function answerDynamoDb(
  dynamoDb: DynamoDb,
  operations: AwsOperations,
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let body: string;
  try {
    body = await text(request);
  } catch (error) {
    if (error instanceof RangeError) response.writeHead(413).end();
    else response.destroy();
    return;
  }
  if (operations.hearsDynamoDb) operations.recordDynamoDbRequest(name, JSON.parse(body));
  const answer = await dynamoDb.handle(name, body);
  const json = JSON.stringify(answer.body);
  response.writeHead(answer.status, {
    "content-type": "application/x-amz-json-1.0",
    "content-length": Buffer.byteLength(json),
    "x-amz-crc32": crc32(json),
    "x-amzn-requestid": randomUUID(),
  });
  response.end(json);
}

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
  const storage = await openObjectStorage({ folder: folder("s3-sqs"), region: REGION });
  const dynamoDb = openDynamoDb({
    path: folder("dynamodb"),
    region: REGION,
    onWrite: (write) => operations.recordWrite(write),
  });
  let fault: FaultRule | undefined;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === "/health") {
      response.end("ok");
      return;
    }
    const operation = operationOf(request);
    const name = `${operation.service}.${operation.name}`;
    operations.record(name);
    const { method = "GET", url = "/", headers } = request;
    const wanted = fault?.({ ...operation, operation: name, method, url, headers });
    if (!(await injected(wanted, operation, request, response))) return;
    if (operation.service === "dynamodb") {
      await answerDynamoDb(dynamoDb, operations, operation.name, request, response);
    } else storage.handle(request, response);
  }

  const server = createServer((request, response) => {
    request.on("error", () => response.destroy());
    answer(request, response).catch((error) => {
      console.error("aws endpoint:", error);
      response.destroy();
    });
  });
  // Long polls and idle SDK connections outlive Node's default of 5 s; an early close races with the next request.
  server.keepAliveTimeout = 75_000;
  const stopStores = async () => {
    await storage.stop();
    await dynamoDb.stop();
  };
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(options.port ?? 0, "127.0.0.1", resolve);
    });
  } catch (error) {
    await stopStores();
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  storage.listeningAt(url);
  return {
    url,
    region: REGION,
    port,
    operations,
    setFault(rule) {
      fault = rule;
    },
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await stopStores();
    },
  };
}
