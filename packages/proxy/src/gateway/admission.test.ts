import { hashKey } from "@central-llm/core/virtual-key";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  admitted,
  request,
  type TestGateway,
  type TestPostgres,
  testGateway,
  testPostgres,
  usage,
  verdict,
} from "../testing/gateway-database.ts";

let postgres: TestPostgres;
let gateway: TestGateway;

beforeAll(async () => {
  postgres = await testPostgres();
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  gateway = await testGateway(await postgres.emptyDatabase());
});
afterEach(() => gateway.close());

const ask = async (token: string, more = {}) => verdict(await gateway.ledger.admit(request(token, more)));
const many = async (count: number, token: string, more = {}) => {
  const verdicts = await Promise.all(Array.from({ length: count }, () => ask(token, more)));
  const groups = Object.groupBy(verdicts, (word) => word);
  return Object.fromEntries(Object.entries(groups).map(([word, all = []]) => [word, all.length]));
};
const minutesFromNow = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();
const state = async (scope: string, id: string) =>
  (
    await gateway.rows(
      "SELECT requests, tokens, in_flight, reserved FROM central_llm.limit_state WHERE scope = $1 AND id = $2",
      [scope, id],
    )
  )[0];

describe("who may call", () => {
  it("tells an unknown, a blocked and an expired key, and a blocked team", async () => {
    await gateway.insert("LiteLLM_TeamTable", { team_id: "closed", blocked: true, models: [] });
    expect(await ask(hashKey("sk-nobody"))).toBe("unknown_key");
    expect(await ask(await gateway.key({ blocked: true }))).toBe("blocked_key");
    expect(await ask(await gateway.key({ expires: minutesFromNow(-1) }))).toBe("expired_key");
    expect(await ask(await gateway.key({ expires: minutesFromNow(1) }))).toBe("admitted");
    expect(await ask(await gateway.key({ team_id: "closed" }))).toBe("blocked_team");
  });

  it("lets a key call the models that it and its team or user allow, by name, alias or wildcard", async () => {
    await gateway.insert("LiteLLM_TeamTable", { team_id: "opus-only", models: ["claude-3-opus"] });
    await gateway.insert("LiteLLM_UserTable", { user_id: "opus-user", models: ["claude-3-opus"] });
    const one = await gateway.key({ models: ["claude-3-opus"] });
    expect(await ask(one)).toBe("model_denied");
    expect(await ask(one, { model: "claude-3-opus" })).toBe("admitted");
    expect(await ask(one, { model: "opus", alias: "claude-3-opus" })).toBe("admitted");
    const wild = await gateway.key({ models: ["claude-3-5*"] });
    expect(await ask(wild)).toBe("admitted");
    expect(await ask(wild, { model: "claude-3_5x" })).toBe("model_denied");
    const team = await gateway.key({ team_id: "opus-only", models: ["all-team-models"] });
    expect(await ask(team)).toBe("model_denied");
    expect(await ask(team, { model: "claude-3-opus" })).toBe("admitted");
    expect(await ask(await gateway.key({ team_id: "opus-only" }))).toBe("model_denied");
    expect(await ask(await gateway.key({ user_id: "opus-user" }))).toBe("model_denied");
    const renamed = await gateway.key({ models: ["claude-3-opus"], aliases: { best: "claude-3-opus" } });
    const answer = admitted(await gateway.ledger.admit(request(renamed, { model: "best" })));
    expect(answer.call.modelAlias).toBe("claude-3-opus");
  });

  it("brings along what the database knows of the key", async () => {
    await gateway.insert("LiteLLM_TeamTable", {
      team_id: "t",
      team_alias: "Team",
      models: [],
      metadata: { pii: "block" },
    });
    await gateway.insert("LiteLLM_UserTable", { user_id: "u", user_email: "u@x.org", models: [] });
    const token = await gateway.key({
      user_id: "u",
      team_id: "t",
      key_alias: "laptop",
      spend: 1.5,
      max_budget: 9,
      metadata: { a: 1 },
    });
    expect(admitted(await gateway.ledger.admit(request(token))).call).toMatchObject({
      token,
      keyAlias: "laptop",
      userId: "u",
      userEmail: "u@x.org",
      teamId: "t",
      teamAlias: "Team",
      spend: 1.5,
      maxBudget: 9,
      metadata: { a: 1 },
      teamMetadata: { pii: "block" },
    });
  });

  it("takes hostile text for what it is: text", async () => {
    const token = await gateway.key({ models: ["claude-3-5-sonnet"] });
    for (const model of [
      '\'; DROP TABLE "LiteLLM_VerificationToken"; --',
      "a\0b",
      "\ud800",
      "%",
      "*",
      "$1",
      "\\",
    ]) {
      expect(await ask(token, { model })).toBe("model_denied");
      expect(await ask(`${model}' OR '1'='1`)).toBe("unknown_key");
    }
    expect(await ask(token)).toBe("admitted");
  });
});

