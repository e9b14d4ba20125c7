import { hashKey } from "@central-llm/core/virtual-key";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type AdminServer, adminServer, MASTER_KEY } from "../testing/admin-server.ts";
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
let admin: AdminServer;

beforeAll(async () => {
  postgres = await testPostgres();
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  gateway = await testGateway(await postgres.emptyDatabase());
  admin = await adminServer(gateway.database);
});
afterEach(async () => {
  await admin.close();
  await gateway.close();
  expect(admin.errors).toEqual([]);
});

const post = (path: string, body: unknown) => admin.call("POST", path, body);
const get = (path: string, key?: string | null) => admin.call("GET", path, undefined, key);
const ask = async (key: string, more = {}) =>
  verdict(await gateway.ledger.admit(request(hashKey(key), more)));

describe("keys", () => {
  it("makes a key that is shown once and stored as its sha256, in LiteLLM's shape", async () => {
    const made = await post("/key/generate", {
      user_id: "john.doe@company.com",
      team_id: "engineering",
      max_budget: 100.0,
      tpm_limit: 100,
      rpm_limit: 100,
      models: ["claude-3-5-sonnet", "claude-3-opus"],
      duration: "30d",
      key_alias: "laptop",
      metadata: { cost_centre: 7 },
      model_rpm_limit: { "claude-3-opus": 3 },
      budget_duration: "1mo",
    });
    expect(made.status).toBe(200);
    const { key, token, token_id, key_name, expires } = made.body;
    expect(key).toMatch(/^sk-[\w-]{32}$/);
    expect([token, token_id]).toEqual([hashKey(key), hashKey(key)]);
    expect(key_name).toBe(`sk-...${key.slice(-4)}`);
    expect(Date.parse(expires) - Date.now()).toBeGreaterThan(29.9 * 86_400_000);
    expect(made.body).toMatchObject({
      spend: 0,
      tpm_limit: 100,
      soft_budget: null,
      max_parallel_requests: null,
      blocked: null,
      aliases: {},
    });
    const dump = JSON.stringify(await gateway.rows('SELECT * FROM "LiteLLM_VerificationToken"'));
    expect(dump).toContain(token);
    expect(dump).not.toContain(key);
    const info = await get(`/key/info?key=${key}`);
    expect(info.body).toMatchObject({
      key: token,
      info: { key_alias: "laptop", user_id: "john.doe@company.com", metadata: { cost_centre: 7 } },
    });
    expect(
      JSON.stringify([info, admin.actions, await get("/key/list?return_full_object=true")]),
    ).not.toContain(key);
    expect(admin.actions).toMatchObject([
      {
        action: "key.generate",
        actor: { kind: "master" },
        target: { kind: "key", id: token, alias: "laptop" },
        before: null,
        after: { tpm_limit: 100 },
      },
    ]);
  });

  it("takes own keys, refuses bad ones, taken ones and taken aliases", async () => {
    const own = "sk-my-own-key-0123456789";
    expect((await post("/key/generate", { key: own, key_alias: "mine" })).body).toMatchObject({ key: own });
    expect(await post("/key/generate", { key: own })).toMatchObject({
      status: 400,
      body: { error: { type: "bad_request_error", code: "400" } },
    });
    expect(await post("/key/generate", { key_alias: "mine" })).toMatchObject({
      status: 400,
      body: { error: { type: "bad_request_error", param: "key_alias" } },
    });
    const twins = await Promise.all([1, 2, 3, 4].map(() => post("/key/generate", { key_alias: "twin" })));
    expect(twins.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400]);
    expect(await post("/key/generate", { key: "sk-short" })).toMatchObject({
      status: 422,
      body: { detail: [{ loc: ["body", "key"] }] },
    });
    expect(await post("/key/generate", { rpm_limit: "many" })).toMatchObject({
      status: 422,
      body: { detail: [{ loc: ["body", "rpm_limit"] }] },
    });
    expect(await post("/key/generate", { duration: "soon" })).toMatchObject({ status: 422 });
    expect(await post("/key/generate", "{no json")).toMatchObject({
      status: 422,
      body: { detail: [{ type: "json_invalid" }] },
    });
    expect(await post("/key/generate", { key_alias: "nul\0" })).toMatchObject({ status: 422 });
  });

  it("fills in a tier's limits, where the request says nothing else", async () => {
    expect((await post("/key/generate", { tier: "standard" })).body).toMatchObject({
      tpm_limit: 10_000,
      rpm_limit: 100,
      max_budget: 50,
      budget_duration: "1mo",
      metadata: { tier: "standard" },
    });
    const now = new Date();
    const made = (await post("/key/generate", { tier: "admin", rpm_limit: 5 })).body;
    expect(made).toMatchObject({ tpm_limit: 100_000, rpm_limit: 5, max_budget: 500 });
    expect(made.budget_reset_at).toBe(
      new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1)).toISOString(),
    );
    expect((await post("/key/generate", { tier: "gold" })).status).toBe(400);
  });

  it("updates by merge patch: absent stays, null clears, metadata is replaced whole", async () => {
    const { key, token } = (
      await post("/key/generate", {
        rpm_limit: 5,
        tpm_limit: 7,
        metadata: { a: 1 },
        models: ["x"],
        tags: ["t"],
      })
    ).body;
    const patch = await post("/key/update", {
      key: token,
      rpm_limit: 6,
      tpm_limit: null,
      metadata: { b: 2 },
      models: null,
    });
    expect(patch).toMatchObject({ status: 200, body: { rpm_limit: 6, tpm_limit: null, key: token } });
    expect((await get(`/key/info?key=${token}`)).body.info).toMatchObject({
      rpm_limit: 6,
      tpm_limit: null,
      metadata: { b: 2 },
      models: [],
    });
    await post("/key/update", { key, model_tpm_limit: { m: 4 } });
    expect((await get(`/key/info?key=${token}`)).body.info.metadata).toEqual({
      b: 2,
      model_tpm_limit: { m: 4 },
    });
    expect((await post("/key/update", { key: "sk-unknown-key-0000", rpm_limit: 1 })).status).toBe(404);
    expect(admin.actions.at(-2)).toMatchObject({
      action: "key.update",
      before: { rpm_limit: 5, tpm_limit: 7 },
      after: { rpm_limit: 6, tpm_limit: null },
    });
  });

  it("lists in pages, deletes by key, hash or alias with either verb, and archives what it deleted", async () => {
    const made = [];
    for (let n = 0; n < 5; n++)
      made.push((await post("/key/generate", { key_alias: `k${n}`, user_id: n < 3 ? "a" : "b" })).body);
    const page = await get("/key/list?size=2&page=2");
    expect(page.body).toMatchObject({
      total_count: 5,
      current_page: 2,
      total_pages: 3,
      keys: [made[2].token, made[1].token],
    });
    expect((await get("/key/list?user_id=b&return_full_object=true")).body.keys).toMatchObject([
      { key_alias: "k4" },
      { key_alias: "k3" },
    ]);
    expect((await get("/key/list?size=0")).status).toBe(422);
    expect((await post("/key/delete", { keys: [made[0].key] })).body).toEqual({
      deleted_keys: [made[0].token],
    });
    expect((await admin.call("DELETE", "/key/delete", { key_aliases: ["k1"] })).body).toEqual({
      deleted_keys: ["k1"],
    });
    expect((await post("/key/delete", { keys: [made[0].key] })).status).toBe(404);
    expect(await ask(made[0].key)).toBe("unknown_key");
    const archive = await gateway.rows(
      'SELECT key_alias, deleted_by FROM "LiteLLM_DeletedVerificationToken" ORDER BY 1',
    );
    expect(archive).toEqual([
      { key_alias: "k0", deleted_by: "default_user_id" },
      { key_alias: "k1", deleted_by: "default_user_id" },
    ]);
  });

  it("rotates a key: both work while the grace period runs, under one limit, and the spend goes along", async () => {
    const first = (await post("/key/generate", { rpm_limit: 3, max_budget: 1, key_alias: "r" })).body;
    const running = admitted(await gateway.ledger.admit(request(first.token, { cost: 0.4 })));
    const second = (await post(`/key/${first.key}/regenerate`, { grace_period: "1h" })).body;
    expect(second).toMatchObject({ key_alias: "r", rotation_count: 1, rpm_limit: 3 });
    expect(second.key).not.toBe(first.key);
    expect(await ask(first.key)).toBe("admitted");
    expect(await ask(second.key, { cost: 0.7 })).toBe("over_budget");
    await gateway.ledger.settle(running.reservation, usage("before-rotation", { cost: 0.3 }));
    expect((await get(`/key/info?key=${second.key}`)).body.info.spend).toBe(0.3);
    expect(await ask(second.key)).toBe("admitted");
    expect(await ask(first.key)).toBe("rate_limited:api_key:requests");
    const third = (await post("/key/regenerate", { key: second.token })).body;
    expect(await ask(second.key)).toBe("unknown_key");
    expect(await ask(third.key)).toBe("rate_limited:api_key:requests");
    expect(await ask(first.key)).toBe("rate_limited:api_key:requests");
  });
});

