/** Minutes whose rollups have to be computed again: ingest marks them, the next run takes the marks away. */
import { randomUUID } from "node:crypto";
import { DeleteCommand, QueryCommand } from "@aws-sdk/lib-dynamodb";
import * as AuditTable from "./audit-table.ts";

const DIRTY = "rollup#dirty";

export interface Mark {
  /** Epoch milliseconds of the minute's begin. */
  minute: number;
  token: string;
}

/** Says that the minutes have to be computed again. @throws when DynamoDB did not take it */
export async function mark(table: AuditTable.AuditTable, minutes: readonly number[]): Promise<void> {
  const at = Date.now();
  const item = (minute: number) => ({
    id: DIRTY,
    createdAt: new Date(minute).toISOString(),
    token: randomUUID(),
    at,
  });
  await AuditTable.putItems(table, minutes.map(item));
}

/** The oldest minutes first, of the marks set before `before`. */
export async function list(
  { client, tableName }: AuditTable.AuditTable,
  limit: number,
  before: number,
): Promise<Mark[]> {
  const { Items = [] } = await client.send(
    new QueryCommand({
      TableName: tableName,
      KeyConditionExpression: "id = :id",
      ExpressionAttributeValues: { ":id": DIRTY },
      ConsistentRead: true,
      Limit: limit,
    }),
  );
  return Items.filter(({ at }) => at < before).map(({ createdAt, token }) => ({
    minute: Date.parse(createdAt),
    token,
  }));
}

/** Unless the minute was marked again meanwhile. */
export async function remove(
  { client, tableName }: AuditTable.AuditTable,
  { minute, token }: Mark,
): Promise<void> {
  try {
    await client.send(
      new DeleteCommand({
        TableName: tableName,
        Key: { id: DIRTY, createdAt: new Date(minute).toISOString() },
        ConditionExpression: "#token = :token",
        ExpressionAttributeNames: { "#token": "token" },
        ExpressionAttributeValues: { ":token": token },
      }),
    );
  } catch (error) {
    if ((error as Error).name !== "ConditionalCheckFailedException") throw error;
  }
}
