/**
 * Takes the place of `@central-llm/local/aws-endpoint` in tests: the same URL with the same counting and faults, with
 * DynamoDB Local and moto behind it. Each start finds the engines empty.
 */
import { Agent, type ServerResponse } from "node:http";
import * as Embedded from "../packages/local/src/aws-endpoint.ts";
import { type AwsEndpoint, dynamoDbBody, serve } from "../packages/local/src/aws-front.ts";
import { AwsOperations } from "../packages/local/src/aws-operations.ts";
import { callDynamoDb, deleteTables } from "./dynamodb-judge.ts";
import { forward } from "./forward.ts";

export type { AwsEndpoint };
export const { REGION } = Embedded;

/** DynamoDB Local knows no backups (and says UnknownOperationException), but every table that we create asks for them. */
function taken(response: ServerResponse): void {
  const description = { ContinuousBackupsDescription: { ContinuousBackupsStatus: "ENABLED" } };
  response.writeHead(200, { "content-type": "application/x-amz-json-1.0" }).end(JSON.stringify(description));
}

export async function startAwsEndpoint(): Promise<AwsEndpoint> {
  const { DYNAMODB_JUDGE_URL: dynamoDbUrl, STORAGE_JUDGE_URL: storageUrl } = process.env;
  const embedded = await Embedded.startAwsEndpoint();
  const operations = new AwsOperations();
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 64, timeout: 60_000 });
  if (dynamoDbUrl) await deleteTables(dynamoDbUrl, agent);
  if (storageUrl) await fetch(`${storageUrl}/moto-api/reset`, { method: "POST" });
  const to = { dynamoDb: dynamoDbUrl ?? embedded.url, storage: storageUrl ?? embedded.url };
  return serve(
    {
      region: REGION,
      operations,
      async dynamoDb(operation, request, response) {
        const body = await dynamoDbBody(operations, operation, request, response);
        if (body === null) return;
        if (operation === "UpdateContinuousBackups" && dynamoDbUrl) return taken(response);
        const answer = await callDynamoDb(to.dynamoDb, agent, operation, request.headers, body);
        for (const write of answer.writes) operations.recordWrite(write);
        response.writeHead(answer.status, answer.headers).end(answer.body);
      },
      // Not judged: moto knows no key of ours.
      async kms(_operation, request, response) {
        forward(embedded.url, request, response);
      },
      storage: (request, response) => forward(to.storage, request, response),
      listeningAt() {},
      async stop() {
        agent.destroy();
        await embedded.stop();
      },
    },
    0,
  );
}