describe("rates", () => {
  it("admits exactly rpm_limit of 2,000 concurrent requests, and counts no refused one", async () => {
    const token = await gateway.key({ rpm_limit: 100 });
    expect(await many(2_000, token)).toEqual({ admitted: 100, "rate_limited:api_key:requests": 1_900 });
    expect(await state("api_key", token)).toMatchObject({ requests: 100, tokens: 1_000, in_flight: 100 });
  });

  it("admits exactly what fits tpm_limit, and gives back what was reserved but not used", async () => {
    const token = await gateway.key({ tpm_limit: 1_000 });
    const first = admitted(await gateway.ledger.admit(request(token, { tokens: 600 })));
    expect(await ask(token, { tokens: 500 })).toBe("rate_limited:api_key:tokens");
    expect(await ask(token, { tokens: 400 })).toBe("admitted");
    await gateway.ledger.settle(first.reservation, usage("r1", { promptTokens: 50, completionTokens: 50 }));
    expect(await state("api_key", token)).toMatchObject({ tokens: 500, in_flight: 1 });
    expect(await many(200, token, { tokens: 10 })).toEqual({
      admitted: 50,
      "rate_limited:api_key:tokens": 150,
    });
  });

  it("admits exactly max_parallel_requests at a time", async () => {
    const token = await gateway.key({ max_parallel_requests: 5 });
    const all = await Promise.all(Array.from({ length: 300 }, () => gateway.ledger.admit(request(token))));
    const running = all.filter((admission) => admission.outcome === "admitted").map(admitted);
    expect(running).toHaveLength(5);
    expect(await ask(token)).toBe("rate_limited:api_key:max_parallel_requests");
    await Promise.all(
      running.slice(0, 2).map(({ reservation }, at) => gateway.ledger.settle(reservation, usage(`p${at}`))),
    );
    expect(await many(10, token)).toEqual({ admitted: 2, "rate_limited:api_key:max_parallel_requests": 8 });
  });

  it("limits the user, the team and a key's single model as well, over all their keys", async () => {
    await gateway.insert("LiteLLM_UserTable", { user_id: "u", rpm_limit: 3, models: [] });
    await gateway.insert("LiteLLM_TeamTable", { team_id: "t", rpm_limit: 4, models: [] });
    const a = await gateway.key({ user_id: "u" });
    const b = await gateway.key({ user_id: "u", team_id: "t" });
    const c = await gateway.key({
      team_id: "t",
      metadata: { model_rpm_limit: { "claude-3-opus": 1, broken: "x" } },
    });
    const together = await Promise.all([many(5, a), many(5, b)]);
    expect(together.reduce((sum, one) => sum + (one.admitted ?? 0), 0)).toBe(3);
    const left = 4 - Number((await state("team", "t"))?.requests ?? 0);
    expect(await many(2, c, { model: "claude-3-opus" })).toEqual({
      admitted: 1,
      "rate_limited:model:requests": 1,
    });
    expect(await many(9, c, { model: "broken" })).toEqual({
      admitted: left - 1,
      "rate_limited:team:requests": 9 - left + 1,
    });
  });

  it("begins a window with the first request after the last one, and forgets what the last one counted", async () => {
    await gateway.close();
    gateway = await testGateway(gateway.url, { RATE_LIMIT_WINDOW_SECONDS: 1 });
    const token = await gateway.key({ rpm_limit: 2, tpm_limit: 100 });
    const first = admitted(await gateway.ledger.admit(request(token, { tokens: 90 })));
    expect(first.limits).toMatchObject([{ scope: "api_key", rpm: 2, requests: 1, tpm: 100, tokens: 90 }]);
    expect(await ask(token, { tokens: 20 })).toBe("rate_limited:api_key:tokens");
    const opened = first.limits[0]?.resetAt.getTime() ?? 0;
    while (Date.now() <= opened) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await many(3, token, { tokens: 30 })).toEqual({ admitted: 2, "rate_limited:api_key:requests": 1 });
    await gateway.ledger.settle(first.reservation, usage("late", { promptTokens: 0, completionTokens: 0 }));
    expect(await state("api_key", token)).toMatchObject({ requests: 2, tokens: 60, in_flight: 2 });
  });
});

