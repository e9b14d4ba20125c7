/** Commands against a whole local platform: `smoke`, and `spend reconcile` after a gateway was killed. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileCache } from "@central-llm/local/compile-cache";
import { descendants } from "@central-llm/local/testing/descendants";
import { freeOffset, type Instance, LocalPlatforms } from "@central-llm/local/testing/local-platform";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";

let folder: string;
let platforms: LocalPlatforms;
let platform: Instance;
let database: pg.Pool;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "central-llm-spend-"));
  platforms = new LocalPlatforms(folder);
  platform = await platforms.start("spend", await freeOffset());
  database = new pg.Pool({ connectionString: platform.env.DATABASE_URL, max: 1 });
});
afterAll(async () => {
  await database?.end();
  await platforms.stop(platform);
  await rm(folder, { recursive: true, force: true });
});

interface Ran {
  code: number;
  out: string;
  err: string;
}

const run = (...args: string[]) => command("spend", "reconcile", "--from", "1h", "--to", "now", ...args);

const command = (...args: string[]) => commandWith({}, ...args);

function commandWith(more: Record<string, string>, ...args: string[]): Promise<Ran> {
  const env = {
    ...compileCache(),
    PATH: process.env.PATH,
    HOME: folder,
    AWS_EC2_METADATA_DISABLED: "true",
    ...platform.env,
    ...more,
  };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(import.meta.dirname, "main.ts"), ...args],
      { cwd: folder, env },
      (error, out, err) => resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });
}

async function call(path: string, body: object, key = platform.env.GATEWAY_API_KEY, id?: string) {
  const answer = await fetch(`${platform.env.GATEWAY_URL}${path}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${key}`,
      "content-type": "application/json",
      ...(id && { "x-request-id": id }),
    },
    body: JSON.stringify(body),
  });
  expect(answer.status, await answer.clone().text()).toBe(200);
  return answer;
}
const admin = async (path: string, body: object) =>
  (await call(path, body, platform.env.LITELLM_MASTER_KEY)).json() as Promise<{ key: string }>;
const chat = async (key: string, id?: string) => {
  const messages = [{ role: "user", content: "ping" }];
  const answer = await call("/v1/chat/completions", { model: "claude-3-5-sonnet", messages }, key, id);
  await answer.text();
  return answer.headers.get("x-request-id") ?? "";
};

const rows = async (text: string, values: unknown[] = []) => (await database.query(text, values)).rows;
const spendOf = async (user: string) =>
  (await rows('SELECT spend FROM "LiteLLM_UserTable" WHERE user_id = $1', [user]))[0]?.spend;
const bookedOf = (user: string) =>
  rows('SELECT * FROM "LiteLLM_SpendLogs" WHERE "user" = $1 ORDER BY "startTime"', [user]);

/** The sessions in which the gateway books. */
const bookers = async () =>
  (await rows("SELECT pid FROM pg_stat_activity WHERE application_name = 'central-llm-settlement'")).map(
    ({ pid }) => Number(pid),
  );

/** Both proxies are the same program; what it was told tells them apart. */
function gatewayPid(): number {
  const [found] = descendants(platform.child.pid ?? 0).filter(
    ({ pid, command }) =>
      command.includes("proxy/src/main.ts") &&
      readFileSync(`/proc/${pid}/environ`, "utf8").includes("PROFILE=gateway\0"),
  );
  if (!found) throw new Error("No gateway runs");
  return found.pid;
}

