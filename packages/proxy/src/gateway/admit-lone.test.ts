/** A request alone is decided by another function than a batch: both must say the same, and leave the same behind. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  connect,
  type TestGateway,
  type TestPostgres,
  testGateway,
  testPostgres,
} from "../testing/gateway-database.ts";
import { type Answer, type Asking, decide } from "./admission-statement.ts";
import { migrate } from "./migrate.ts";

const CASES = 1_000;

let postgres: TestPostgres;
let gateway: TestGateway;

beforeAll(async () => {
  postgres = await testPostgres();
  // One connection: each case is a transaction that is undone.
  gateway = await testGateway(await postgres.emptyDatabase(), { DATABASE_POOL_SIZE: 1 });
  // Its housekeeping would change budgets between the two.
  await gateway.ledger.close(0);
});
afterAll(async () => {
  await gateway.close();
  await postgres.stop();
});

/** The same cases in every run (mulberry32). */
let seed = 20_261_121;
function random(): number {
  seed = (seed + 0x6d2b79f5) | 0;
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}
const pick = <Value>(...values: Value[]): Value => values[Math.floor(random() * values.length)] as Value;

/** Few have many limits: of each rule there are cases in which it alone decides. */
const rarely = <Value>(...values: Value[]): Value | null => (random() < 0.2 ? pick(...values) : null);

const limits = () => ({
  rpm_limit: rarely(1, 5, 6),
  tpm_limit: rarely(100, 300, 310),
  max_parallel_requests: rarely(1, 3),
  max_budget: rarely(0, 1, 1, 1.0005),
  budget_duration: rarely("30d", "1h", "nonsense"),
  budget_reset_at: pick(null, "2020-01-01", "2099-01-01"),
  spend: pick(0, 0.9985, 0.9985, 1),
  models: rarely(["claude-*"], ["gpt-4"], ["all-proxy-models"]) ?? [],
});

type Limits = ReturnType<typeof limits>;
const isLimited = ({ rpm_limit, tpm_limit, max_parallel_requests, max_budget }: Limits) =>
  [rpm_limit, tpm_limit, max_parallel_requests, max_budget].some((limit) => limit !== null);

/** Somebody's key, user, team and counters. */
async function invent(at: number) {
  const [user, team, token] = [`user-${at}`, `team-${at}`, `token-${at}`];
  const [ofUser, ofTeam, ofKey] = [limits(), limits(), limits()];
  if (random() < 0.8) await gateway.insert("LiteLLM_UserTable", { user_id: user, ...ofUser });
  if (random() < 0.8)
    await gateway.insert("LiteLLM_TeamTable", { team_id: team, blocked: random() < 0.05, ...ofTeam });
  if (random() < 0.05) return token;
  await gateway.insert("LiteLLM_VerificationToken", {
    token,
    user_id: pick(user, user, user, null),
    team_id: pick(team, team, team, null),
    blocked: rarely(false, false, true),
    expires: rarely("2099-01-01", "2099-01-01", "2020-01-01"),
    aliases: pick({}, { "my-model": "claude-3-opus" }),
    metadata: rarely({ model_rpm_limit: { "my-model": 1 } }, { owner: "x" }) ?? {},
    budget_id: random() < 0.15 ? "shared" : null,
    ...ofKey,
    models: rarely(["all-team-models"], ["my-model"], ["claude-3-opus"]) ?? [],
  });
  for (const [scope, id, its] of [
    ["api_key", token, ofKey],
    ["team", team, ofTeam],
    ["user", user, ofUser],
  ] as const) {
    // What is limited has counters from its first request on; what was limited may have some left.
    if (random() < (isLimited(its) ? 0.1 : 0.9)) continue;
    await gateway.rows(
      "INSERT INTO central_llm.limit_state VALUES ($1, $2, now() - $3::interval, $4, $5, $6, $7)",
      [
        scope,
        id,
        pick("10 s", "30 s", "2 min"),
        // A window that runs has a request in it.
        pick(1, 4, 5),
        pick(0, 200, 210),
        pick(0, 2, 3),
        pick(0, 1e6),
      ],
    );
  }
  return token;
}

/** Of a window that is over nothing counts any more. */
const CHANGED = `SELECT scope, id, in_flight, reserved, CASE WHEN running THEN requests ELSE 0 END AS requests,
    CASE WHEN running THEN tokens ELSE 0 END AS tokens, running AND window_start >= $1 AS begun
  FROM central_llm.limit_state, LATERAL (SELECT window_start > $1::timestamptz - interval '60 s' AS running) running ORDER BY 1, 2`;
const HELD =
  "SELECT id, instance, scopes, ids, tokens, cost, expires_at - admitted_at > interval '59 s' AS lasting FROM central_llm.reservation";
const BUDGETS = `SELECT token AS id, spend, budget_reset_at FROM "LiteLLM_VerificationToken" UNION ALL SELECT user_id, spend, budget_reset_at FROM "LiteLLM_UserTable"
  UNION ALL SELECT team_id, spend, budget_reset_at FROM "LiteLLM_TeamTable" ORDER BY 1`;