describe("budgets", () => {
  it("never lets 500 concurrent requests spend more than the budget of key, user or team", async () => {
    await gateway.insert("LiteLLM_TeamTable", { team_id: "poor", max_budget: 1, models: [] });
    const key = await gateway.key({ max_budget: 1 });
    const team = await gateway.key({ team_id: "poor" });
    for (const token of [key, team]) {
      const all = await Promise.all(
        Array.from({ length: 500 }, () => gateway.ledger.admit(request(token, { cost: 0.03 }))),
      );
      const running = all.filter((admission) => admission.outcome === "admitted").map(admitted);
      expect(running).toHaveLength(33);
      await Promise.all(
        running.map(({ reservation }, at) =>
          gateway.ledger.settle(reservation, usage(`${token}-${at}`, { cost: 0.02 })),
        ),
      );
      expect(await many(100, token, { cost: 0.03 })).toEqual({ admitted: 11, over_budget: 89 });
    }
    const [spent] = await gateway.rows('SELECT spend FROM "LiteLLM_VerificationToken" WHERE token = $1', [
      key,
    ]);
    expect(spent?.spend).toBeCloseTo(0.66, 9);
  });

  it("says 403 when the spend alone is over, also for a request that costs nothing", async () => {
    expect(await ask(await gateway.key({ max_budget: 2, spend: 2 }), { cost: 0 })).toBe("over_budget");
    expect(await ask(await gateway.key({ max_budget: 0 }), { cost: 0 })).toBe("over_budget");
  });

  it("takes limits of the key's budget where the key has none of its own", async () => {
    await gateway.insert("LiteLLM_BudgetTable", {
      budget_id: "b",
      rpm_limit: 1,
      max_budget: 5,
      created_by: "x",
      updated_by: "x",
    });
    const token = await gateway.key({ budget_id: "b" });
    expect(await many(2, token)).toEqual({ admitted: 1, "rate_limited:api_key:requests": 1 });
    expect(await ask(await gateway.key({ budget_id: "b", spend: 6, rpm_limit: 9 }))).toBe("over_budget");
  });

  it("starts a budget anew when its duration is over, on the calendar's edges", async () => {
    const token = await gateway.key({
      max_budget: 1,
      spend: 1,
      budget_duration: "30d",
      budget_reset_at: minutesFromNow(-1),
    });
    expect(await ask(token)).toBe("admitted");
    const [row] = await gateway.rows(
      'SELECT spend, budget_reset_at FROM "LiteLLM_VerificationToken" WHERE token = $1',
      [token],
    );
    const now = new Date();
    expect(row).toEqual({
      spend: 0,
      budget_reset_at: new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1)),
    });
    const edges = await gateway.rows(
      "SELECT d, central_llm.next_reset(d, '2026-11-21 10:07:31') AS at FROM unnest($1::text[]) d",
      [["1d", "7d", "30d", "1mo", "2mo", "10d", "1h", "12h", "15m", "30s", "1w", "0d", "x"]],
    );
    expect(
      Object.fromEntries(edges.map(({ d, at }) => [d, at && (at as Date).toISOString().slice(0, 19)])),
    ).toEqual({
      "1d": "2026-11-22T00:00:00",
      "7d": "2026-11-23T00:00:00",
      "30d": "2026-12-01T00:00:00",
      "1mo": "2026-12-01T00:00:00",
      "2mo": "2027-01-01T00:00:00",
      "10d": "2026-12-01T00:00:00",
      "1h": "2026-11-21T11:00:00",
      "12h": "2026-11-21T12:00:00",
      "15m": "2026-11-21T10:15:00",
      "30s": "2026-11-21T10:08:00",
      "1w": "2026-11-23T00:00:00",
      "0d": null,
      x: null,
    });
  });
});
