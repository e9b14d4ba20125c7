/** What is done while the database decides, by what it said of the key last: the decision has the last word in every record. */
import { readFileSync } from "node:fs";
import { glob } from "node:fs/promises";
import { join } from "node:path";
import { hashKey } from "@central-llm/core/virtual-key";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chainProblems } from "../testing/audit-trail.ts";
import { GatewayBench } from "../testing/gateway-bench.ts";

let bench: GatewayBench;

beforeAll(async () => {
  bench = await GatewayBench.start();
});
afterAll(() => bench?.stop());

async function chat(key: string, content = "Hello") {
  const messages = [{ role: "user", content }];
  const answer = await bench.call(
    "POST",
    "/v1/chat/completions",
    { model: "claude-3-5-sonnet", messages },
    { key },
  );
  return { status: answer.status, id: answer.headers.get("x-request-id") ?? "", body: await answer.json() };
}

/** A key that was admitted once. */
async function knownKey(fields: Record<string, unknown> = {}) {
  const { key } = await bench.key({ rpm_limit: 1_000, ...fields });
  expect((await chat(key)).status).toBe(200);
  return key;
}

const change = async (path: string, body: object) =>
  expect((await bench.call("POST", path, body)).status).toBe(200);

async function spooled(text: string): Promise<boolean> {
  for await (const file of glob(join(bench.folder, "s*/**/*.seg")))
    if (readFileSync(file, "latin1").includes(text)) return true;
  return false;
}

test("the intent of a key that is known is in the spool before the database has decided; no model is asked before it has", async () => {
  const key = await knownKey();
  const client = await bench.database.connect();
  await client.query("BEGIN");
  await client.query("SELECT FROM central_llm.limit_state WHERE id = $1 FOR UPDATE", [hashKey(key)]);
  const asked = bench.standIn.calls.length;
  const answer = chat(key, "written-while-it-waits");
  await expect.poll(() => spooled("written-while-it-waits")).toBe(true);
  expect(bench.standIn.calls.length).toBe(asked);
  await client.query("COMMIT");
  client.release();
  const { status, id } = await answer;
  expect(status).toBe(200);
  expect(await bench.record(id)).toMatchObject({
    outcome: "completed",
    identity: { keyId: hashKey(key) },
    request: { body: { messages: [{ content: "written-while-it-waits" }] } },
  });
});

test("a policy that was made stricter since holds: the request is blocked, and its record masked", async () => {
  const key = await knownKey();
  const text = "Write to jane.doe@example.com";
  const flagged = await chat(key, text);
  expect(flagged.status).toBe(200);
  // The stand-in says it again.
  expect((await bench.record(flagged.id)).policy.pii).toEqual([
    { entity: "EMAIL", count: 2, action: "flag" },
  ]);
  await change("/key/update", { key, metadata: { pii: { EMAIL: "block" } } });
  const { status, id } = await chat(key, text);
  expect(status).toBe(400);
  const record = await bench.record(id);
  expect(record).toMatchObject({
    outcome: "blocked",
    policy: { pii: [{ entity: "EMAIL", count: 1, action: "block" }] },
  });
  expect(JSON.stringify(record)).not.toContain("jane.doe@example.com");

  // And the other way round: what was blocked last is admitted, with its intent.
  await change("/key/update", { key, metadata: {} });
  expect((await chat(key, text)).status).toBe(200);
});

test("a policy that masks since then masks what the model and the audit are given", async () => {
  const key = await knownKey();
  await change("/key/update", { key, metadata: { pii: { EMAIL: "mask" } } });
  const { status, id } = await chat(key, "Write to jane.roe@example.com");
  expect(status).toBe(200);
  expect(JSON.stringify(bench.standIn.calls.at(-1))).not.toContain("jane.roe");
  const record = await bench.record(id);
  expect(record.policy.pii).toEqual([{ entity: "EMAIL", count: 1, action: "mask" }]);
  expect(JSON.stringify(record)).not.toContain("jane.roe@example.com");
});

test("a key that changed its team since is attributed to the new one", async () => {
  for (const team_id of ["before", "after"])
    await change("/team/new", { team_id, team_alias: `team ${team_id}` });
  const key = await knownKey({ team_id: "before" });
  await change("/key/update", { key, team_id: "after" });
  const { id } = await chat(key);
  expect(await bench.record(id)).toMatchObject({
    projectId: "team after",
    identity: { teamId: "after" },
    outcome: "completed",
  });
});

test("a key that was blocked since is refused, and so says its record", async () => {
  const key = await knownKey();
  await change("/key/block", { key });
  const { status, id } = await chat(key);
  expect(status).toBe(401);
  expect(await bench.record(id)).toMatchObject({
    statusCode: 401,
    outcome: "client_error",
    identity: { keyId: hashKey(key) },
    model: { served: null },
    policy: { hash: null, pii: [] },
  });
});

test("what is refused over a limit has one record, and its writer's chain is whole", async () => {
  const { key } = await bench.key({ rpm_limit: 2 });
  const answers = [await chat(key), await chat(key), await chat(key, "one too many"), await chat(key)];
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 429, 429]);
  for (const { id, status } of answers)
    expect(await bench.record(id)).toMatchObject({
      statusCode: status,
      outcome: status === 200 ? "completed" : "rate_limited",
      identity: { keyId: hashKey(key) },
    });
  expect(chainProblems(await bench.trail.all())).toEqual([]);
});
