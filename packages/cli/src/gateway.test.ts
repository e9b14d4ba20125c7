import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashKey } from "@central-llm/core/virtual-key";
import { compileCache } from "@central-llm/local/compile-cache";
import { GatewayBench, MASTER_KEY } from "@central-llm/proxy/testing/gateway-bench";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { run as runProgram } from "./program.ts";

const MAIN = new URL("./main.ts", import.meta.url).pathname;
const DAY_MS = 86_400_000;

let bench: GatewayBench;
let folder: string;
let env: Record<string, string>;

interface Ran {
  code: number | null;
  out: string;
  err: string;
}

/** The command, in this process. */
async function run(args: string[], more: Record<string, string> = {}): Promise<Ran> {
  const ran: Ran = { code: null, out: "", err: "" };
  for (const [name, value] of Object.entries({ ...env, ...more })) vi.stubEnv(name, value);
  const out = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    ran.out += text;
    return true;
  });
  const err = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    ran.err += text;
    return true;
  });
  try {
    ran.code = await runProgram(args);
  } finally {
    out.mockRestore();
    err.mockRestore();
    vi.unstubAllEnvs();
  }
  return ran;
}

async function json<Answer = Record<string, unknown>>(args: string[]): Promise<Answer> {
  const ran = await run([...args, "--json"]);
  expect(ran).toMatchObject({ code: 0, err: "" });
  return JSON.parse(ran.out) as Answer;
}

const chat = (key: string) =>
  bench.call(
    "POST",
    "/v1/chat/completions",
    { model: "claude-3-5-sonnet", messages: [{ role: "user", content: "hello" }] },
    { key },
  );

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "central-llm-cli-"));
  bench = await GatewayBench.start();
  env = { GATEWAY_URL: bench.url, LITELLM_MASTER_KEY: MASTER_KEY };
});

afterAll(async () => {
  await bench.stop();
  await rm(folder, { recursive: true });
});

describe("keys", () => {
  test("generate shows a working key once, with its tier; info and list show its hash only", async () => {
    const made = await run([
      "keys",
      "generate",
      "--user",
      "jane",
      "--alias",
      "jane-1",
      "--tier",
      "standard",
      "--rpm",
      "7",
    ]);
    expect(made).toMatchObject({ code: 0, err: "" });
    const key = /^sk-\S+$/m.exec(made.out)?.[0] ?? "";
    expect(made.out).toContain("not shown again");
    expect((await chat(key)).status).toBe(200);

    for (const named of [key, hashKey(key), "jane-1"]) {
      const info = await json(["keys", "info", named]);
      expect(info).toMatchObject({
        token: hashKey(key),
        user_id: "jane",
        rpm_limit: 7,
        tpm_limit: 10_000,
        max_budget: 50,
      });
      expect(JSON.stringify(info)).not.toContain(key);
    }
    const list = await run(["keys", "list", "--user", "jane"]);
    expect(list.out).toMatch(/^HASH +KEY +ALIAS +USER/);
    expect(list.out).toContain(hashKey(key).slice(0, 12));
    expect(list.out).not.toContain(key);
    const card = await run(["keys", "info", "jane-1"]);
    expect(card.out).toMatch(/^requests\/minute: +7$/m);
    expect(card.out).toMatch(/^state: +active$/m);
  });

  test("update changes what is said, and none clears it", async () => {
    await json([
      "keys",
      "generate",
      "--alias",
      "u",
      "--budget",
      "12.5",
      "--budget-period",
      "30d",
      "--models",
      "claude-3-opus",
    ]);
    const changed = await json(["keys", "update", "u", "--tpm", "900", "--budget", "none"]);
    expect(changed).toMatchObject({
      tpm_limit: 900,
      max_budget: null,
      models: ["claude-3-opus"],
      budget_duration: "30d",
    });
    expect(await run(["keys", "update", "u"])).toMatchObject({ code: 2, out: "" });
  });

  test("block and unblock", async () => {
    const { key } = await json<{ key: string }>(["keys", "generate", "--alias", "b"]);
    expect(await run(["keys", "block", "b"])).toMatchObject({
      code: 0,
      out: `blocked sk-...${key.slice(-4)}\n`,
    });
    expect((await chat(key)).status).toBe(401);
    expect((await run(["keys", "list", "--format", "jsonl"])).out).toMatch(/"key_alias":"b".*"blocked":true/);
    expect(await run(["keys", "unblock", "b"])).toMatchObject({ code: 0 });
    expect((await chat(key)).status).toBe(200);
  });

  test("rotate: with a grace period both keys work, without one the old one ends", async () => {
    const { key: first } = await json<{ key: string }>(["keys", "generate", "--alias", "r"]);
    const rotated = await run(["keys", "rotate", "r", "--grace", "1h"]);
    const second = /^sk-\S+$/m.exec(rotated.out)?.[0] ?? "";
    expect(second).not.toBe(first);
    expect(rotated.out).toContain("another 1h");
    for (const key of [first, second]) expect((await chat(key)).status).toBe(200);
    const { key: third } = await json<{ key: string }>(["keys", "rotate", "r"]);
    expect((await chat(second)).status).toBe(401);
    expect((await chat(third)).status).toBe(200);
  });

  test("delete takes several, and says which were not there", async () => {
    const { key } = await json<{ key: string }>(["keys", "generate", "--alias", "d"]);
    const unknown = "0".repeat(64);
    const ran = await run(["keys", "delete", "d", unknown]);
    expect(ran).toMatchObject({ code: 3, out: `deleted ${hashKey(key)}\n` });
    expect(ran.err).toContain(unknown);
    expect((await chat(key)).status).toBe(401);
  });

  test("a list over many pages", async () => {
    for (let i = 0; i < 104; i++) await bench.key({ user_id: "many", key_alias: `many-${i}` });
    const all = await json<{ key_alias: string }[]>(["keys", "list", "--user", "many", "--limit", "1000"]);
    expect(new Set(all.map(({ key_alias }) => key_alias)).size).toBe(104);
    const some = await run(["keys", "list", "--user", "many", "--limit", "3", "--format", "csv"]);
    expect(some.out.trim().split("\n")).toHaveLength(4);
    expect(some.err).toContain("104 keys");
  });
});

