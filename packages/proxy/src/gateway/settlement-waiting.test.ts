/** What settlements wait for, and who waits for them. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import {
  admitted,
  eventually,
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

const admit = async (token: string) => admitted(await gateway.ledger.admit(request(token))).reservation;

/** A key that was used before: its counters are there. */
async function usedKey(limits: Record<string, unknown>): Promise<string> {
  const token = await gateway.key(limits);
  await gateway.ledger.release(await admit(token));
  return token;
}

/** A server whose disk answers to nobody: commits that ask for a stand-by's confirmation wait until this is undone. */
async function confirmsNothing(on: boolean): Promise<void> {
  await gateway.rows(`ALTER SYSTEM SET synchronous_standby_names = '${on ? "nobody" : ""}'`);
  await gateway.rows("SELECT pg_reload_conf()");
  await eventually(
    async () =>
      (await gateway.rows("SHOW synchronous_standby_names"))[0]?.synchronous_standby_names ===
      (on ? "nobody" : ""),
    "the server has heard",
  );
}

it("holds up no admission while it waits for the server's disk, and is not done before", async () => {
  const token = await gateway.key({ max_parallel_requests: 1 });
  const reservation = await admit(token);
  await confirmsNothing(true);
  let done = false;
  const settled = gateway.ledger.settle(reservation, usage("a")).then(() => {
    done = true;
  });
  try {
    await eventually(
      async () => (await gateway.rows("SELECT in_flight FROM central_llm.limit_state"))[0]?.in_flight === 0,
      "others see what was given back",
    );
    expect(verdict(await gateway.ledger.admit(request(token)))).toBe("admitted");
    expect(done).toBe(false);
    expect(gateway.ledger.pendingSettlements()).toBe(1);
  } finally {
    await confirmsNothing(false);
  }
  await settled;
  expect(await gateway.rows('SELECT request_id FROM "LiteLLM_SpendLogs"')).toEqual([{ request_id: "a" }]);
});

const transactions = async () =>
  (await gateway.rows('SELECT count(DISTINCT xmin::text)::integer AS n FROM "LiteLLM_SpendLogs"'))[0]?.n;

it("waits a moment for company when there is room for others", async () => {
  const token = await usedKey({ max_parallel_requests: 100 });
  const reservations = [await admit(token), await admit(token), await admit(token)];
  expect(reservations.map(({ ample }) => ample)).toEqual([true, true, true]);
  const settled = [];
  for (const [at, reservation] of reservations.entries()) {
    settled.push(gateway.ledger.settle(reservation, usage(`r${at}`)));
    // Another turn of the event loop, as answers of different requests end.
    await new Promise((resume) => setImmediate(resume));
  }
  await Promise.all(settled);
  expect(await transactions()).toBe(1);
});

it.each([{ max_parallel_requests: 1 }, { tpm_limit: 15 }, { max_budget: 0.0015 }])(
  "does not wait when it holds the last there is of %o",
  async (limit) => {
    const token = await usedKey(limit);
    const tight = await admit(token);
    expect(tight.ample).toBe(false);
    const ample = await admit(await usedKey({ max_parallel_requests: 100 }));
    const settled = [gateway.ledger.settle(ample, usage("ample"))];
    await new Promise((resume) => setImmediate(resume));
    settled.push(gateway.ledger.settle(tight, usage("tight")));
    await Promise.all(settled);
    expect(await transactions()).toBe(1);
  },
);