describe("who may administer", () => {
  it("takes the master key from every header that LiteLLM reads, and nothing else", async () => {
    const { key } = (await post("/key/generate", { models: ["claude-3-opus"] })).body;
    for (const headers of [
      { "x-litellm-api-key": MASTER_KEY },
      { "api-key": MASTER_KEY },
      { "x-api-key": MASTER_KEY },
    ]) {
      expect((await fetch(`${admin.url}/key/list`, { headers })).status).toBe(200);
    }
    expect(await get("/key/list", null)).toMatchObject({
      status: 401,
      body: { error: { type: "auth_error", code: "401" } },
    });
    expect(await get("/key/list", `${MASTER_KEY}x`)).toMatchObject({
      status: 401,
      body: { error: { type: "token_not_found_in_db" } },
    });
    expect(await get("/key/list", "sk-ｍaster-0123456789".normalize("NFKC").slice(0, 12))).toMatchObject({
      status: 401,
    });
    expect(await get("/key/list", "x".repeat(15_000))).toMatchObject({ status: 401 });
    expect(await get("/key/list", key)).toMatchObject({ status: 403 });
    expect(await get("/key/list", "' OR 1=1 --")).toMatchObject({ status: 401 });
    expect(admin.denied.map(({ reason }) => reason)).toEqual([
      "missing",
      "invalid",
      "invalid",
      "invalid",
      "not_allowed",
      "invalid",
    ]);
    expect(JSON.stringify(admin.denied)).not.toContain("sk-");
  });

  it("lets a key's holder see its own key, user and models alone", async () => {
    const mine = (await post("/key/generate", { models: ["claude-3-opus"], user_id: "me" })).body;
    const other = (await post("/key/generate", { user_id: "you" })).body;
    expect((await get("/key/info", mine.key)).body.key).toBe(mine.token);
    expect((await get(`/key/info?key=${other.token}`, mine.key)).status).toBe(404);
    expect((await get("/user/info?user_id=you", mine.key)).status).toBe(404);
    expect((await get("/v1/models", mine.key)).body.data.map(({ id }: { id: string }) => id)).toEqual([
      "claude-3-opus",
    ]);
    expect((await get("/v1/models")).body.data).toHaveLength(2);
    expect((await get("/model/info", mine.key)).body.data).toMatchObject([
      { model_name: "claude-3-opus", litellm_params: {} },
    ]);
  });

  it("answers health checks openly", async () => {
    expect(await get("/health", null)).toMatchObject({ status: 200 });
    expect(await get("/health/liveliness", null)).toEqual({ status: 200, body: "I'm alive!" });
    expect(await get("/health/readiness", null)).toEqual({
      status: 200,
      body: { status: "healthy", db: "connected" },
    });
    expect((await get("/key/generate")).status).toBe(405);
    expect((await get("/nothing")).status).toBe(404);
  });

  it("does not do what the audit does not take", async () => {
    const strict = await adminServer(gateway.database, {
      onAdminAction: () => Promise.reject(new Error("audit is full")),
    });
    expect((await strict.call("POST", "/key/generate", {})).status).toBe(500);
    expect(strict.errors).toHaveLength(1);
    await strict.close();
    expect(await gateway.rows('SELECT FROM "LiteLLM_VerificationToken"')).toHaveLength(0);
  });

  it("keeps hostile text text", async () => {
    const evil = `x'); DROP TABLE "LiteLLM_VerificationToken"; --`;
    const { token } = (
      await post("/key/generate", { key_alias: evil, user_id: evil, metadata: { [evil]: evil } })
    ).body;
    expect((await get(`/key/list?user_id=${encodeURIComponent(evil)}`)).body.keys).toEqual([token]);
    expect((await get(`/spend/logs?user_id=${encodeURIComponent(evil)}`)).body).toEqual([]);
    expect((await get(`/key/list?user_id=${encodeURIComponent("a\0")}`)).status).toBe(400);
    expect((await post("/key/delete", { key_aliases: [evil] })).body).toEqual({ deleted_keys: [evil] });
  });
});

