import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { startPostgres } from "@central-llm/local/postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  connect,
  eventually,
  request,
  type TestGateway,
  type TestPostgres,
  testGateway,
  testPostgres,
  verdict,
} from "../testing/gateway-database.ts";
import type { Done, Order } from "../testing/gateway-worker.ts";

const WORKER = new URL("../testing/gateway-worker.ts", import.meta.url);
const PROCESSES = 4;

let postgres: TestPostgres;
let gateway: TestGateway;
const children: ChildProcess[] = [];

async function startProcess(settings: Record<string, unknown> = {}) {
  const child = fork(WORKER, {
    env: { ...process.env, GATEWAY: JSON.stringify({ url: gateway.url, settings }) },
  });
  children.push(child);
  const [ready] = await once(child, "message");
  expect(ready).toBe("ready");
  return {
    child,
    async order(order: Order): Promise<Done> {
      child.send(order);
      const [done] = await once(child, "message");
      return done as Done;
    },
  };
}
type Process = Awaited<ReturnType<typeof startProcess>>;

const orderAll = async (processes: Process[], order: Order) => {
  const done = await Promise.all(processes.map((one) => one.order(order)));
  const verdicts: Record<string, number> = {};
  for (const one of done)
    for (const [word, count] of Object.entries(one.verdicts)) verdicts[word] = (verdicts[word] ?? 0) + count;
  return { verdicts, settled: done.flatMap(({ settled }) => settled) };
};
const counters = async (token: string) =>
  (
    await gateway.rows("SELECT * FROM central_llm.limit_state WHERE scope = 'api_key' AND id = $1", [token])
  )[0];
const spend = async (token: string) =>
  Number(
    (await gateway.rows('SELECT spend FROM "LiteLLM_VerificationToken" WHERE token = $1', [token]))[0]?.spend,
  );

let processes: Process[];

beforeAll(async () => {
  postgres = await testPostgres({ durable: true });
  gateway = await testGateway(await postgres.emptyDatabase());
  const settings = { RESERVATION_LEASE_SECONDS: 2 };
  processes = await Promise.all(Array.from({ length: PROCESSES }, () => startProcess(settings)));
});
afterAll(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await gateway.close();
  await postgres.stop();
});

describe("four processes on one database", () => {
  it("admit exactly rpm_limit, tpm_limit and max_parallel_requests of 2,000 concurrent requests", async () => {
    const rpm = await gateway.key({ rpm_limit: 100 });
    expect((await orderAll(processes, { count: 500, request: request(rpm) })).verdicts).toEqual({
      admitted: 100,
      "rate_limited:api_key:requests": 1_900,
    });
    const tpm = await gateway.key({ tpm_limit: 1_000 });
    expect(
      (await orderAll(processes, { count: 500, request: request(tpm, { tokens: 10 }) })).verdicts,
    ).toEqual({
      admitted: 100,
      "rate_limited:api_key:tokens": 1_900,
    });
    const parallel = await gateway.key({ max_parallel_requests: 7 });
    expect((await orderAll(processes, { count: 500, request: request(parallel) })).verdicts).toEqual({
      admitted: 7,
      "rate_limited:api_key:max_parallel_requests": 1_993,
    });
  });

  it("never overshoot a $1.00 budget under 500 concurrent reservations, with what is left over used up", async () => {
    const token = await gateway.key({ max_budget: 1 });
    const order = { count: 125, request: request(token, { cost: 0.01 }), settleAt: 0.009 };
    for (let round = 0; round < 3; round++) await orderAll(processes, order);
    expect(await spend(token)).toBeLessThanOrEqual(1);
    expect(await spend(token)).toBeGreaterThan(0.985);
    const [rows] = await gateway.rows(
      'SELECT sum(spend) AS spend FROM "LiteLLM_SpendLogs" WHERE api_key = $1',
      [token],
    );
    expect(rows?.spend).toBeCloseTo(await spend(token), 9);
    expect(await counters(token)).toMatchObject({ reserved: 0, in_flight: 0 });
  });

  it("stay exact when one of them is killed in the middle, and get back what it held", async () => {
    const token = await gateway.key({ rpm_limit: 300, max_parallel_requests: 1_000, max_budget: 1_000 });
    const [victim, ...others] = processes as [Process, ...Process[]];
    victim.child.send({ count: 2_000, request: request(token) });
    const survivors = orderAll(others, { count: 500, request: request(token) });
    await eventually(
      async () =>
        (await gateway.rows("SELECT FROM central_llm.reservation WHERE $1 = ANY (ids)", [token])).length > 20,
      "it is busy",
    );
    victim.child.kill("SIGKILL");
    await once(victim.child, "exit");
    processes = others;
    const admittedByOthers = (await survivors).verdicts.admitted ?? 0;
    const rest = await orderAll(others, { count: 200, request: request(token) });
    expect((await counters(token))?.requests).toBe(300);
    expect(admittedByOthers + (rest.verdicts.admitted ?? 0)).toBeLessThanOrEqual(300);
    const held = admittedByOthers + (rest.verdicts.admitted ?? 0);
    await eventually(
      async () => (await counters(token))?.in_flight === held,
      "the killed process's reservations are released",
    );
  });
});

