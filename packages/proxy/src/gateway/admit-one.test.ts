/** A request alone is decided by another function than a batch: both must say the same, and leave the same behind. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  type TestGateway,
  type TestPostgres,
  testGateway,
  testPostgres,
} from "../testing/gateway-database.ts";

const CASES = 400;

let postgres: TestPostgres;
let gateway: TestGateway;

beforeAll(async () => {
  postgres = await testPostgres();
  gateway = await testGateway(await postgres.emptyDatabase());
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

const limits = () => ({
  rpm_limit: pick(null, null, 1, 5, 6),
  tpm_limit: pick(null, null, 100, 300, 310),
  max_parallel_requests: pick(null, null, 1, 3),
  max_budget: pick(null, null, 0, 1, 1.0005),
  budget_duration: pick(null, "30d", "1h", "nonsense"),
  budget_reset_at: pick(null, "2020-01-01", "2099-01-01"),
  spend: pick(0, 0, 0.9, 0.9985, 1),
  models: pick([], [], ["claude-*"], ["gpt-4"], ["all-proxy-models"]),
});

/** Somebody's key, user, team and counters. */
async function invent(at: number) {
  const [user, team, token] = [`user-${at}`, `team-${at}`, `token-${at}`];
  if (random() < 0.8) await gateway.insert("LiteLLM_UserTable", { user_id: user, ...limits() });
  if (random() < 0.8)
    await gateway.insert("LiteLLM_TeamTable", { team_id: team, blocked: random() < 0.05, ...limits() });
  if (random() < 0.05) return token;
  await gateway.insert("LiteLLM_VerificationToken", {
    token,
    user_id: pick(user, user, null),
    team_id: pick(team, team, null),
    blocked: pick(null, null, false, false, random() < 0.2),
    expires: pick(null, null, "2099-01-01", random() < 0.2 ? "2020-01-01" : null),
    aliases: pick({}, { "my-model": "claude-3-opus" }),
    metadata: pick({}, {}, { model_rpm_limit: { "my-model": 1 } }, { owner: "x" }),
    budget_id: random() < 0.1 ? "shared" : null,
    ...limits(),
    models: pick([], [], ["all-team-models"], ["my-model"], ["claude-3-opus"]),
  });
  for (const [scope, id] of [
    ["api_key", token],
    ["team", team],
    ["user", user],
  ]) {
    if (random() < 0.3) continue;
    await gateway.rows(
      "INSERT INTO central_llm.limit_state VALUES ($1, $2, now() - $3::interval, $4, $5, $6, $7)",
      [
        scope,
        id,
        pick("10 s", "30 s", "2 min"),
        pick(0, 4, 5),
        pick(0, 200, 210),
        pick(0, 2, 3),
        pick(0, 0, 1e6),
      ],
    );
  }
  return token;
}

const CHANGED = `SELECT scope, id, requests, tokens, in_flight, reserved, window_start >= $1 AS begun FROM central_llm.limit_state ORDER BY 1, 2`;
const HELD =
  "SELECT id, instance, scopes, ids, tokens, cost, expires_at - admitted_at AS lifetime FROM central_llm.reservation";
const BUDGETS = `SELECT token AS id, spend, budget_reset_at FROM "LiteLLM_VerificationToken" UNION ALL SELECT user_id, spend, budget_reset_at FROM "LiteLLM_UserTable"
  UNION ALL SELECT team_id, spend, budget_reset_at FROM "LiteLLM_TeamTable" ORDER BY 1`;

/** What the statement answers and what it leaves behind; then all is undone. */
async function outcome(text: string, values: unknown[]) {
  const client = await gateway.database.pool.connect();
  try {
    await client.query("BEGIN");
    const began = (await client.query("SELECT clock_timestamp() AS at")).rows[0].at;
    const { answer } = (await client.query(text, values)).rows[0];
    const read = async (query: string, parameters: unknown[] = []) =>
      (await client.query(query, parameters)).rows;
    return {
      answer,
      counters: await read(CHANGED, [began]),
      held: await read(HELD),
      budgets: await read(BUDGETS),
    };
  } finally {
    await client.query("ROLLBACK");
    client.release();
  }
}

/** Instants differ by the time between the two. */
function comparable(answer: { limits?: ({ resetAt: string } | null)[]; ample?: boolean; refusal?: object }) {
  const { ample: _, limits: some, refusal, ...rest } = answer;
  const minute = (resetAt: string) => Math.round(Date.parse(resetAt) / 10_000);
  return {
    ...rest,
    ...(refusal && {
      refusal: JSON.parse(JSON.stringify(refusal), (name, value) =>
        name === "resetAt" && value ? minute(value) : value,
      ),
    }),
    limits: some?.flatMap((limit) => (limit ? [{ ...limit, resetAt: minute(limit.resetAt) }] : [])),
  };
}

it(`says what a batch of one says, in ${CASES} invented cases`, async () => {
  await gateway.insert("LiteLLM_BudgetTable", {
    budget_id: "shared",
    rpm_limit: 5,
    max_budget: 1,
    created_by: "t",
    updated_by: "t",
  });
  const verdicts: Record<string, number> = {};
  for (let at = 0; at < CASES; at++) {
    await gateway.rows("TRUNCATE central_llm.limit_state");
    for (const table of ["VerificationToken", "UserTable", "TeamTable"])
      await gateway.rows(`DELETE FROM "LiteLLM_${table}"`);
    const token = await invent(at);
    const wanted = [
      randomUUID(),
      token,
      pick("my-model", "claude-3-opus"),
      pick(null, "claude-3-opus"),
      pick(0, 100, 101),
      pick(0, 1_000_000),
      60_000,
    ];
    const names = ["id", "token", "model", "alias", "tokens", "cost", "lifetime_ms"];
    const lease = pick(null, 15);
    const instance = randomUUID();
    const begin = [instance, lease, 60];
    const intervals = "$1, make_interval(secs => $2), make_interval(secs => $3)";
    const one = await outcome(
      `SELECT central_llm.admit_one(${intervals}, $4, $5, $6, $7, $8, $9, $10) AS answer`,
      [...begin, ...wanted],
    );
    const batch = await outcome(`SELECT central_llm.admit(${intervals}, $4) -> 0 AS answer`, [
      ...begin,
      JSON.stringify([Object.fromEntries(names.map((name, place) => [name, wanted[place]]))]),
    ]);
    expect({ ...one, answer: comparable(one.answer) }).toEqual({
      ...batch,
      answer: comparable(batch.answer),
    });
    const verdict =
      batch.answer.refusal?.reason ?? (one.answer.ample === undefined ? "admitted by the batch" : "admitted");
    verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
  }
  // The cases must be worth something.
  for (const verdict of [
    "admitted",
    "admitted by the batch",
    "unknown_key",
    "blocked_key",
    "expired_key",
    "model_denied",
    "over_budget",
    "rate_limited",
  ])
    expect(verdicts[verdict], verdict).toBeGreaterThan(5);
});