describe("changes reach every gateway", () => {
  it("within a second: block, unblock, model change, expiry, team block and deletion; also LiteLLM's own", async () => {
    const other = await testGateway(gateway.url);
    const mirror = await adminServer(other.database);
    try {
      const { key, token } = (await post("/key/generate", { team_id: "t", models: ["claude-3-5-sonnet"] }))
        .body;
      await post("/team/new", { team_id: "t" });
      const there = async () => verdict(await other.ledger.admit(request(token)));
      const models = async () => {
        const { status, body } = await mirror.call("GET", "/v1/models", undefined, key);
        return status === 200 ? body.data.length : status;
      };
      const seen = async (change: () => Promise<unknown>, decision: string, listed: number) => {
        await models();
        await change();
        const changed = performance.now();
        expect(await there()).toBe(decision);
        // Of what is asked a second later, however long it takes.
        for (;;) {
          const asked = performance.now();
          if ((await models()) === listed) return;
          expect(asked - changed).toBeLessThan(1_000);
        }
      };
      await seen(() => post("/key/block", { key }), "blocked_key", 401);
      await seen(() => post("/key/unblock", { key: token }), "admitted", 1);
      await seen(() => post("/key/update", { key, models: ["claude-3-opus"] }), "model_denied", 1);
      await seen(() => post("/key/update", { key, models: [] }), "admitted", 2);
      await seen(() => post("/team/block", { team_id: "t" }), "blocked_team", 401);
      await seen(() => post("/team/unblock", { team_id: "t" }), "admitted", 2);
      await seen(
        () => gateway.rows('UPDATE "LiteLLM_VerificationToken" SET blocked = true'),
        "blocked_key",
        401,
      );
      await seen(() => gateway.rows('UPDATE "LiteLLM_VerificationToken" SET blocked = null'), "admitted", 2);
      await seen(
        () => gateway.rows(`UPDATE "LiteLLM_VerificationToken" SET expires = '2026-01-01'`),
        "expired_key",
        401,
      );
      await seen(() => post("/key/update", { key, duration: null }), "admitted", 2);
      await seen(() => post("/key/delete", { keys: [key] }), "unknown_key", 401);
    } finally {
      await mirror.close();
      await other.close();
    }
  });
});

