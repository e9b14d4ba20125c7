import { hashKey } from "@central-llm/core/virtual-key";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AdminServer, adminServer } from "../testing/admin-server.ts";
import {
  type TestGateway,
  type TestPostgres,
  testGateway,
  testPostgres,
  usage,
} from "../testing/gateway-database.ts";
import * as SpendReport from "./spend-report.ts";

const NOW = new Date("2026-11-21T12:00:00Z");
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const KEY = "sk-report-0123456789abc";

let postgres: TestPostgres;
let gateway: TestGateway;
let admin: AdminServer;

beforeAll(async () => {
  postgres = await testPostgres();
  gateway = await testGateway(await postgres.emptyDatabase());
  admin = await adminServer(gateway.database);
  const token = hashKey(KEY);
  const keys = [
    { token, key_alias: "near", max_budget: 1, spend: 0.5, user_id: "ann" },
    { token: "free", models: [] },
    { token: "far", max_budget: 100, spend: 80 },
    { token: "none", max_budget: 0, spend: 0 },
  ];
  for (const key of keys) await gateway.key(key);
  const calls: [
    who: string,
    team: string,
    model: string,
    ageMs: number,
    cost: number,
    status: "success" | "failure",
  ][] = [
    ["ann", "red", "claude-3-opus", HOUR, 0.3, "success"],
    ["ann", "red", "claude-3-5-sonnet", 2 * DAY, 0.1, "success"],
    ["bob", "blue", "claude-3-5-sonnet", 23 * HOUR, 0.2, "success"],
    ["bob", "blue", "claude-3-5-sonnet", 8 * DAY, 0.4, "failure"],
    ["cyd", "red", "claude-3-opus", 29 * DAY, 5, "success"],
    ["cyd", "red", "claude-3-opus", 31 * DAY, 7, "success"],
  ];
  for (const [at, [userId, teamId, model, age, cost, status]] of calls.entries()) {
    const startedAt = NOW.getTime() - age;
    await gateway.ledger.settle(
      { id: null, token: userId === "ann" ? token : "free", userId, teamId, ample: false },
      usage(`r${at}`, {
        modelGroup: model,
        cost,
        status,
        startedAt,
        endedAt: startedAt + 100,
        promptTokens: 10,
        completionTokens: at,
        endUser: "c",
      }),
    );
  }
});
afterAll(async () => {
  await admin.close();
  await gateway.close();
  await postgres.stop();
});

const rounded = (value: unknown) =>
  JSON.parse(JSON.stringify(value), (_, inner) =>
    typeof inner === "number" ? Math.round(inner * 1e9) / 1e9 : inner,
  );

describe("the four reports of seed 004 §8.4", () => {
  it("total spend by user, last 30 days", async () => {
    expect(rounded(await SpendReport.spendByUser(gateway.database.pool, NOW))).toEqual([
      { user: "cyd", spend: 5, requests: 1, total_tokens: 14 },
      { user: "bob", spend: 0.6, requests: 2, total_tokens: 25 },
      { user: "ann", spend: 0.4, requests: 2, total_tokens: 21 },
    ]);
  });

  it("requests and tokens by model, last 7 days", async () => {
    expect(await SpendReport.requestsByModel(gateway.database.pool, NOW)).toEqual([
      { model: "claude-3-5-sonnet", requests: 2, prompt_tokens: 20, completion_tokens: 3, total_tokens: 23 },
      { model: "claude-3-opus", requests: 1, prompt_tokens: 10, completion_tokens: 0, total_tokens: 10 },
    ]);
  });

  it("keys above 80 % of their budget: above, not at", async () => {
    const rows = await SpendReport.keysNearBudget(gateway.database.pool);
    expect(rounded(rows)).toMatchObject([
      { key_alias: "near", user: "ann", spend: 0.9, max_budget: 1, used: 0.9 },
    ]);
    expect(await SpendReport.keysNearBudget(gateway.database.pool, 0.79)).toHaveLength(2);
  });

  it("active users, last 24 hours", async () => {
    expect(rounded(await SpendReport.activeUsers(gateway.database.pool, NOW))).toEqual({
      active_users: 2,
      users: [
        { user: "ann", requests: 1, total_tokens: 10, spend: 0.3 },
        { user: "bob", requests: 1, total_tokens: 12, spend: 0.2 },
      ],
    });
  });
});

