/** Four whole gateways on one database: limits, budgets, changes and failures as their clients see them. */
import { once } from "node:events";
import { join } from "node:path";
import { startPostgres } from "@central-llm/local/postgres";
import { Pool } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GatewayBench, type SpendRow } from "../testing/gateway-bench.ts";
import { eventually } from "../testing/proxy-bench.ts";
import type { ProxyProcess } from "../testing/proxy-process.ts";

const MODEL = "claude-3-5-sonnet";

let bench: GatewayBench;
let processes: ProxyProcess[];
let pools: Pool[];
let serial = 0;

const spoolOf = (at: number) => join(bench.folder, `p${at}`);
const startOne = (at: number) =>
  bench.startProcess({
    SPOOL_DIR: spoolOf(at),
    WRITER_NAME: `gateway-${at}`,
    RESERVATION_LEASE_SECONDS: "2",
    AUDIT_UPLOAD_CONCURRENCY: "16",
  });

beforeAll(async () => {
  bench = await GatewayBench.start({ start: false, durable: true });
  // The first one migrates; that the others find it done is another test's.
  processes = [await startOne(0)];
  processes.push(...(await Promise.all([1, 2, 3].map(startOne))));
  pools = processes.map(({ url }) => new Pool(url, { connections: 600 }));
  bench.port = Number(new URL(processes[0]?.url ?? "").port);
});
afterAll(async () => {
  await Promise.all((pools ?? []).map((pool) => pool.destroy()));
  await bench?.stop();
});

interface Answer {
  id: string;
  /** 0: the connection broke. */
  status: number;
  type: string;
  text: string;
}

/** @param at of the process */
async function ask(
  at: number,
  key: string,
  more: { content?: string; stream?: boolean; max_tokens?: number; signal?: AbortSignal } = {},
): Promise<Answer> {
  const { content = "Hello", signal, ...rest } = more;
  const id = `call-${++serial}`;
  const broken = { id, status: 0, type: "", text: "" };
  const pool = pools[at % pools.length];
  if (!pool) return broken;
  try {
    const { statusCode, body } = await pool.request({
      method: "POST",
      path: "/v1/chat/completions",
      headers: {
        authorization: `Bearer ${key}`,
        "content-type": "application/json",
        "x-request-id": id,
      },
      body: JSON.stringify({ model: MODEL, messages: [{ role: "user", content }], max_tokens: 16, ...rest }),
      ...(signal ? { signal } : {}),
    });
    const text = await body.text();
    const type = statusCode === 200 ? "" : (JSON.parse(text) as { error: { type: string } }).error.type;
    return { id, status: statusCode, type, text };
  } catch {
    return broken;
  }
}

/** So many at once, spread over all processes. */
const askAll = (count: number, key: string, more: Parameters<typeof ask>[2] = {}) =>
  Promise.all(Array.from({ length: count }, (_, at) => ask(at, key, more)));

const tally = (answers: Answer[]) => {
  const counts: Record<string, number> = {};
  for (const { status, type } of answers) {
    const word = type === "" ? String(status) : `${status} ${type}`;
    counts[word] = (counts[word] ?? 0) + 1;
  }
  return counts;
};

async function one<Row>(text: string, values: unknown[]): Promise<Row> {
  return (await bench.database.query(text, values)).rows[0];
}
const stateOf = (token: string) =>
  one<{ requests: string; tokens: string; in_flight: number; reserved: string }>(
    "SELECT * FROM central_llm.limit_state WHERE scope = 'api_key' AND id = $1",
    [token],
  );
const spendRows = async (token: string): Promise<SpendRow[]> =>
  (await bench.database.query('SELECT * FROM "LiteLLM_SpendLogs" WHERE api_key = $1', [token])).rows;
const settled = (token: string) =>
  eventually(async () => (await stateOf(token)).in_flight === 0, "all is settled");

