/** The audited path on this machine: a real proxy process, the embedded engines on disk, the real function's process. */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { GetQueueAttributesCommand, PurgeQueueCommand, SQSClient } from "@aws-sdk/client-sqs";
import { chatRequest, chatResponse } from "@central-llm/core/audit-record-sample";
import * as AuditTable from "@central-llm/core/audit-table";
import * as Platform from "@central-llm/core/platform";
import {
  type AuditPlatform,
  CREDENTIALS,
  clientSettings,
  createAuditPlatform,
} from "@central-llm/local/audit-platform";
import { type AwsEndpoint, startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { lambdaFunction } from "@central-llm/local/lambda-function";
import { startQueueSource } from "@central-llm/local/lambda-queue-source";
import { startProxyProcess } from "../packages/proxy/src/testing/proxy-process.ts";
import { childRunning, cpuSecondsOf } from "./process-cpu.ts";

export interface AuditedPath {
  endpoint: AwsEndpoint;
  table: AuditTable.AuditTable;
  /** Sends chats of 2 KB, answered with 1 KB; resolves when all are answered. @param perSecond 0: as fast as can be */
  send(count: number, perSecond: number): Promise<void>;
  /** Messages in the ingest queue, those being worked on included. */
  queued(): Promise<number>;
  /** Starts the function and its event source mapping, with production's settings. */
  startIngest(): Promise<Ingest>;
  stop(): Promise<void>;
}

export interface Ingest {
  /** How often the function was called. */
  invocations(): number;
  /** Seconds of CPU that its process has taken since its cold start. */
  cpuSeconds(): number;
  stop(): Promise<void>;
}

/** infra's setting. */
export const MEMORY_MB = 512;
const HANDLER = fileURLToPath(new URL("../packages/functions/src/ingest.ts", import.meta.url));
const CALLERS = 32;

async function startModel() {
  const answer = JSON.stringify(chatResponse(1024));
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => response.setHeader("content-type", "application/json").end(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as { port: number }).port}` };
}

async function ask(url: string, body: string): Promise<void> {
  const headers = {
    "content-type": "application/json",
    "x-llm-source": "bench",
    "x-llm-user": "jane.doe@example.com",
    "x-llm-request-type": "chat",
  };
  const response = await fetch(`${url}/v1/chat/completions`, { method: "POST", headers, body });
  await response.text();
  if (response.status !== 200) throw new Error(`the proxy answered ${response.status}`);
}

export async function startAuditedPath(): Promise<AuditedPath> {
  const folder = await mkdtemp(join(tmpdir(), "bench-ingest-"));
  const endpoint = await startAwsEndpoint({ dataDir: join(folder, "aws") });
  const platform: AuditPlatform = await createAuditPlatform(endpoint);
  const model = await startModel();
  const proxy = await startProxyProcess({
    UPSTREAM_URL: model.url,
    AUDIT_BUCKET: platform.bucket,
    AWS_REGION: endpoint.region,
    AWS_ENDPOINT_URL: endpoint.url,
    SPOOL_DIR: join(folder, "spool"),
  });
  const client = new DynamoDBClient(clientSettings(endpoint));
  const sqs = new SQSClient(clientSettings(endpoint));
  // S3's test event, which it sends once in a bucket's life.
  await sqs.send(new PurgeQueueCommand({ QueueUrl: platform.ingestQueueUrl }));

  async function startIngest(): Promise<Ingest> {
    const log = (line: string) => {
      if (/"level":"(warn|error)"/i.test(line)) console.error(line);
    };
    const environment = {
      TABLE_NAME: platform.tableName,
      AUDIT_DLQ_URL: platform.deadLetterQueueUrl,
      AWS_ENDPOINT_URL: endpoint.url,
    };
    const { batchSize, batchingWindow, timeoutSeconds } = Platform.INGEST;
    const fn = lambdaFunction(
      {
        name: Platform.INGEST_FUNCTION,
        handlerFile: HANDLER,
        environment,
        region: endpoint.region,
        timeoutSeconds,
        memoryMb: MEMORY_MB,
        // One process, so that its CPU can be read; AWS runs up to ten.
        maxConcurrency: 1,
      },
      log,
    );
    fn.warm();
    while (fn.coldStarts().length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    const pid = childRunning("lambda-worker");
    const coldStart = cpuSecondsOf(pid);
    let invocations = 0;
    const counted = {
      ...fn,
      invoke(event: unknown) {
        invocations++;
        return fn.invoke(event);
      },
    };
    const source = await startQueueSource(
      counted,
      { queueUrl: platform.ingestQueueUrl, batchSize, batchingWindow, maxConcurrency: 1 },
      { endpoint: endpoint.url, region: endpoint.region, credentials: CREDENTIALS },
      log,
    );
    return {
      invocations: () => invocations,
      cpuSeconds: () => cpuSecondsOf(pid) - coldStart,
      async stop() {
        await source.stop();
        await fn.stop();
      },
    };
  }

  return {
    endpoint,
    table: AuditTable.open(client, platform.tableName),
    async send(count, perSecond) {
      const body = JSON.stringify(chatRequest(2048));
      const start = performance.now();
      let sent = 0;
      const caller = async () => {
        while (sent < count) {
          const due = perSecond === 0 ? 0 : start + (sent / perSecond) * 1000 - performance.now();
          sent++;
          if (due > 0) await new Promise((resolve) => setTimeout(resolve, due));
          await ask(proxy.url, body);
        }
      };
      await Promise.all(Array.from({ length: CALLERS }, caller));
    },
    async queued() {
      const { Attributes } = await sqs.send(
        new GetQueueAttributesCommand({
          QueueUrl: platform.ingestQueueUrl,
          AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        }),
      );
      return Object.values(Attributes ?? {}).reduce((total, value) => total + Number(value), 0);
    },
    startIngest,
    async stop() {
      await proxy.kill("SIGTERM");
      client.destroy();
      sqs.destroy();
      model.server.closeAllConnections();
      model.server.close();
      await endpoint.stop();
      await rm(folder, { recursive: true });
    },
  };
}
