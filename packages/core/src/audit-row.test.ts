import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { clientSettings, createAuditPlatform } from "@central-llm/local/audit-platform";
import { type AwsEndpoint, startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import * as AuditIndex from "./audit-index.ts";
import type { AuditRecord } from "./audit-record.ts";
import { chatRequest, chatResponse, requestIdAt, sample } from "./audit-record-sample.ts";
import * as AuditRow from "./audit-row.ts";
import * as AuditTable from "./audit-table.ts";
import { AUDIT_TABLE, FAILURE_TIME, REQUEST_ID } from "./audit-table-definition.ts";
import { itemBytes, writeUnits } from "./item-size.ts";
import { MAX_PREVIEW_CHARS, TABLE_NAME } from "./platform.ts";
import * as RequestLookUp from "./request-look-up.ts";

const PLACE = (id: string) => ({ bucket: "central-llm-audit", key: `logs/2026/11/21/${id}.json` });

function row(changes: Partial<AuditRecord> = {}, options: Partial<AuditRow.RowOptions> = {}) {
  const record = sample(changes);
  return AuditRow.fromStored({ ...record, legacy: false }, PLACE(record.requestId), {
    maxPreviewChars: MAX_PREVIEW_CHARS,
    ...options,
  });
}

/** The bytes of a row's entry in each index. */
function indexBytes(of: AuditRow.AuditRow): number[] {
  return AUDIT_TABLE.GlobalSecondaryIndexes.map(({ KeySchema, Projection }) => {
    const extra = "NonKeyAttributes" in Projection ? Projection.NonKeyAttributes : [];
    const names = ["id", "createdAt", ...KeySchema.map(({ AttributeName }) => AttributeName), ...extra];
    return itemBytes(Object.fromEntries(Object.entries(of).filter(([name]) => names.includes(name))));
  });
}

const LONG = "ü".repeat(4_000);
const worst = () =>
  row({
    requestId: "r".repeat(128),
    clientRequestId: "c".repeat(128),
    projectId: LONG,
    userId: LONG,
    requestType: LONG,
    model: { requested: LONG, served: LONG, provider: LONG },
    statusCode: 503,
    outcome: "client_aborted",
    latencyMs: 123_456_789.123_456,
    timeToFirstTokenMs: 123_456_789.123_456,
    cost: { usd: 1234.567_890_123_4, priceTable: "2026-11" },
    usage: {
      promptTokens: 123_456_789_012,
      completionTokens: 123_456_789_012,
      totalTokens: 1,
      source: "provider",
    },
    identity: {
      method: "api-key",
      keyId: LONG,
      keyAlias: LONG,
      teamId: LONG,
      assertedUser: LONG,
      matches: false,
    },
    policy: {
      hash: null,
      pii: Array.from({ length: 90 }, (_, i) => ({
        entity: `ENTITY_${i}`,
        count: 9,
        action: "mask" as const,
      })),
    },
    request: {
      headers: {},
      body: { messages: [{ role: "user", content: LONG }] },
      bytes: 1,
      truncated: true,
    },
    response: { headers: {}, body: LONG, bytes: 1, chunks: 1, complete: false },
    chain: { writer: LONG, sequence: 123_456_789, previousHash: null },
  });

describe("what a row costs", () => {
  let endpoint: AwsEndpoint;
  let table: AuditTable.AuditTable;
  let client: DynamoDBClient;
  beforeAll(async () => {
    endpoint = await startAwsEndpoint();
    await createAuditPlatform(endpoint);
    client = new DynamoDBClient(clientSettings(endpoint));
    table = AuditTable.open(client, TABLE_NAME);
  });
  afterAll(async () => {
    client.destroy();
    await endpoint.stop();
  });
  beforeEach(() => endpoint.operations.reset());

  const unitsOf = () => endpoint.operations.writeUnits();
  const total = () => Object.values(unitsOf()).reduce((sum, units) => sum + units, 0);

  test("a chat of 2 KB in and 1 KB out: 3 units for the row and 1 for each of three indexes, counted at the engine", async () => {
    await AuditTable.writeRows(table, [row()]);
    expect(unitsOf()).toEqual({
      [TABLE_NAME]: 3,
      [`${TABLE_NAME}/GSI_UserTime`]: 1,
      [`${TABLE_NAME}/GSI_StatusTime`]: 1,
      [`${TABLE_NAME}/GSI_ProjectLatency`]: 1,
    });
  });

  test.each([429, 503, 0])(
    "a call that ended with %i costs one more, for the index of failures",
    async (statusCode) => {
      await AuditTable.writeRows(table, [row({ statusCode })]);
      expect(unitsOf()[`${TABLE_NAME}/${FAILURE_TIME}`]).toBe(1);
      expect(total()).toBe(7);
    },
  );

  test("an id that a client chose costs one more, for the sparse index", async () => {
    await AuditTable.writeRows(table, [row({ requestId: "order-4711", clientRequestId: "order-4711" })]);
    expect(unitsOf()[`${TABLE_NAME}/${REQUEST_ID}`]).toBe(1);
    expect(total()).toBe(7);
  });

  test("an index entry stays one unit, whatever the writer sent", async () => {
    expect(Math.max(...indexBytes(worst()))).toBeLessThanOrEqual(1024);
    await AuditTable.writeRows(table, [worst()]);
    expect(AUDIT_TABLE.GlobalSecondaryIndexes).toHaveLength(5);
    for (const { IndexName } of AUDIT_TABLE.GlobalSecondaryIndexes) {
      expect(unitsOf()[`${TABLE_NAME}/${IndexName}`], IndexName).toBe(1);
    }
    expect(unitsOf()[TABLE_NAME]).toBeLessThanOrEqual(4);
  });

  test("the same row again changes no index and adds no row", async () => {
    const once = row({ userId: "again" });
    await AuditTable.writeRows(table, [once]);
    endpoint.operations.reset();
    await AuditTable.writeRows(table, [once, once, once]);
    expect(unitsOf()).toEqual({ [TABLE_NAME]: 3 });
    expect(await RequestLookUp.find(table, once.requestId)).toHaveLength(1);
  });

  test("a long prompt keeps all its 2,048 characters when the answer is short", () => {
    const made = row({
      request: { headers: {}, body: chatRequest(9_000), bytes: 9_000 },
      response: { headers: {}, body: "pong", bytes: 4, chunks: 0, complete: true },
    });
    expect([...made.promptPreview]).toHaveLength(MAX_PREVIEW_CHARS);
    expect(made.responsePreview).toBe("pong");
    expect(writeUnits(itemBytes(made))).toBe(3);
  });

  test("two long previews share what fits in three units; a larger budget keeps both", () => {
    const both = {
      request: { headers: {}, body: chatRequest(9_000), bytes: 9_000 },
      response: { headers: {}, body: chatResponse(9_000), bytes: 9_000, chunks: 0, complete: true },
    };
    const tight = row(both);
    expect(itemBytes(tight)).toBeLessThanOrEqual(3072);
    expect(Math.abs(tight.promptPreview.length - tight.responsePreview.length)).toBeLessThan(8);
    const wide = row(both, { maxRowBytes: 10_000 });
    expect([...wide.promptPreview, ...wide.responsePreview]).toHaveLength(2 * MAX_PREVIEW_CHARS);
  });
});

describe("no index partition takes more than 1,000 write units a second", () => {
  const REQUESTS = 2_000;
  const busiest = (share: number) => (REQUESTS * share) / AuditIndex.SHARDS;

  test("at 2,000 requests a second: all of one status, 60 % of one project and of one user", () => {
    // One unit an entry: shown above for the worst entry.
    expect(busiest(1)).toBeLessThanOrEqual(1_000);
    expect(busiest(0.98)).toBe(490);
    expect(busiest(0.6)).toBe(300);
  });

  test("in an outage, too: all 2,000 fail with one status, or with statuses of one group", () => {
    const partitions = new Set(
      [500, 502, 503].map((statusCode) => row({ requestId: "r-1", statusCode }).failurePk),
    );
    // The statuses of a group share its partitions: what counts is all of them together.
    expect(partitions.size).toBe(1);
    expect(busiest(1)).toBe(500);
  });

  test("the shards are even, so that the average is also the greatest", () => {
    const shards = Array.from({ length: 20_000 }, (_, i) =>
      AuditIndex.shardOf(requestIdAt(1_795_255_200_000 + i)),
    );
    const counts = Map.groupBy(shards, (shard) => shard);
    expect(counts.size).toBe(4);
    for (const [, of] of counts) expect(Math.abs(of.length - 5_000)).toBeLessThan(300);
  });

  test("each index spreads one second's rows of one project, user and status over four partitions", () => {
    const rows = Array.from({ length: 200 }, () => row());
    for (const name of ["userIdPk", "statusPk", "latencyPk"] as const) {
      expect(new Set(rows.map((made) => made[name])).size).toBe(AuditIndex.SHARDS);
    }
    const failed = Array.from({ length: 200 }, () => row({ statusCode: 503 }));
    expect(new Set(failed.map(({ failurePk }) => failurePk)).size).toBe(AuditIndex.SHARDS);
    expect(new Set(rows.map(({ id }) => id))).toEqual(new Set(["project#smoke-test"]));
  });
});

describe("a row", () => {
  test("is a pure function of the object, with the seeds' names and numbers as numbers", () => {
    const record = sample({ requestId: requestIdAt(Date.parse("2026-11-21T10:00:00.000Z")) });
    const make = () =>
      AuditRow.fromStored({ ...record, legacy: false }, PLACE(record.requestId), { maxPreviewChars: 2048 });
    expect(make()).toEqual(make());
    expect(make()).toMatchObject({
      id: "project#smoke-test",
      createdAt: `2026-11-21T10:00:00.000Z#${record.requestId}`,
      requestId: record.requestId,
      projectId: "smoke-test",
      userId: "jane.doe@example.com",
      statusCode: 200,
      latencyMs: 812.437,
      auditBucket: "central-llm-audit",
      auditObjectKey: `logs/2026/11/21/${record.requestId}.json`,
      promptTokens: 498,
      writer: "ip-10-0-3-17-1795255200000",
      sequence: 48_213,
    });
    expect(make()).not.toHaveProperty("teamId");
    expect(make()).not.toHaveProperty("requestIdPk");
    expect(make()).not.toHaveProperty("expiresAt");
    expect(make().promptPreview).toMatch(/^system: You are .*\nuser: the quick/);
  });

  test.each([
    [200, undefined],
    [400, "4xx"],
    [499, "4xx"],
    [0, "other"],
    [204, "other"],
    [302, "other"],
    [500, "other"],
  ])("of status %i has its place among failures by group, day and time: %s", (statusCode, group) => {
    const { failurePk, failureSk, createdAt } = row({ requestId: "r-1", statusCode });
    const shard = AuditIndex.shardOf("r-1");
    expect(failurePk).toBe(group && `${group}#2026-11-21#${shard}`);
    expect(failureSk).toBe(group && createdAt);
  });

  test("says in flags what a list marks, and when it may go", () => {
    expect(worst().flags).toEqual(["partial", "truncated", "identity_mismatch", "pii"]);
    expect(row({}, { retentionDays: 365 }).expiresAt).toBe(Date.parse("2027-11-21T10:00:00.000Z") / 1000);
  });

  test("is found by the id that a client asked for and did not get", () => {
    expect(row({ clientRequestId: "order 4711" }).requestIdPk).toMatch(/^order_4711~[0-9a-f]{16}$/);
    expect(row({ requestId: "order-1", clientRequestId: "order-1" }).requestIdPk).toBe("order-1");
    const foreign = requestIdAt(1_000);
    expect(row({ requestId: foreign, clientRequestId: foreign }).requestIdPk).toBe(foreign);
  });

  test("latency text sorts as its number does", () => {
    const values = [0, 0.001, 0.01, 9, 10, 99.999, 100, 812.437, 86_400_000, 5e9];
    const texts = values.map(AuditIndex.latencyText);
    expect([...texts].sort()).toEqual(texts);
    expect(new Set(texts.map((text) => text.length))).toEqual(new Set([13]));
  });
});
