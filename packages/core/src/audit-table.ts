/**
 * The audit table in DynamoDB: writes in batches, and reads of one index partition at a time. Lists over many partitions are `audit-query.ts`.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  BatchGetCommand,
  BatchWriteCommand,
  type BatchWriteCommandInput,
  DynamoDBDocumentClient,
  QueryCommand,
} from "@aws-sdk/lib-dynamodb";
import { auditEntity } from "./audit-entity.ts";
import { AuditRow } from "./audit-row.ts";
import { CHAIN_ATTRIBUTES, LIST_ATTRIBUTES } from "./audit-table-definition.ts";

export interface AuditTable {
  tableName: string;
  client: DynamoDBDocumentClient;
  entity: ReturnType<typeof auditEntity>;
}

export function open(client: DynamoDBClient, tableName: string): AuditTable {
  const documents = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
  return { tableName, client: documents, entity: auditEntity(tableName) };
}

export type Item = Record<string, unknown> & { id: string; createdAt: string };

/** DynamoDB's own limit of a BatchWriteItem. */
const BATCH = 25;
/** With the pauses between them at most 22 seconds, well within the function's time-out (`INGEST.timeoutSeconds`). */
const ATTEMPTS = 16;
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 2_000;

/** When a hot partition can take none of a batch, DynamoDB throws in place of leaving all unprocessed (API_BatchWriteItem). */
const THROTTLED = /Throttl|^ProvisionedThroughputExceeded|^RequestLimitExceeded/;

/**
 * Stores rows, each replacing what was there under its key. Rows with the same key count as one. What DynamoDB leaves
 * unprocessed is sent again after growing, random pauses.
 * @returns the rows that were not stored, each with why: throttling that outlasted the retries, or an error of the batch
 */
export async function writeRows(table: AuditTable, rows: AuditRow[]): Promise<Map<AuditRow, Error>> {
  const unique = new Map(rows.map((row) => [`${row.id}\n${row.createdAt}`, AuditRow.parse(row)]));
  const batches = chunks([...unique.values()], BATCH);
  const failures = new Map<string, Error>();
  await Promise.all(
    batches.map(async (batch) => {
      const [request] = table.entity.put(batch).params() as unknown as BatchWriteCommandInput[];
      for (const [lost, error] of await writeBatch(table, request?.RequestItems?.[table.tableName] ?? [])) {
        failures.set(lost, error);
      }
    }),
  );
  const failed = rows.map((row) => [row, failures.get(`${row.id}\n${row.createdAt}`)] as const);
  return new Map(failed.filter((entry): entry is [AuditRow, Error] => entry[1] !== undefined));
}

/**
 * Stores items that are no rows, each replacing what was there.
 * @throws the error of the first that was not stored
 */
export async function putItems(table: AuditTable, items: readonly RowKey[]): Promise<void> {
  const requests: WriteRequests = items.map((Item) => ({ PutRequest: { Item } }));
  await Promise.all(
    chunks(requests, BATCH).map(async (batch) => {
      for (const error of (await writeBatch(table, batch)).values()) throw error;
    }),
  );
}

type WriteRequests = NonNullable<BatchWriteCommandInput["RequestItems"]>[string];

async function writeBatch(table: AuditTable, requests: WriteRequests): Promise<Map<string, Error>> {
  let left = requests;
  const lost = (error: Error) =>
    new Map(left.map(({ PutRequest }) => [`${PutRequest?.Item?.id}\n${PutRequest?.Item?.createdAt}`, error]));
  let refusal: Error | undefined;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) {
      await sleep(Math.random() * Math.min(FIRST_PAUSE_MS * 2 ** attempt, LONGEST_PAUSE_MS));
    }
    try {
      const answer = await table.client.send(
        new BatchWriteCommand({ RequestItems: { [table.tableName]: left } }),
      );
      left = answer.UnprocessedItems?.[table.tableName] ?? [];
    } catch (error) {
      refusal = error as Error;
      if (!THROTTLED.test(refusal.name)) return lost(refusal);
    }
    if (left.length === 0) return new Map();
  }
  if (refusal) return lost(refusal);
  const error = new Error(`DynamoDB left ${left.length} rows unprocessed after ${ATTEMPTS} attempts`);
  error.name = "ThrottlingException";
  return lost(error);
}