describe("PostgreSQL goes away", () => {
  it("gives 503 and never 401, keeps every settlement, and goes on when the server is back", async () => {
    const token = await gateway.key({ max_budget: 1_000, rpm_limit: 1_000_000 });
    const order = { count: 50, request: request(token, { cost: 0.01 }), settleAt: 0.001 };
    const verdicts: Record<string, number> = {};
    const settled: string[] = [];
    let stop = false;
    const running = processes.map(async (one) => {
      while (!stop) {
        const done = await one.order(order);
        for (const [word, count] of Object.entries(done.verdicts))
          verdicts[word] = (verdicts[word] ?? 0) + count;
        settled.push(...done.settled);
      }
    });
    await eventually(() => (verdicts.admitted ?? 0) > 200, "there is load");
    await postgres.server.kill();
    // A process tells its verdicts when its calls are settled, which may wait for the server; this one asks beside them.
    await eventually(async () => {
      const word = verdict(await gateway.ledger.admit(request(token)));
      if (word !== "admitted") verdicts[word] = (verdicts[word] ?? 0) + 1;
      return (verdicts.database_unavailable ?? 0) > 100;
    }, "it is noticed");
    const before = verdicts.admitted ?? 0;
    const server = await startPostgres({ dataDir: postgres.dataDir, port: postgres.server.port });
    postgres.stop = () => server.stop();
    await eventually(() => (verdicts.admitted ?? 0) > before + 200, "it goes on");
    stop = true;
    await Promise.all(running);
    expect(Object.keys(verdicts).sort()).toEqual(["admitted", "database_unavailable"]);
    expect(settled.length).toBe(verdicts.admitted);
    const rows = await gateway.rows('SELECT request_id FROM "LiteLLM_SpendLogs" WHERE api_key = $1', [token]);
    expect(new Set(rows.map((row) => row.request_id))).toEqual(new Set(settled));
    expect(await spend(token)).toBeCloseTo(settled.length * 0.001, 6);
  });

  it("lets known keys go on, uncounted, where that is the policy", async () => {
    const lenient = await testGateway(gateway.url, {
      WHEN_DATABASE_AWAY: "admit_known",
      DATABASE_CONNECT_TIMEOUT_MS: 500,
    });
    const token = await gateway.key({ rpm_limit: 1 });
    expect(verdict(await lenient.ledger.admit(request(token)))).toBe("admitted");
    expect(verdict(await lenient.ledger.admit(request(token)))).toBe("rate_limited:api_key:requests");
    const dead = connect("postgresql://postgres:x@127.0.0.1:1/none");
    lenient.database.admission.query = dead.admission.query.bind(dead.admission) as never;
    expect(await lenient.ledger.admit(request(token))).toMatchObject({ outcome: "admitted", checked: false });
    expect(verdict(await lenient.ledger.admit(request(token, { model: "claude-3-opus" })))).toBe(
      "database_unavailable",
    );
    await dead.close();
    await lenient.close();
  });
});