/** Every one of them has its object in S3. */
async function expectAudited(answers: Answer[]): Promise<void> {
  const wanted = new Set(answers.map(({ id }) => id));
  await eventually(
    async () => {
      for (const key of await bench.trail.keys()) wanted.delete(key.slice(key.lastIndexOf("/") + 1, -5));
      return wanted.size === 0;
    },
    "every request is audited",
    { everyMs: 250 },
  );
}

describe("limits over four processes", () => {
  it("2,000 concurrent requests on rpm_limit 100: exactly 100 are answered, all are audited", async () => {
    const { key, token } = await bench.key({ rpm_limit: 100 });
    const answers = await askAll(2_000, key);
    expect(tally(answers)).toEqual({ "200": 100, "429 throttling_error": 1_900 });
    await settled(token);
    expect(await spendRows(token)).toHaveLength(100);
    await expectAudited(answers);
  });

  it("max_parallel_requests 7: seven are at the model, the others are refused", async () => {
    const { key, token } = await bench.key({ max_parallel_requests: 7 });
    bench.standIn.fail({ hang: true, times: 7 });
    bench.standIn.calls.length = 0;
    const over = new AbortController();
    const asked = askAll(400, key, { signal: over.signal });
    await eventually(() => bench.standIn.calls.length >= 7, "seven wait");
    const refused = await ask(1, key);
    expect([refused.status, refused.type]).toEqual([429, "throttling_error"]);
    const state = await stateOf(token);
    expect(state.in_flight).toBe(7);
    over.abort();
    await asked;
    expect(bench.standIn.calls).toHaveLength(7);
    await settled(token);
  });

  it("tpm_limit: what is used and reserved never passes it, and it can be used up", async () => {
    const { key, token } = await bench.key({ tpm_limit: 2_000 });
    const answers = [...(await askAll(200, key)), ...(await askAll(200, key))];
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]));
    await settled(token);
    const rows = await spendRows(token);
    const used = rows.reduce((sum, row) => sum + row.total_tokens, 0);
    expect(used).toBe(Number((await stateOf(token)).tokens));
    expect(used).toBeLessThanOrEqual(2_000);
    expect(used).toBeGreaterThan(1_900);
  });

  it("a budget of $1.00 under 500 concurrent streams is never overshot, and is used up", async () => {
    const { key, token } = await bench.key({ max_budget: 1 });
    let refusedAll = false;
    for (let round = 0; round < 6 && !refusedAll; round++) {
      const answers = await askAll(500, key, { content: "Write 400 words", stream: true, max_tokens: 1_200 });
      expect(Object.keys(tally(answers)).filter((word) => !/^(200|403 budget_exceeded)$/.test(word))).toEqual(
        [],
      );
      refusedAll = answers.every(({ status }) => status === 403);
      await settled(token);
    }
    const rows = await spendRows(token);
    const booked = rows.reduce((sum, row) => sum + row.spend, 0);
    const { spend } = await one<{ spend: number }>(
      'SELECT spend FROM "LiteLLM_VerificationToken" WHERE token = $1',
      [token],
    );
    expect(spend).toBeLessThanOrEqual(1);
    // One more stream can cost 2 cents.
    expect(spend).toBeGreaterThan(0.97);
    expect(booked).toBeCloseTo(spend, 9);
    expect(await stateOf(token)).toMatchObject({ reserved: "0", in_flight: 0 });
  });
});