describe("spend", () => {
  const HOSTILE = "=1+1";

  async function spent(row: {
    id: string;
    user: string;
    model: string;
    usd: number;
    tokens: number;
    ageDays: number;
    team?: string;
  }) {
    const at = new Date(Date.now() - row.ageDays * DAY_MS).toISOString();
    await bench.database.query(
      `INSERT INTO "LiteLLM_SpendLogs" (request_id, call_type, api_key, spend, total_tokens, prompt_tokens, completion_tokens,
         "startTime", "endTime", model, model_group, custom_llm_provider, "user", team_id, status)
       VALUES ($1, 'acompletion', 'hash', $2, $3, $3, 0, $4, $4, $5, $5, 'bedrock', $6, $7, 'success')`,
      [row.id, row.usd, row.tokens, at, row.model, row.user, row.team ?? null],
    );
  }

  beforeAll(async () => {
    await bench.database.query(`DELETE FROM "LiteLLM_SpendLogs"`);
    await spent({ id: "1", user: "ann", model: "opus", usd: 2, tokens: 10, ageDays: 0.1, team: "red" });
    await spent({ id: "2", user: "ann", model: "sonnet", usd: 1, tokens: 20, ageDays: 6 });
    await spent({ id: "3", user: HOSTILE, model: "sonnet", usd: 0.5, tokens: 40, ageDays: 20 });
    await spent({ id: "4", user: "old", model: "opus", usd: 9, tokens: 80, ageDays: 31 });
  });

  test("users: the last 30 days", async () => {
    expect(await json(["spend", "users"])).toEqual([
      { user: "ann", spend: 3, requests: 2, total_tokens: 30 },
      { user: HOSTILE, spend: 0.5, requests: 1, total_tokens: 40 },
    ]);
    expect((await run(["spend", "users"])).out).toMatch(/^USER +USD +REQUESTS +TOKENS\nann +3\.00 +2 +30\n/);
  });

  test("models: the last 7 days", async () => {
    const rows = await json<Record<string, unknown>[]>(["spend", "models"]);
    expect(rows.map(({ model, requests, total_tokens }) => [model, requests, total_tokens]).sort()).toEqual([
      ["opus", 1, 10],
      ["sonnet", 1, 20],
    ]);
  });

  test("budgets: keys above 80 %", async () => {
    await bench.key({ key_alias: "near", max_budget: 10, spend: 8.5 });
    await bench.key({ key_alias: "far", max_budget: 10, spend: 7.9 });
    const rows = await json<{ key_alias: string; used: number }[]>(["spend", "budgets"]);
    expect(rows.map(({ key_alias, used }) => [key_alias, used])).toEqual([["near", 0.85]]);
    expect((await run(["spend", "budgets"])).out).toContain("85.0 %");
  });

  test("active: the last 24 hours", async () => {
    expect(await json(["spend", "active"])).toEqual({
      active_users: 1,
      users: [{ user: "ann", requests: 1, total_tokens: 10, spend: 2 }],
    });
    expect((await run(["spend", "active"])).out).toMatch(/1 active users\n$/);
  });

  test("totals by every group, between days that are both included, also as CSV that no spreadsheet runs", async () => {
    const day = (age: number) => new Date(Date.now() - age * DAY_MS).toISOString().slice(0, 10);
    const rows = await json<Record<string, unknown>[]>([
      ...["spend", "totals", "--by", "key,user,team,customer,model,provider,day"],
      ...["--from", day(20), "--to", day(6)],
    ]);
    expect(rows).toMatchObject([
      { day: day(20), user: HOSTILE, model: "sonnet", team: null, key: "hash", spend: 0.5, requests: 1 },
      { day: day(6), user: "ann", model: "sonnet", provider: "bedrock", spend: 1, failed_requests: 0 },
    ]);
    const csv = await run(["spend", "totals", "--from", "25d", "--format", "csv"]);
    expect(csv.out).toContain(`\n'${HOSTILE},1,0,40,0,40,0.5\n`);
  });

  test("wrong groups, days and order are wrong usage", async () => {
    for (const wrong of [
      ["--by", "nonsense"],
      ["--from", "yesterday"],
      ["--from", "1d", "--to", "2d"],
    ]) {
      expect(await run(["spend", "totals", ...wrong])).toMatchObject({ code: 2, out: "" });
    }
  });
});

