/** Minutes whose rollups have to be computed again: ingest marks them, the next run takes the marks away. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  BatchWriteCommand,
  type BatchWriteCommandInput,
  DeleteCommand,
  QueryCommand,
} from "@aws-sdk/lib-dynamodb";
import type { AuditTable } from "./audit-table.ts";

const DIRTY = "rollup#dirty";

export interface Mark {
  /** Epoch milliseconds of the minute's begin. */
  minute: number;
  token: string;
}

/** Says that the minutes have to be computed again. At most 25, DynamoDB's limit of a BatchWriteItem. */
export async function mark({ client, tableName }: AuditTable, minutes: readonly number[]): Promise<void> {
  const at = Date.now();
  let left: WriteRequests = minutes.map((minute) => ({
    PutRequest: { Item: { id: DIRTY, createdAt: new Date(minute).toISOString(), token: randomUUID(), at } },
  }));
  for (let attempt = 0; left.length > 0; attempt++) {
    if (attempt >= ATTEMPTS) throw new Error(`DynamoDB left ${left.length} marks unprocessed`);
    if (attempt > 0) await sleep(Math.random() * FIRST_PAUSE_MS * 2 ** attempt);
    const answer = await client.send(new BatchWriteCommand({ RequestItems: { [tableName]: left } }));
    left = answer.UnprocessedItems?.[tableName] ?? [];
  }
}

type WriteRequests = NonNullable<BatchWriteCommandInput["RequestItems"]>[string];
const ATTEMPTS = 8;
const FIRST_PAUSE_MS = 25;

/** The oldest minutes first, of the marks set before `before`. */
export async function list(
  { client, tableName }: AuditTable,
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
export async function remove({ client, tableName }: AuditTable, { minute, token }: Mark): Promise<void> {
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
