/**
 * The one URL in front of engines for S3, SQS and DynamoDB: counts operations and injects faults. Listens on 127.0.0.1
 * alone. Which engines stand behind it is the caller's: our embedded ones, or those of `npm run test:conformance`.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type FaultRule, injected } from "./aws-fault.ts";
import { operationOf } from "./aws-operation.ts";
import type { AwsOperations } from "./aws-operations.ts";

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

export interface AwsEngines {
  region: string;
  operations: AwsOperations;
  /** @param operation e.g. `Query` */
  dynamoDb(operation: string, request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** @param operation e.g. `Sign` */
  kms?(operation: string, request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** S3 and SQS. */
  storage(request: IncomingMessage, response: ServerResponse): void;
  /** Called once the URL is known. */
  listeningAt(url: string): void;
  stop(): Promise<void>;
}

/** DynamoDB's own limit on a request. */
const MAX_DYNAMODB_BYTES = 16 * 1024 * 1024;

/** @throws {RangeError} when it is larger than DynamoDB takes @throws when the client goes away */
export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAX_DYNAMODB_BYTES) throw new RangeError("request too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** The body of a DynamoDB request, shown to who listens; null when the request has been refused or is gone. */
export async function dynamoDbBody(
  operations: AwsOperations,
  operation: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<string | null> {
  try {
    const body = await bodyOf(request);
    if (operations.hearsDynamoDb) operations.recordDynamoDbRequest(operation, JSON.parse(body));
    return body;
  } catch (error) {
    if (error instanceof RangeError) response.writeHead(413).end();
    else response.destroy();
    return null;
  }
}

/** @param port 0: any free one @throws the listener's error, e.g. EADDRINUSE; the engines are stopped then */
export async function serve(engines: AwsEngines, port: number): Promise<AwsEndpoint> {
  const { operations, region } = engines;
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
    if (operation.service === "dynamodb") await engines.dynamoDb(operation.name, request, response);
    else if (operation.service === "kms" && engines.kms) await engines.kms(operation.name, request, response);
    else engines.storage(request, response);
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
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
  } catch (error) {
    await engines.stop();
    throw error;
  }
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  engines.listeningAt(url);
  return {
    url,
    region,
    port: (server.address() as AddressInfo).port,
    operations,
    setFault(rule) {
      fault = rule;
    },
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await engines.stop();
    },
  };
}