export type SortedIndex = "project" | "user" | "status" | "failure" | "latency";

/** Beside the keys, which ElectroDB asks for itself. */
const BRIEF = ["requestId", "projectId", ...LIST_ATTRIBUTES, ...CHAIN_ATTRIBUTES] as const;

/** The key attributes of each sorted index. */
export const SORT_KEY = {
  project: "createdAt",
  user: "userIdSk",
  status: "statusSk",
  failure: "failureSk",
  latency: "latencySk",
} as const satisfies Record<SortedIndex, string>;

/**
 * One Query: the rows of one partition with `low <= sort key <= high`, greatest first.
 * @param range `ascending`: least first; `brief`: of the base table, too, only what indexes carry
 * @returns `more` when the range holds rows beyond those
 */
export async function readRange(
  table: AuditTable,
  index: SortedIndex,
  range: {
    partition: string;
    low: string;
    high: string;
    limit: number;
    ascending?: boolean;
    brief?: boolean;
  },
): Promise<{ items: Item[]; more: boolean }> {
  const { partition, low, high, limit } = range;
  const { query } = table.entity;
  const options = {
    order: range.ascending ? "asc" : "desc",
    limit,
    ...(range.brief && index === "project" && { attributes: [...BRIEF] }),
  } as const;
  const params = {
    project: () => query.project({ id: partition }).between({ createdAt: low }, { createdAt: high }),
    user: () => query.user({ userIdPk: partition }).between({ userIdSk: low }, { userIdSk: high }),
    status: () => query.status({ statusPk: partition }).between({ statusSk: low }, { statusSk: high }),
    failure: () => query.failure({ failurePk: partition }).between({ failureSk: low }, { failureSk: high }),
    latency: () => query.latency({ latencyPk: partition }).between({ latencySk: low }, { latencySk: high }),
  }
    [index]()
    .params(options) as ConstructorParameters<typeof QueryCommand>[0];
  const answer = await table.client.send(new QueryCommand(params));
  return { items: (answer.Items ?? []) as Item[], more: answer.LastEvaluatedKey !== undefined };
}

export type RowKey = Pick<Item, "id" | "createdAt">;

/** The rows that a request id names through the sparse index: at most `limit`, keys only. */
export async function keysByRequestId(
  table: AuditTable,
  requestId: string,
  limit: number,
): Promise<RowKey[]> {
  const params = table.entity.query.request({ requestIdPk: requestId }).params({ limit });
  const answer = await table.client.send(
    new QueryCommand(params as ConstructorParameters<typeof QueryCommand>[0]),
  );
  return (answer.Items ?? []) as RowKey[];
}

/** Whole rows by their keys, in no order; keys without a row are left out. At most 100 keys (DynamoDB's limit). */
export async function getRows(table: AuditTable, keys: RowKey[]): Promise<Item[]> {
  if (keys.length === 0) return [];
  let left = keys.map(({ id, createdAt }) => ({ id, createdAt }) as Record<string, unknown>);
  const items: Item[] = [];
  for (let attempt = 0; left.length > 0; attempt++) {
    if (attempt >= ATTEMPTS) throw new Error(`DynamoDB left ${left.length} keys unprocessed`);
    if (attempt > 0) await sleep(Math.random() * FIRST_PAUSE_MS * 2 ** attempt);
    const answer = await table.client.send(
      new BatchGetCommand({ RequestItems: { [table.tableName]: { Keys: left } } }),
    );
    items.push(...(answer.Responses?.[table.tableName] ?? []).map(withoutIdentifiers));
    left = answer.UnprocessedKeys?.[table.tableName]?.Keys ?? [];
  }
  return items;
}

/** Without what ElectroDB writes to know its own items again. */
function withoutIdentifiers(item: Record<string, unknown>): Item {
  const { __edb_e__: _, __edb_v__: __, ...rest } = item;
  return rest as Item;
}

function chunks<T>(values: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, i) =>
    values.slice(i * size, (i + 1) * size),
  );
}