/** What is answered and what it leaves behind; then that is undone. */
async function outcome(asking: Asking, requests: Parameters<typeof decide>[2]) {
  await gateway.rows("SAVEPOINT before");
  const [{ at: began } = {}] = await gateway.rows("SELECT clock_timestamp() AS at");
  const [answer] = await decide(gateway.database.pool, asking, requests);
  if (!answer || !(began instanceof Date)) throw new Error("no answer");
  const left = {
    decidedBy: answer.ample === undefined ? "the batch's function" : "its own",
    reason: answer.refusal?.reason,
    answer: comparable(answer, began),
    counters: await gateway.rows(CHANGED, [began]),
    held: await gateway.rows(HELD),
    budgets: await gateway.rows(BUDGETS),
  };
  await gateway.rows("ROLLBACK TO SAVEPOINT before");
  return left;
}

/** Windows begin when they are asked for; only of a lone request it is told what is ample. */
const comparable = ({ ample: _, ...answer }: Answer, began: Date): unknown =>
  JSON.parse(JSON.stringify(answer), (name, value) => {
    const left = name === "resetAt" ? Date.parse(value) - began.getTime() : Number.NaN;
    return left < 120_000 ? `in ${Math.round(left / 10_000)}0 s` : value;
  });

it(`says what a batch says, and leaves behind what it leaves, in ${CASES} invented cases`, async () => {
  await gateway.insert("LiteLLM_BudgetTable", {
    budget_id: "shared",
    rpm_limit: 5,
    max_budget: 1,
    created_by: "t",
    updated_by: "t",
  });
  const verdicts: Record<string, number> = {};
  for (let at = 0; at < CASES; at++) {
    await gateway.rows("BEGIN");
    const request = {
      token: await invent(at),
      model: pick("my-model", "claude-3-opus"),
      alias: pick(null, "claude-3-opus"),
      tokens: pick(0, 100, 101),
      cost: pick(0, 0.001, 0.001),
      lifetimeMs: 60_000,
    };
    const asking = { instance: randomUUID(), leaseSeconds: pick(null, 15), windowSeconds: 60 };
    const wanted = { id: randomUUID(), request };
    // Beside one of a key that there is not, a request is decided by the batch's function.
    const stranger = { id: randomUUID(), request: { ...request, token: "nobody" } };
    const lone = await outcome(asking, [wanted]);
    const batch = await outcome(asking, [wanted, stranger]);
    await gateway.rows("ROLLBACK");
    expect(lone).toEqual({ ...batch, decidedBy: lone.decidedBy });
    const verdict = lone.reason ?? `admitted by ${lone.decidedBy}`;
    verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
  }
  // The cases must be worth something.
  for (const verdict of [
    "admitted by its own",
    "admitted by the batch's function",
    "unknown_key",
    "blocked_key",
    "expired_key",
    "model_denied",
    "over_budget",
    "rate_limited",
  ])
    expect(verdicts[verdict], verdict).toBeGreaterThan(5);
});

it("counts each request in one window, from window to window, when many come alone at once", async () => {
  const database = connect(await postgres.emptyDatabase(), { DATABASE_POOL_SIZE: 8 });
  await migrate(database);
  const { pool } = database;
  await pool.query(`INSERT INTO "LiteLLM_TeamTable" (team_id, models, rpm_limit) VALUES ('team', '{}', 20)`);
  await pool.query(
    `INSERT INTO "LiteLLM_VerificationToken" (token, models, team_id, rpm_limit) VALUES ('a', '{}', 'team', 12), ('b', '{}', 'team', 12)`,
  );
  const asking = { instance: randomUUID(), leaseSeconds: 60, windowSeconds: 0.25 };
  const places = new Map<string, number[]>();
  const full = new Set<string>();
  const admitted: string[] = [];
  async function ask(token: string): Promise<void> {
    const id = randomUUID();
    const request = { token, model: "m", tokens: 10, cost: 0.001 };
    const [answer] = await decide(pool, asking, [{ id, request }]);
    if (answer?.refusal) return;
    admitted.push(id);
    for (const { scope, requests, rpm, resetAt } of answer?.limits ?? []) {
      const window = `${scope === "team" ? scope : token} until ${resetAt.toISOString()}`;
      places.set(window, [...(places.get(window) ?? []), requests]);
      if (requests === rpm) full.add(window);
    }
  }
  await Promise.all(
    ["a", "b", "a", "b", "a", "b", "a", "b"].map(async (token) => {
      while ([...full].filter((window) => window.startsWith("team")).length < 3) await ask(token);
    }),
  );
  for (const [window, counted] of places) {
    counted.sort((one, other) => one - other);
    expect(counted, window).toEqual(counted.map((_, at) => at + 1));
    expect(counted.length, window).toBeLessThanOrEqual(window.startsWith("team") ? 20 : 12);
  }
  await pool.query("SELECT central_llm.release($1, $2)", [admitted, admitted.map(() => null)]);
  const left = await pool.query(
    "SELECT count(*)::int, sum(in_flight)::int AS flying, sum(reserved)::int AS reserved FROM central_llm.limit_state",
  );
  expect(left.rows).toEqual([{ count: 3, flying: 0, reserved: 0 }]);
  await database.close();
});
