import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { clientSettings, createAuditPlatform } from "@central-llm/local/audit-platform";
import { type AwsEndpoint, startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import * as AuditQuery from "./audit-query.ts";
import { requestIdAt, sample } from "./audit-record-sample.ts";
import * as AuditRow from "./audit-row.ts";
import * as AuditTable from "./audit-table.ts";
import * as RequestLookUp from "./request-look-up.ts";

let endpoint: AwsEndpoint;
let client: DynamoDBClient;
let table: AuditTable.AuditTable;

beforeAll(async () => {
  endpoint = await startAwsEndpoint();
  const { tableName } = await createAuditPlatform(endpoint);
  client = new DynamoDBClient({ ...clientSettings(endpoint), maxAttempts: 1 });
  table = AuditTable.open(client, tableName);
});
afterAll(async () => {
  client.destroy();
  await endpoint.stop();
});
beforeEach(() => {
  endpoint.setFault(undefined);
  endpoint.operations.reset();
});

const rows = (count: number, projectId: string) =>
  Array.from({ length: count }, (_, i) => {
    const record = sample({ projectId, receivedAt: new Date(Date.UTC(2026, 10, 21) + i).toISOString() });
    return AuditRow.fromStored(
      { ...record, legacy: false },
      { bucket: "b", key: "logs/k.json" },
      { maxPreviewChars: 10 },
    );
  });
const stored = async (projectId: string) => {
  const span = { from: "2026-11-21T00:00:00.000Z", to: "2026-11-22T00:00:00.000Z" };
  return (await AuditQuery.page(table, { by: "project", projectId, ...span }, { limit: 500 })).rows;
};

test("60 rows go in three requests of at most 25", async () => {
  expect(await AuditTable.writeRows(table, rows(60, "many"))).toEqual(new Map());
  expect(endpoint.operations.count("dynamodb.BatchWriteItem")).toBe(3);
  expect(await stored("many")).toHaveLength(60);
});

test("what DynamoDB leaves unprocessed is sent again until it is stored", async () => {
  let left = 3;
  // The engine has no limit of its own: hold back half of each request, as DynamoDB does when a partition is hot.
  const busy = new DynamoDBClient(clientSettings(endpoint));
  busy.middlewareStack.add(
    (next) => async (args) => {
      const input = args.input as { RequestItems?: Record<string, unknown[]> };
      const requests = input.RequestItems?.[table.tableName];
      if (!requests || left-- <= 0) return next(args);
      const held = requests.slice(Math.ceil(requests.length / 2));
      const sent = { RequestItems: { [table.tableName]: requests.slice(0, Math.ceil(requests.length / 2)) } };
      const result = await next({ ...args, input: sent as typeof args.input });
      Object.assign(result.output, { UnprocessedItems: { [table.tableName]: held } });
      return result;
    },
    { step: "initialize", priority: "low" },
  );
  expect(await AuditTable.writeRows(AuditTable.open(busy, table.tableName), rows(25, "busy"))).toEqual(
    new Map(),
  );
  busy.destroy();
  expect(left).toBeLessThan(0);
  expect(await stored("busy")).toHaveLength(25);
});

test("a batch of which a hot partition takes nothing is sent again until it is stored", async () => {
  let left = 4;
  endpoint.setFault(({ operation }) =>
    operation === "dynamodb.BatchWriteItem" && left-- > 0 ? { status: 400 } : undefined,
  );
  expect(await AuditTable.writeRows(table, rows(25, "hot"))).toEqual(new Map());
  expect(await stored("hot")).toHaveLength(25);
});

test("a batch that DynamoDB refuses fails by row, and the other batches are stored", async () => {
  let first = true;
  endpoint.setFault(({ operation }) => {
    if (operation !== "dynamodb.BatchWriteItem" || !first) return undefined;
    first = false;
    return { status: 400, code: "AccessDeniedException" };
  });
  const all = rows(40, "half");
  const failures = await AuditTable.writeRows(table, all);
  expect([15, 25]).toContain(failures.size);
  for (const [row, error] of failures) {
    expect(all).toContain(row);
    expect(error.name).toBe("AccessDeniedException");
  }
  expect(await stored("half")).toHaveLength(40 - failures.size);
});

test("a client's id finds every request that asked for it: the one that got it as its name and those that came late", async () => {
  const time = Date.UTC(2026, 10, 21);
  const at = (ms: number) => ({ receivedAt: new Date(time + ms).toISOString(), clientRequestId: "order-1" });
  const winner = sample({ ...at(0), requestId: "order-1" });
  const late = [1, 2].map((ms) =>
    sample({ ...at(ms), projectId: `p${ms}`, statusCode: 503, requestId: requestIdAt(time + ms) }),
  );
  const made = [winner, ...late].map((record) =>
    AuditRow.fromStored(
      { ...record, legacy: false },
      { bucket: "b", key: "logs/k.json" },
      { maxPreviewChars: 10 },
    ),
  );
  await AuditTable.writeRows(table, made);
  const ids = async (id: string) => (await RequestLookUp.find(table, id)).map(({ requestId }) => requestId);
  const [first, second] = late.map(({ requestId }) => requestId);
  expect(await ids("order-1")).toEqual([second, first, "order-1"]);
  expect(await ids(first ?? "")).toEqual([first]);
  expect((await RequestLookUp.find(table, "order-1"))[2]).toEqual(made[0]);
});

test("a row that does not parse is refused before anything is sent", async () => {
  const [row] = rows(1, "bad");
  const bad = { ...row, latencyMs: "fast" } as unknown as AuditRow.AuditRow;
  await expect(AuditTable.writeRows(table, [bad])).rejects.toThrow("latencyMs");
  expect(endpoint.operations.count("dynamodb.BatchWriteItem")).toBe(0);
});
