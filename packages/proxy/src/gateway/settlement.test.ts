import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  admitted,
  connect,
  eventually,
  request,
  type TestGateway,
  type TestPostgres,
  testGateway,
  testPostgres,
  usage,
  verdict,
} from "../testing/gateway-database.ts";
import { Settlements } from "./settlement.ts";

let postgres: TestPostgres;
let gateway: TestGateway;

beforeAll(async () => {
  postgres = await testPostgres();
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  gateway = await testGateway(await postgres.emptyDatabase(), { RESERVATION_LEASE_SECONDS: 2 });
});
afterEach(() => gateway.close());

const admit = async (token: string, more = {}) =>
  admitted(await gateway.ledger.admit(request(token, more))).reservation;
const spendOf = async (table: string, column: string, id: string) =>
  (await gateway.rows(`SELECT spend FROM "${table}" WHERE ${column} = $1`, [id]))[0]?.spend;

describe("settlement", () => {
  it("writes LiteLLM's row and adds the cost to key, user and team, once, however often it is asked", async () => {
    await gateway.insert("LiteLLM_UserTable", { user_id: "u", models: [], spend: 1 });
    await gateway.insert("LiteLLM_TeamTable", { team_id: "t", models: [], spend: 2 });
    const token = await gateway.key({ user_id: "u", team_id: "t", max_budget: 10 });
    const reservation = await admit(token);
    const used = usage("01890000-0000-7000-8000-000000000001", {
      cost: 0.25,
      promptTokens: 11,
      completionTokens: 22,
      endUser: "bob",
      clientIp: "10.0.0.1",
      sessionId: "s",
      tags: ["a"],
      metadata: { note: "nul \0 and \ud800" },
      startedAt: Date.UTC(2026, 10, 21, 10),
      firstTokenAt: Date.UTC(2026, 10, 21, 10, 0, 1),
      endedAt: Date.UTC(2026, 10, 21, 10, 0, 2),
    });
    await Promise.all([1, 2, 3].map(() => gateway.ledger.settle(reservation, used)));
    await gateway.ledger.settle(reservation, used);
    const rows = await gateway.rows('SELECT * FROM "LiteLLM_SpendLogs"');
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      request_id: used.requestId,
      call_type: "acompletion",
      api_key: token,
      spend: 0.25,
      total_tokens: 33,
      prompt_tokens: 11,
      completion_tokens: 22,
      startTime: new Date(Date.UTC(2026, 10, 21, 10)),
      completionStartTime: new Date(Date.UTC(2026, 10, 21, 10, 0, 1)),
      request_duration_ms: 2000,
      model: used.model,
      model_group: "claude-3-5-sonnet",
      custom_llm_provider: "bedrock",
      user: "u",
      team_id: "t",
      end_user: "bob",
      requester_ip_address: "10.0.0.1",
      session_id: "s",
      request_tags: ["a"],
      status: "success",
    });
    expect(await spendOf("LiteLLM_VerificationToken", "token", token)).toBe(0.25);
    expect(await spendOf("LiteLLM_UserTable", "user_id", "u")).toBe(1.25);
    expect(await spendOf("LiteLLM_TeamTable", "team_id", "t")).toBe(2.25);
    expect(await gateway.rows("SELECT in_flight, reserved FROM central_llm.limit_state")).toEqual([
      { in_flight: 0, reserved: 0 },
    ]);
    expect(await gateway.rows("SELECT FROM central_llm.reservation")).toHaveLength(0);
  });

  it("gives a released request's tokens and cost back, and keeps its place in the request count", async () => {
    const token = await gateway.key({
      rpm_limit: 5,
      tpm_limit: 100,
      max_budget: 1,
      max_parallel_requests: 1,
    });
    await gateway.ledger.release(await admit(token, { tokens: 100, cost: 1 }));
    const [state] = await gateway.rows(
      "SELECT requests, tokens, in_flight, reserved FROM central_llm.limit_state",
    );
    expect(state).toEqual({ requests: 1, tokens: 0, in_flight: 0, reserved: 0 });
    expect(verdict(await gateway.ledger.admit(request(token, { tokens: 100, cost: 1 })))).toBe("admitted");
  });

  it("is not held up by a row that PostgreSQL refuses", async () => {
    const token = await gateway.key();
    const reservation = await admit(token);
    const outcomes = await Promise.allSettled([
      ...Array.from({ length: 5 }, (_, at) => gateway.ledger.settle(reservation, usage(`good-${at}`))),
      gateway.ledger.settle(reservation, usage("bad", { cost: "dear" as unknown as number })),
      ...Array.from({ length: 5 }, (_, at) => gateway.ledger.settle(reservation, usage(`fine-${at}`))),
    ]);
    expect(outcomes.map(({ status }) => status).filter((status) => status === "rejected")).toHaveLength(1);
    expect(await gateway.rows('SELECT FROM "LiteLLM_SpendLogs"')).toHaveLength(10);
    expect(gateway.ledger.pendingSettlements()).toBe(0);
  });

  it("refuses more than may wait, and says so", async () => {
    const database = connect("postgresql://postgres:x@127.0.0.1:1/none");
    const settlements = new Settlements(database.settlement, 2);
    const one = settlements.settle(
      { id: null, token: "t", userId: null, teamId: null, ample: false },
      usage("1"),
    );
    const two = settlements.settle(
      { id: null, token: "t", userId: null, teamId: null, ample: false },
      usage("2"),
    );
    await expect(
      settlements.settle({ id: null, token: "t", userId: null, teamId: null, ample: false }, usage("3")),
    ).rejects.toThrow(/waiting/);
    expect(settlements.pendingSettlements).toBe(2);
    settlements.stop();
    await expect(one).rejects.toThrow("stops");
    await expect(two).rejects.toThrow("stops");
    await database.close();
  });
});