describe("changes", () => {
  it("of a key are seen by all four within a second: model, block, expiry, revocation", async () => {
    const { key, token } = await bench.key();
    const seen = async (change: () => Promise<unknown>, expected: string) => {
      await change();
      const changed = performance.now();
      await Promise.all(
        processes.map(async (_, at) => {
          for (;;) {
            // A request that begins a second later, however long it takes.
            const began = performance.now();
            const answer = await ask(at, key);
            if (`${answer.status} ${answer.type}`.trim() === expected) return;
            expect(began - changed).toBeLessThan(1_000);
          }
        }),
      );
    };
    const admin = async (path: string, body: object) => {
      const response = await bench.call("POST", path, body);
      expect(response.status).toBe(200);
    };
    await seen(async () => {}, "200");
    await seen(() => admin("/key/update", { key, models: ["claude-3-opus"] }), "403 key_model_access_denied");
    await seen(() => admin("/key/update", { key, models: [] }), "200");
    await seen(() => admin("/key/block", { key }), "401 auth_error");
    await seen(() => admin("/key/unblock", { key }), "200");
    await seen(
      () =>
        bench.database.query(
          `UPDATE "LiteLLM_VerificationToken" SET expires = now() AT TIME ZONE 'UTC' WHERE token = $1`,
          [token],
        ),
      "401 expired_key",
    );
    await seen(() => admin("/key/update", { key, duration: "1h" }), "200");
    await seen(() => admin("/key/delete", { keys: [key] }), "401 token_not_found_in_db");
  });
});

describe("failures", () => {
  it("kill -9 of one gateway in the middle: limits stay exact, what it held is free again, its calls are on record", async () => {
    const { key, token } = await bench.key({ rpm_limit: 200, max_parallel_requests: 500, max_budget: 10 });
    bench.standIn.fail({ hang: true, times: 10 });
    const [victim] = processes as [ProxyProcess];
    const held = Promise.all(Array.from({ length: 10 }, () => ask(0, key)));
    await eventually(async () => (await stateOf(token))?.in_flight === 10, "the victim is busy");
    const others = Promise.all(Array.from({ length: 600 }, (_, at) => ask(1 + (at % 3), key)));
    victim.child.kill("SIGKILL");
    await once(victim.child, "exit");
    expect((await held).map(({ status }) => status)).toEqual(Array(10).fill(0));
    expect(tally(await others)).toEqual({ "200": 190, "429 throttling_error": 410 });
    await settled(token);
    expect(Number((await stateOf(token)).requests)).toBe(200);
    processes[0] = await startOne(0);
    await pools[0]?.destroy();
    pools[0] = new Pool(processes[0].url, { connections: 600 });
    bench.port = Number(new URL(processes[0].url).port);
    await expectAudited([...(await held), ...(await others)]);
    expect(await bench.record((await held)[0]?.id ?? "")).toMatchObject({
      outcome: "interrupted",
      profile: "gateway",
      identity: { keyId: token },
    });
  });

  it("PostgreSQL killed and restarted under load: no wrong 401, no lost spend row, no unaudited request", async () => {
    const { key, token } = await bench.key({ max_budget: 1_000, rpm_limit: 1_000_000 });
    const answers: Answer[] = [];
    let stop = false;
    const clients = Array.from({ length: 32 }, async (_, at) => {
      while (!stop) answers.push(await ask(at, key, { stream: at % 4 === 0 }));
    });
    const count = (status: number) => answers.filter((answer) => answer.status === status).length;
    await eventually(() => count(200) > 100, "there is load");
    await bench.postgres.server.kill();
    await eventually(() => count(503) > 50, "it is noticed");
    const before = count(200);
    const { dataDir, server } = bench.postgres;
    const restarted = await startPostgres({ dataDir, port: server.port });
    bench.postgres.stop = () => restarted.stop();
    await eventually(() => count(200) > before + 100, "it goes on");
    stop = true;
    await Promise.all(clients);
    expect(Object.keys(tally(answers)).sort()).toEqual(["200", "503 no_db_connection"]);
    const answered = answers.filter(({ status }) => status === 200).map(({ id }) => id);
    await eventually(async () => (await spendRows(token)).length >= answered.length, "all is booked");
    const booked = (await spendRows(token)).map(({ metadata }) => metadata.audit_request_id);
    expect(new Set(booked)).toEqual(new Set(answered));
    await expectAudited(answers);
  });
});
