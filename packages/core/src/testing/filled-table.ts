/** The audit's table on the embedded engine, filled with records, for tests of what it costs to find them. */
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { clientSettings, createAuditPlatform } from "@central-llm/local/audit-platform";
import { type AwsEndpoint, startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { expect } from "vitest";
import type { AuditRecord } from "../audit-record.ts";
import * as AuditRow from "../audit-row.ts";
import * as AuditTable from "../audit-table.ts";

export interface FilledTable {
  endpoint: AwsEndpoint;
  table: AuditTable.AuditTable;
  /** Ends it. Nothing may ever have scanned the table. */
  stop(): Promise<void>;
}

export async function filledTable(records: readonly AuditRecord[]): Promise<FilledTable> {
  const endpoint = await startAwsEndpoint();
  const { tableName } = await createAuditPlatform(endpoint);
  const client = new DynamoDBClient(clientSettings(endpoint));
  const table = AuditTable.open(client, tableName);
  const rows = records.map((one) =>
    AuditRow.fromStored(
      { ...one, legacy: false },
      { bucket: "b", key: `logs/${one.requestId}.json` },
      { maxPreviewChars: 64 },
    ),
  );
  expect(await AuditTable.writeRows(table, rows)).toEqual(new Map());
  endpoint.operations.reset();
  return {
    endpoint,
    table,
    async stop() {
      expect(endpoint.operations.count("dynamodb.Scan")).toBe(0);
      client.destroy();
      await endpoint.stop();
    },
  };
}