describe("LiteLLM's reports over HTTP", () => {
  const get = async (path: string, key?: string) => {
    const { status, body } = await admin.call("GET", path, undefined, key);
    expect(status).toBe(200);
    return rounded(body);
  };
  const RANGE = "start_date=2026-11-01&end_date=2026-11-21";

  it("/spend/logs: rows by request, key or user, newest first, or sums by day", async () => {
    expect(await get("/spend/logs?request_id=r3")).toMatchObject([
      { request_id: "r3", status: "failure", startTime: "2026-11-13T12:00:00.000Z" },
    ]);
    expect(
      (await get(`/spend/logs?api_key=${KEY}`)).map((row: { request_id: string }) => row.request_id),
    ).toEqual(["r0", "r1"]);
    expect(
      (await get(`/spend/logs?user_id=bob&${RANGE}&summarize=false`)).map(
        (row: { request_id: string }) => row.request_id,
      ),
    ).toEqual(["r2", "r3"]);
    expect(await get(`/spend/logs?${RANGE}&user_id=ann`)).toEqual([
      {
        startTime: "2026-11-19",
        spend: 0.1,
        users: { ann: 0.1 },
        models: { "claude-3-5-sonnet": 0.1 },
        api_keys: { [hashKey(KEY)]: 0.1 },
      },
      {
        startTime: "2026-11-21",
        spend: 0.3,
        users: { ann: 0.3 },
        models: { "claude-3-opus": 0.3 },
        api_keys: { [hashKey(KEY)]: 0.3 },
      },
    ]);
    expect((await admin.call("GET", "/spend/logs?start_date=yesterday")).status).toBe(422);
    expect((await admin.call("GET", "/spend/logs?start_date=2026-11-02&end_date=2026-11-01")).status).toBe(
      400,
    );
  });

  it("/global/spend/report by team, customer and key", async () => {
    expect(await get(`/global/spend/report?${RANGE}&group_by=team`)).toEqual([
      {
        group_by_day: "2026-11-13",
        teams: [
          {
            team_name: "blue",
            total_spend: 0.4,
            metadata: [{ model: "claude-3-5-sonnet", spend: 0.4, total_tokens: 13, api_requests: 1 }],
          },
        ],
      },
      {
        group_by_day: "2026-11-19",
        teams: [
          {
            team_name: "red",
            total_spend: 0.1,
            metadata: [{ model: "claude-3-5-sonnet", spend: 0.1, total_tokens: 11, api_requests: 1 }],
          },
        ],
      },
      {
        group_by_day: "2026-11-20",
        teams: [
          {
            team_name: "blue",
            total_spend: 0.2,
            metadata: [{ model: "claude-3-5-sonnet", spend: 0.2, total_tokens: 12, api_requests: 1 }],
          },
        ],
      },
      {
        group_by_day: "2026-11-21",
        teams: [
          {
            team_name: "red",
            total_spend: 0.3,
            metadata: [{ model: "claude-3-opus", spend: 0.3, total_tokens: 10, api_requests: 1 }],
          },
        ],
      },
    ]);
    expect((await get(`/global/spend/report?${RANGE}&group_by=customer`))[0].customers).toMatchObject([
      { customer: "c" },
    ]);
    expect((await get(`/global/spend/report?${RANGE}&group_by=api_key`))[3].api_keys).toMatchObject([
      { api_key: hashKey(KEY) },
    ]);
  });

  it("/spend/report: totals by any of key, user, team, model and day", async () => {
    expect(await get(`/spend/report?${RANGE}&group_by=team,model`)).toMatchObject([
      { team: "blue", model: "claude-3-5-sonnet", spend: 0.6, requests: 2, failed_requests: 1 },
      { team: "red", model: "claude-3-opus", spend: 0.3 },
      { team: "red", model: "claude-3-5-sonnet", spend: 0.1 },
    ]);
    expect((await get(`/spend/report?${RANGE}&group_by=day`)).map(({ day }: { day: string }) => day)).toEqual(
      ["2026-11-13", "2026-11-19", "2026-11-20", "2026-11-21"],
    );
    expect((await admin.call("GET", "/spend/report?group_by=user;DROP")).status).toBe(422);
  });

  it("/user/daily/activity: days with metrics and breakdown; a key's holder sees its own", async () => {
    const all = await get(`/user/daily/activity?${RANGE}&page_size=2`);
    expect(all.results.map(({ date }: { date: string }) => date)).toEqual(["2026-11-21", "2026-11-20"]);
    expect(all.metadata).toMatchObject({
      total_spend: 1,
      total_api_requests: 4,
      total_failed_requests: 1,
      page: 1,
      total_pages: 2,
      has_more: true,
    });
    expect(all.results[0]).toMatchObject({
      metrics: { spend: 0.3, api_requests: 1, successful_requests: 1, total_tokens: 10 },
      breakdown: {
        models: { "claude-3-opus": { metrics: { spend: 0.3 } } },
        providers: { bedrock: {} },
        api_keys: { [hashKey(KEY)]: {} },
      },
    });
    expect((await get(`/user/daily/activity?${RANGE}&user_id=bob`, KEY)).metadata.total_spend).toBe(0.4);
  });
});