describe("leases", () => {
  it("gives back what a process held that renews its lease no more, and nothing of one that does", async () => {
    const token = await gateway.key({ max_parallel_requests: 2, max_budget: 1 });
    const dead = await testGateway(gateway.url, { RESERVATION_LEASE_SECONDS: 2 });
    await admit(token, { cost: 0.3 });
    admitted(await dead.ledger.admit(request(token, { cost: 0.3 })));
    expect(verdict(await gateway.ledger.admit(request(token)))).toBe(
      "rate_limited:api_key:max_parallel_requests",
    );
    await dead.close(); // Ends its lease without settling.
    await eventually(
      async () => verdict(await gateway.ledger.admit(request(token, { cost: 0.6 }))) === "admitted",
      "the dead process's reservation is released",
    );
    const [state] = await gateway.rows("SELECT in_flight, reserved FROM central_llm.limit_state");
    expect(state).toEqual({ in_flight: 2, reserved: 900_000_000 });
  });

  it("ends a reservation at its own time, too", async () => {
    const token = await gateway.key({ max_parallel_requests: 1 });
    await admit(token, { lifetimeMs: 1 });
    await eventually(
      async () => verdict(await gateway.ledger.admit(request(token))) === "admitted",
      "it lapses",
    );
  });

  it("starts budgets anew that nobody asks for", async () => {
    const token = await gateway.key({
      max_budget: 5,
      spend: 4,
      budget_duration: "1d",
      budget_reset_at: "2026-01-01T00:00:00Z",
    });
    await gateway.insert("LiteLLM_UserTable", {
      user_id: "u",
      models: [],
      spend: 3,
      budget_duration: "1h",
      budget_reset_at: "2026-01-01T00:00:00Z",
    });
    await eventually(
      async () => (await spendOf("LiteLLM_VerificationToken", "token", token)) === 0,
      "the key's spend is reset",
    );
    await eventually(
      async () => (await spendOf("LiteLLM_UserTable", "user_id", "u")) === 0,
      "the user's spend is reset",
    );
  });
});
