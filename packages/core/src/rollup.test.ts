import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { QueryCommand } from "@aws-sdk/lib-dynamodb";
import { clientSettings, createAuditPlatform } from "@central-llm/local/audit-platform";
import { type AwsEndpoint, startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { AuditRecord } from "./audit-record.ts";
import { requestIdAt, sample } from "./audit-record-sample.ts";
import * as AuditRow from "./audit-row.ts";
import * as AuditTable from "./audit-table.ts";
import * as RollupBucket from "./rollup-bucket.ts";
import * as RollupMark from "./rollup-mark.ts";
import * as RollupQuery from "./rollup-query.ts";
import * as RollupRun from "./rollup-run.ts";
import * as Tally from "./rollup-tally.ts";

const MINUTE = 60_000;
const NOW = Date.parse("2026-11-21T12:34:20.000Z");
const ALL = { projects: null };

let endpoint: AwsEndpoint;
let client: DynamoDBClient;
let table: AuditTable.AuditTable;

beforeAll(async () => {
  endpoint = await startAwsEndpoint();
  client = new DynamoDBClient(clientSettings(endpoint));
});
let tableName: string;
beforeEach(async () => {
  await endpoint.stop();
  client.destroy();
  endpoint = await startAwsEndpoint();
  ({ tableName } = await createAuditPlatform(endpoint));
  client = new DynamoDBClient(clientSettings(endpoint));
  table = AuditTable.open(client, tableName);
});
afterAll(async () => {
  expect(endpoint.operations.count("dynamodb.Scan")).toBe(0);
  client.destroy();
  await endpoint.stop();
});

function made(at: number, changes: Partial<AuditRecord> = {}): AuditRecord {
  return sample({ receivedAt: new Date(at).toISOString(), requestId: requestIdAt(at), ...changes });
}

const store = async (...records: AuditRecord[]) =>
  expect(
    await AuditTable.writeRows(
      table,
      records.map((one) =>
        AuditRow.fromStored({ ...one, legacy: false }, { bucket: "b", key: "k" }, { maxPreviewChars: 8 }),
      ),
    ),
  ).toEqual(new Map());

/** Every rollup item, as DynamoDB has it. */
async function stored(): Promise<unknown[]> {
  const ids = [
    "minute#all#2026-11-21",
    "hour#all#2026-11",
    "day#all#2026",
    "minute#project#a#2026-11-21",
    "hour#project#a#2026-11",
  ];
  const pages = await Promise.all(
    ids.map((id) =>
      table.client.send(
        new QueryCommand({
          TableName: tableName,
          KeyConditionExpression: "id = :id",
          ExpressionAttributeValues: { ":id": `rollup#${id}` },
        }),
      ),
    ),
  );
  return pages.flatMap(({ Items = [] }) => Items);
}

async function totals(from: number, to: number, reach: RollupQuery.Reach = ALL) {
  const { total } = await RollupQuery.facets(table, RollupQuery.windowOf(from, to), reach, []);
  return Tally.figures(total);
}

const DAY = { from: Date.parse("2026-11-21T00:00:00Z"), to: Date.parse("2026-11-22T00:00:00Z") };

test("counts each row once, and computing again changes nothing", async () => {
  const records = Array.from({ length: 200 }, (_, at) =>
    made(NOW - at * 10_000, { projectId: at % 4 === 0 ? "a" : "b", statusCode: at % 10 === 0 ? 500 : 200 }),
  );
  await store(...records);
  await RollupRun.run(table, NOW);
  expect(await totals(DAY.from, DAY.to)).toMatchObject({
    requests: 200,
    errors: 20,
    promptTokens: 200 * 498,
    completionTokens: 200 * 170,
    costUsd: Math.round(200 * 0.004044 * 1e9) / 1e9,
  });
  expect(await totals(DAY.from, DAY.to, { projects: ["a"] })).toMatchObject({ requests: 50 });
  const before = await stored();
  // The same objects once more, as a duplicate event writes them; the whole range, the last minutes again.
  await store(...records.slice(0, 50));
  const again = await RollupRun.run(table, NOW, { window: DAY });
  await RollupRun.run(table, NOW);
  expect(await stored()).toEqual(before);
  expect(again.written).toBe(0);
});

test("a late row is counted when its minute was marked, an early mark is not lost to a later one", async () => {
  const old = NOW - 90 * MINUTE;
  await store(made(old, { projectId: "a" }), made(NOW, { projectId: "a" }));
  await RollupRun.run(table, NOW, { window: DAY });
  await store(made(old + 1, { projectId: "a" }));
  await RollupRun.run(table, NOW + MINUTE);
  expect((await totals(DAY.from, DAY.to)).requests).toBe(2);
  await RollupMark.mark(table, [RollupRun.minuteOf(old)]);
  const [mark] = await RollupMark.list(table, 10, Number.POSITIVE_INFINITY);
  // Marked anew while a run is on its way: that run may not take the second mark away.
  await RollupMark.mark(table, [RollupRun.minuteOf(old)]);
  await RollupMark.remove(table, mark as RollupMark.Mark);
  expect(await RollupMark.list(table, 10, Number.POSITIVE_INFINITY)).toHaveLength(1);
  // The clock of marks is the machine's.
  await RollupRun.run(table, Date.now() + 10_000);
  expect((await totals(DAY.from, DAY.to)).requests).toBe(3);
  expect((await totals(old - MINUTE, old + 2 * MINUTE)).requests).toBe(2);
  expect(await RollupMark.list(table, 10, Number.POSITIVE_INFINITY)).toEqual([]);
});

test("after an outage the next run goes on where the last one was", async () => {
  await RollupRun.run(table, NOW);
  const later = NOW + 5 * 3_600_000;
  await store(...Array.from({ length: 10 }, (_, at) => made(NOW + at * 30 * MINUTE)));
  await RollupRun.run(table, later);
  expect((await totals(NOW - MINUTE, later)).requests).toBe(10);
});

test("accesses to the console are no traffic", async () => {
  await store(made(NOW), made(NOW, { profile: "console" }));
  await RollupRun.run(table, NOW);
  expect((await totals(DAY.from, DAY.to)).requests).toBe(1);
});

test("the gateway's administration counts in its own project alone", async () => {
  const admin = { profile: "gateway", projectId: "gateway-admin", requestType: "admin" } as const;
  await store(made(NOW), made(NOW, admin), made(NOW, { ...admin, requestType: "chat" }));
  await RollupRun.run(table, NOW);
  expect((await totals(DAY.from, DAY.to)).requests).toBe(2);
  expect((await totals(DAY.from, DAY.to, { projects: ["gateway-admin"] })).requests).toBe(2);
});

test("percentiles are within 5 % of the true ones", async () => {
  const latencies = Array.from({ length: 2_000 }, (_, at) => Math.round(1_000 * 1.004 ** at) / 1_000);
  const tally = Tally.empty();
  for (const latencyMs of latencies) Tally.add(tally, { latencyMs });
  for (const share of [0.5, 0.95, 0.99]) {
    const exact = latencies[Math.ceil(latencies.length * share) - 1] as number;
    expect(Math.abs((Tally.percentile(tally, share) as number) / exact - 1)).toBeLessThan(0.05);
  }
  expect(Tally.percentile(Tally.empty(), 0.5)).toBeNull();
});

test("a range is exact to the minute, whatever buckets cover it", async () => {
  const times = Array.from({ length: 300 }, (_, at) => DAY.from - 3 * 86_400_000 + at * 17 * MINUTE + 1_000);
  await store(...times.map((time) => made(time)));
  await RollupRun.run(table, NOW, { window: { from: times[0] as number, to: DAY.to } });
  for (const [from, to] of [
    [DAY.from - 2.3 * 86_400_000, DAY.from + 40 * MINUTE],
    [DAY.from + 5 * MINUTE, DAY.from + 7 * MINUTE],
    [DAY.from - 59 * MINUTE, DAY.from + 61 * MINUTE],
    [DAY.from - 86_400_000, DAY.from],
  ] as const) {
    const { from: begin, to: end } = RollupQuery.windowOf(from, to);
    const wanted = times.filter((time) => time >= begin && time < end).length;
    expect((await totals(from, to)).requests).toBe(wanted);
    for (const stepMs of [MINUTE * 15, 3_600_000, 86_400_000]) {
      const { groups } = await RollupQuery.series(table, {
        window: { from: begin, to: end },
        stepMs,
        reach: ALL,
        by: null,
        where: null,
      });
      expect(groups[0]?.total.requests).toBe(wanted);
    }
  }
});

describe("many values", () => {
  test("10,000 users in one minute: the most frequent are kept, the rest is counted as one", () => {
    const bucket = RollupBucket.empty();
    for (let user = 0; user < 10_000; user++) {
      for (let call = 0; call <= (user < 100 ? 3 : 0); call++) {
        const row = {
          requestId: "r",
          receivedAt: "",
          id: "",
          createdAt: "",
          projectId: "p",
          userId: `user-${user}`,
        };
        RollupBucket.add(bucket, row, "all");
      }
    }
    const item = RollupBucket.store(bucket);
    expect(item.users.length + item.dimensions.length + item.total.length).toBeLessThan(380_000);
    const read = RollupBucket.empty();
    RollupBucket.mergeStored(read, item);
    for (let user = 0; user < 100; user++) expect(read.by.user.get(`user-${user}`)?.requests).toBe(4);
    const all = [...read.by.user.values()].reduce((sum, { requests }) => sum + requests, 0);
    expect(all).toBe(10_300);
    expect(read.total.requests).toBe(10_300);
    expect(read.by.user.size).toBeGreaterThan(2_000);
  });

  test("names that no code expects", () => {
    const bucket = RollupBucket.empty();
    const names = ["__proto__", "constructor", "toString", "1", "01", "ünïcode", "\u0000"];
    for (const userId of names) {
      RollupBucket.add(
        bucket,
        { requestId: "", receivedAt: "", id: "", createdAt: "", projectId: "p", userId },
        "all",
      );
    }
    const read = RollupBucket.empty();
    RollupBucket.mergeStored(read, RollupBucket.store(bucket));
    expect([...read.by.user.keys()].sort()).toEqual([...names].sort());
  });
});