test("the program itself: output, errors and exit codes; settings from .local/env of a folder above", async () => {
  const below = join(folder, "a", "b");
  await mkdir(join(folder, ".local"));
  await mkdir(below, { recursive: true });
  await writeFile(
    join(folder, ".local", "env"),
    Object.entries(env)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(""),
  );
  const program = async (args: string[]): Promise<Ran> => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: below,
      env: { ...compileCache(), PATH: process.env.PATH ?? "" },
    });
    const ran: Ran = { code: null, out: "", err: "" };
    child.stdout.on("data", (chunk) => (ran.out += chunk));
    child.stderr.on("data", (chunk) => (ran.err += chunk));
    [ran.code] = await once(child, "close");
    return ran;
  };
  const good = await program(["keys", "list", "--limit", "1000", "--format", "jsonl"]);
  expect(good).toMatchObject({ code: 0, err: "" });
  expect(good.out).toMatch(/^\{"token":"[0-9a-f]{64}"/);
  expect(await program(["keys", "info", "nobody"])).toMatchObject({
    code: 3,
    out: "",
    err: "No key has the alias nobody.\n",
  });
});

describe("what goes wrong", () => {
  test("nobody there, no settings, a wrong key, a key in clear", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    const nobody = await run(["keys", "list"], { GATEWAY_URL: `http://127.0.0.1:${port}` });
    expect(nobody).toMatchObject({ code: 1, out: "" });
    expect(nobody.err).toContain("Nothing answers");

    const wrong = await run(["spend", "users"], { LITELLM_MASTER_KEY: "sk-not-the-master-key" });
    expect(wrong).toMatchObject({ code: 1, out: "" });
    expect(wrong.err).toContain("does not accept this LITELLM_MASTER_KEY");
    expect(wrong.err).not.toContain("sk-not");

    expect(await run(["keys", "list"], { GATEWAY_URL: "http://gateway.example" })).toMatchObject({
      code: 2,
      err: expect.stringContaining("not https"),
    });
    const none = await run(["keys", "list"], { LITELLM_MASTER_KEY: "" });
    expect(none).toMatchObject({ code: 2, err: expect.stringContaining("LITELLM_MASTER_KEY missing") });
  });

  test("an unknown key or alias is not found; a taken alias, an unknown tier and a bad value are wrong usage", async () => {
    expect(await run(["keys", "info", "0".repeat(64)])).toMatchObject({ code: 3, out: "" });
    expect(await run(["keys", "block", "nobody"])).toMatchObject({
      code: 3,
      err: "No key has the alias nobody.\n",
    });
    await bench.key({ key_alias: "taken" });
    const taken = await run(["keys", "generate", "--alias", "taken"]);
    expect(taken).toMatchObject({ code: 2, err: expect.stringContaining("already exists") });
    const tier = await run(["keys", "generate", "--tier", "gold"]);
    expect(tier).toMatchObject({ code: 2, err: expect.stringContaining("standard, admin") });
    for (const wrong of [
      ["--rpm", "-1"],
      ["--expires", "soon"],
      ["--budget", "lots"],
      ["--metadata", "[]"],
    ]) {
      expect(await run(["keys", "generate", ...wrong])).toMatchObject({ code: 2, out: "" });
    }
    const long = await run(["keys", "generate", "--user", "u".repeat(2_000)]);
    expect(long).toMatchObject({ code: 2, err: expect.stringContaining("user_id") });
  });
});