test("what a killed gateway had answered and not booked is found, booked once, and audited", async () => {
  const user = "jane";
  await admin("/user/new", { user_id: user, auto_create_key: false });
  const { key } = await admin("/key/generate", { user_id: user, key_alias: "jane-1" });
  await chat(key);
  await expect.poll(async () => (await bookedOf(user)).length).toBe(1);
  const once = await spendOf(user);
  expect(once).toBeGreaterThan(0);

  // The database takes requests, but books none any more; then the gateway is gone, and its sessions before they read on.
  const sessions = await bookers();
  expect(sessions.length).toBeGreaterThan(0);
  for (const pid of sessions) process.kill(pid, "SIGSTOP");
  const ids = [await chat(key), await chat(key, "order-4711"), await chat(key)];
  const dryRun = async () => JSON.parse((await run("--dry-run", "--format", "json")).out);
  await expect.poll(async () => (await dryRun()).unbooked).toBe(3);
  process.kill(gatewayPid(), "SIGKILL");
  for (const pid of sessions) process.kill(pid, "SIGTERM");
  for (const pid of sessions) process.kill(pid, "SIGCONT");
  await expect.poll(() => platform.output.join("\n")).toContain("gateway is up again");
  expect((await bookedOf(user)).length).toBe(1);

  const found = await run("--dry-run");
  expect(found.out).toMatch(
    /: 4 calls of models, 3 without a spend row \(\$0\.\d{6}\), none of them booked now/,
  );
  expect(found).toMatchObject({ code: 4, err: "" });
  const done = await run();
  expect(done).toMatchObject({ code: 0, out: expect.stringContaining(", 3 booked now"), err: "" });
  const booked = await bookedOf(user);
  expect(booked.slice(1).map((row) => row.metadata.audit_request_id)).toEqual(ids);
  const [first, ...others] = booked;
  for (const row of others) {
    // As the gateway itself books it, but for what names this one call and how it came here.
    const {
      request_id: _,
      startTime,
      endTime,
      completionStartTime,
      request_duration_ms,
      metadata,
      ...rest
    } = row;
    expect(first).toMatchObject(rest);
    expect(metadata).toMatchObject({ usage_source: "provider", booked_from: "audit" });
  }
  expect(await spendOf(user)).toBeCloseTo(4 * once, 10);
  expect(await run()).toMatchObject({
    code: 0,
    out: expect.stringContaining("4 calls of models, all booked"),
  });
  expect(await spendOf(user)).toBeCloseTo(4 * once, 10);

  const changes = await command("query", "--project", "gateway-admin", "--from", "1h", "--format", "jsonl");
  const actions = await Promise.all(
    changes.out
      .trim()
      .split("\n")
      .map(async (line) => {
        const { out } = await command("get", JSON.parse(line).requestId);
        return JSON.parse(out)[0].object.request.body;
      }),
  );
  expect(actions.filter((body) => body?.action === "spend.book")).toEqual([
    expect.objectContaining({
      actor: expect.objectContaining({ kind: "master" }),
      target: { kind: "spend", id: "3 calls", alias: null },
      after: { request_ids: expect.arrayContaining(ids), spend: expect.closeTo(3 * once, 10) },
    }),
  ]);

  // Deleted data stay deleted.
  await admin("/user/delete", { user_ids: [user] });
  expect(await bookedOf(user)).toEqual([]);
  expect(await run()).toMatchObject({
    code: 0,
    out: expect.stringContaining("4 calls of models, all booked"),
  });
  expect(await bookedOf(user)).toEqual([]);
});

test("says what is wrong with its window, and what it lacks", async () => {
  expect(await run("--to", "2h")).toMatchObject({
    code: 2,
    err: expect.stringContaining("--from must be before --to"),
  });
});

/** As `command`, with other settings; its output by lines. */
async function smoke(args: string[], more: Record<string, string> = {}) {
  const { out, ...ran } = await commandWith(more, ...args);
  return { ...ran, lines: out.trim().split("\n") };
}

test("smoke follows one request from API Gateway into S3 and the table, a line each step", async () => {
  const { code, lines, err } = await smoke(["smoke"]);
  expect(lines.map((line) => line.split("  ").slice(0, 2).join(" "))).toEqual([
    "PASS API call",
    "PASS missing headers are refused",
    "PASS wrong key is refused",
    "PASS S3 audit object",
    "PASS DynamoDB row",
    "SKIP Lambda logs",
    "SKIP ECS tasks",
  ]);
  expect(err).toBe("");
  expect(code).toBe(0);
});

test("smoke says which steps fail, and ends with 1", async () => {
  const { code, lines, err } = await smoke(["smoke"], { CENTRAL_API_KEY: "not-a-key" });
  expect(lines[0]).toMatch(/^FAIL {2}API call {2}answered 403/);
  expect(err).toMatch(/steps failed: API call, .*S3 audit object, DynamoDB row/);
  expect(code).toBe(1);
});

test("smoke without a key says what to set", async () => {
  const { code, err } = await smoke(["smoke"], { CENTRAL_API_KEY: "" });
  expect(err).toContain("Set CENTRAL_URL (or --url) and CENTRAL_API_KEY.");
  expect(code).toBe(2);
});

test.each([
  ["gpu", "status"],
  ["logs", "central"],
])("%s %s refuses the local platform and says why", async (...args) => {
  const { code, err } = await smoke(args);
  expect(err).toMatch(/local platform.*--aws/);
  expect(code).toBe(2);
});
