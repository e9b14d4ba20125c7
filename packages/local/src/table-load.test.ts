import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DescribeTableCommand, DynamoDBClient, PutItemCommand, ScanCommand } from "@aws-sdk/client-dynamodb";
import { requestIdAt, sample } from "@central-llm/core/audit-record-sample";
import * as AuditRow from "@central-llm/core/audit-row";
import * as AuditTable from "@central-llm/core/audit-table";
import { AUDIT_TABLE } from "@central-llm/core/audit-table-definition";
import { afterEach, beforeEach, expect, test } from "vitest";
import { clientSettings, createAuditPlatform } from "./audit-platform.ts";
import { startAwsEndpoint } from "./aws-endpoint.ts";
import { openTableLoad } from "./table-load.ts";

const { TableName } = AUDIT_TABLE;
const TIME = Date.parse("2026-11-21T10:00:00.000Z");
const rows = Array.from({ length: 60 }, (_, at) =>
  AuditRow.fromStored(
    {
      ...sample({
        requestId: at % 2 === 0 ? requestIdAt(TIME + at) : `chosen-${at}`,
        receivedAt: new Date(TIME + at).toISOString(),
        userId: `Zoë ${at % 7}`,
        statusCode: at % 5 === 0 ? 503 : 200,
      }),
      legacy: false,
    },
    { bucket: "b", key: "k" },
    { maxPreviewChars: 64 },
  ),
);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "central-llm-load-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A table on disk that `fill` filled: its items, and those of each index, as an own endpoint reads them. */
async function tableAfter(name: string, fill: (dataDir: string) => Promise<void>) {
  const dataDir = join(folder, name);
  const first = await startAwsEndpoint({ dataDir });
  await createAuditPlatform(first);
  await first.stop();
  await fill(dataDir);
  const endpoint = await startAwsEndpoint({ dataDir });
  const client = new DynamoDBClient(clientSettings(endpoint));
  const { Table } = await client.send(new DescribeTableCommand({ TableName }));
  const indexes = (Table?.GlobalSecondaryIndexes ?? []).map(({ IndexName }) => IndexName);
  const contents = [];
  for (const IndexName of [undefined, ...indexes]) {
    const { Items = [] } = await client.send(new ScanCommand({ TableName, IndexName }));
    contents.push({ IndexName, Items });
  }
  client.destroy();
  await endpoint.stop();
  return contents;
}

test("what a load stores is what the table's own writes store, in every index", async () => {
  const written = await tableAfter("written", async (dataDir) => {
    const endpoint = await startAwsEndpoint({ dataDir });
    const client = new DynamoDBClient(clientSettings(endpoint));
    expect(await AuditTable.writeRows(AuditTable.open(client, TableName), rows)).toEqual(new Map());
    client.destroy();
    await endpoint.stop();
  });
  const loaded = await tableAfter("loaded", async (dataDir) => {
    const load = openTableLoad(dataDir);
    const client = new DynamoDBClient(load.clientSettings);
    expect(await AuditTable.writeRows(AuditTable.open(client, TableName), rows)).toEqual(new Map());
    await expect(client.send(new PutItemCommand({ TableName, Item: {} }))).rejects.toThrow(/cannot PutItem/);
    client.destroy();
    await load.close();
  });
  expect(written[0]?.Items).toHaveLength(rows.length);
  expect(loaded).toEqual(written);
});
