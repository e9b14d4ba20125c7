import { CreateTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { AUDIT_TABLE, FAILURE_TIME } from "@central-llm/core/audit-table-definition";
import { afterEach, beforeEach, expect, test } from "vitest";
import { clientSettings, createAuditPlatform } from "./audit-platform.ts";
import { type AwsEndpoint, startAwsEndpoint } from "./aws-endpoint.ts";

let endpoint: AwsEndpoint;
beforeEach(async () => {
  endpoint = await startAwsEndpoint();
});
afterEach(() => endpoint.stop());

test("an older version's table, whose rows lack an index, is refused with what to do, and not used with rows missing", async () => {
  const client = new DynamoDBClient(clientSettings(endpoint));
  await client.send(
    new CreateTableCommand({
      ...AUDIT_TABLE,
      AttributeDefinitions: AUDIT_TABLE.AttributeDefinitions.filter(
        ({ AttributeName }) => !AttributeName.startsWith("failure"),
      ),
      GlobalSecondaryIndexes: AUDIT_TABLE.GlobalSecondaryIndexes.filter(
        ({ IndexName }) => IndexName !== FAILURE_TIME,
      ),
    }),
  );
  client.destroy();
  await expect(createAuditPlatform(endpoint)).rejects.toThrow(
    "other keys or indexes than this version's: `npm start -- --fresh` starts anew",
  );
});