describe("users and teams", () => {
  it("makes a user with a key, and tells about it", async () => {
    await post("/team/new", {
      team_id: "eng",
      team_alias: "Engineering",
      members_with_roles: [{ user_id: "u1", role: "user" }],
    });
    const user = (
      await post("/user/new", { user_id: "u1", user_email: "u1@x.org", max_budget: 5, budget_duration: "7d" })
    ).body;
    expect(user.key).toMatch(/^sk-/);
    expect(await ask(user.key)).toBe("admitted");
    expect((await post("/user/new", { user_id: "u1" })).status).toBe(400);
    expect((await post("/user/new", { auto_create_key: false })).body.key).toBeNull();
    expect((await post("/user/update", { user_id: "u1", max_budget: 0 })).body.data).toMatchObject({
      max_budget: 0,
    });
    expect(await ask(user.key)).toBe("over_budget");
    const info = (await get("/user/info?user_id=u1")).body;
    expect(info).toMatchObject({
      user_id: "u1",
      user_info: { user_email: "u1@x.org" },
      keys: [{ token: user.token }],
      teams: [{ team_id: "eng" }],
    });
    expect((await get("/user/info?user_id=nobody")).status).toBe(404);
    expect((await post("/team/update", { team_id: "eng", rpm_limit: 3 })).body.data).toMatchObject({
      rpm_limit: 3,
      team_alias: "Engineering",
    });
    expect((await get("/team/info?team_id=eng")).body).toMatchObject({
      team_id: "eng",
      team_info: { rpm_limit: 3 },
      keys: [],
    });
    const { key } = (await post("/key/generate", { team_id: "eng" })).body;
    expect((await post("/team/delete", { team_ids: ["eng"] })).body).toEqual({ deleted_teams: ["eng"] });
    expect(await ask(key)).toBe("unknown_key");
  });

  it("erases a person: keys, archived keys, spend rows, places in teams; and leaves a receipt that names nobody", async () => {
    const { key, token } = (await post("/user/new", { user_id: "gone@x.org" })).body;
    const old = (await post("/key/generate", { user_id: "gone@x.org" })).body;
    const stays = (await post("/key/generate", { user_id: "stays" })).body;
    await post("/team/new", {
      team_id: "t",
      members: ["gone@x.org", "stays"],
      members_with_roles: [{ user_id: "gone@x.org" }, { user_id: "stays" }],
    });
    for (const [id, owner] of [
      ["r1", token],
      ["r2", old.token],
      ["r3", stays.token],
    ] as const) {
      await gateway.ledger.settle(
        admitted(await gateway.ledger.admit(request(owner))).reservation,
        usage(id),
      );
    }
    await post("/key/delete", { keys: [old.key] });
    const startedAt = Date.now();
    const late = admitted(await gateway.ledger.admit(request(token))).reservation;
    const gone = await post("/user/delete", { user_ids: ["gone@x.org", "never-was"] });
    expect(gone.body).toMatchObject({
      deleted_users: 1,
      receipts: [
        {
          subject: hashKey("gone@x.org"),
          counts: { users: 1, keys: 1, deleted_keys: 1, spend_rows: 2, team_places: 1 },
        },
      ],
    });
    expect(await ask(key)).toBe("unknown_key");
    await gateway.ledger.settle(
      late,
      usage("late", { startedAt, endUser: "gone@x.org", metadata: { who: "gone@x.org" } }),
    );
    const tables = await gateway.rows(
      "SELECT table_schema AS s, table_name AS t FROM information_schema.tables WHERE table_schema IN ('public', 'central_llm')",
    );
    for (const { s, t } of tables) {
      expect(JSON.stringify(await gateway.rows(`SELECT * FROM "${s}"."${t}"`)), `${t}`).not.toContain(
        "gone@x.org",
      );
    }
    expect(JSON.stringify(admin.actions.at(-1))).not.toContain("gone@x.org");
    expect(
      await gateway.rows('SELECT request_id, spend, api_key FROM "LiteLLM_SpendLogs" ORDER BY 1'),
    ).toEqual([
      { request_id: "late", spend: 0.001, api_key: "" },
      { request_id: "r3", spend: 0.001, api_key: stays.token },
    ]);
    expect(await gateway.rows("SELECT id, subject FROM central_llm.erasure_receipt")).toEqual([
      { id: gone.body.receipts[0].receipt_id, subject: hashKey("gone@x.org") },
    ]);
    expect((await post("/user/delete", { user_ids: ["gone@x.org"] })).status).toBe(404);
  });
});
