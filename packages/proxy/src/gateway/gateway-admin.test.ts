/** The administration behind the gateway's door: every change is a record, no record or log holds a key. */
import { hashKey } from "@central-llm/core/virtual-key";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GatewayBench, MASTER_KEY } from "../testing/gateway-bench.ts";
import type { ProxyProcess } from "../testing/proxy-process.ts";

let bench: GatewayBench;
let gateway: ProxyProcess;
beforeAll(async () => {
  bench = await GatewayBench.start({ start: false });
  gateway = await bench.startProcess({ ACCESS_LOG: "on" });
  bench.port = Number(new URL(gateway.url).port);
});
afterAll(() => bench?.stop());

const idOf = (response: Response) => response.headers.get("x-request-id") ?? "";
const admin = (path: string, body?: unknown, headers: Record<string, string> = {}) =>
  bench.call(body === undefined ? "GET" : "POST", path, body, { headers });

describe("the administration", () => {
  it("records each change: who, what, before and after", async () => {
    const made = await admin(
      "/key/generate",
      { key_alias: "one", rpm_limit: 5 },
      { "litellm-changed-by": "eve" },
    );
    const { token } = (await made.json()) as { token: string };
    const generated = await bench.record(idOf(made));
    expect(generated).toMatchObject({
      profile: "gateway",
      projectId: "gateway-admin",
      userId: "eve",
      requestType: "admin",
      identity: { keyAlias: "litellm_proxy_master_key" },
      http: { method: "POST", path: "/key/generate" },
      outcome: "completed",
      request: {
        body: {
          action: "key.generate",
          actor: { kind: "master", changedBy: "eve" },
          target: { kind: "key", id: token, alias: "one" },
          before: null,
          after: { rpm_limit: 5 },
        },
      },
      response: { body: null },
    });
    const updated = await admin("/key/update", { key: token, rpm_limit: 9 });
    expect((await bench.record(idOf(updated))).request.body).toMatchObject({
      action: "key.update",
      before: { rpm_limit: 5 },
      after: { rpm_limit: 9 },
    });
  });

  it("records each of several changes of one call as its own", async () => {
    const keys = await Promise.all([bench.key({ key_alias: "a" }), bench.key({ key_alias: "b" })]);
    expect((await admin("/key/delete", { keys: keys.map(({ token }) => token) })).status).toBe(200);
    const deletions = async () =>
      (await bench.trail.all()).filter(({ record }) => record.http.path === "/key/delete");
    await expect.poll(async () => (await deletions()).length).toBe(2);
    const targets = (await deletions()).map(
      ({ record }) => (record.request.body as { target: { id: string } }).target.id,
    );
    expect(targets.sort()).toEqual(keys.map(({ token }) => token).sort());
  });

  it("records looks, refusals and failed authentications, without what was asked of them", async () => {
    const { key, token } = await bench.key({ user_id: "ada" });
    const denied = await bench.call("POST", "/key/generate", {}, { key });
    expect(denied.status).toBe(403);
    expect(await bench.record(idOf(denied))).toMatchObject({
      outcome: "blocked",
      identity: { keyId: token },
      userId: "ada",
    });
    const stranger = await bench.call("POST", "/key/generate", {}, { key: "sk-0123456789-nobody" });
    expect(stranger.status).toBe(401);
    expect(await bench.record(idOf(stranger))).toMatchObject({
      outcome: "client_error",
      identity: { keyId: hashKey("sk-0123456789-nobody") },
    });
    const look = await admin(`/key/info?key=${key}`);
    expect(look.status).toBe(200);
    expect(await bench.record(idOf(look))).toMatchObject({ http: { path: "/key/info" }, statusCode: 200 });
    const wrong = await admin("/key/generate", { max_budget: "much" });
    expect(wrong.status).toBe(422);
    expect(await bench.record(idOf(wrong))).toMatchObject({ statusCode: 422, outcome: "client_error" });
  });

  it("leaves no key in records, spend rows, metrics or logs", async () => {
    const { key } = await bench.key();
    const regenerated = await admin(`/key/${key}/regenerate`, { grace_period: "1h" });
    const fresh = ((await regenerated.json()) as { key: string }).key;
    expect(await bench.record(idOf(regenerated))).toMatchObject({ http: { path: "/key/{key}/regenerate" } });
    const body = { model: "claude-3-5-sonnet", messages: [{ role: "user", content: "Hello" }] };
    for (const one of [key, fresh, "sk-wrong-0123456789abcdef"])
      await bench.call("POST", "/v1/chat/completions", body, { key: one });
    await admin(`/key/info?key=${fresh}`);
    await bench.call("GET", `/key/${fresh}/unknown`);
    const last = await admin("/v1/models");
    await bench.record(idOf(last));
    const objects = await Promise.all((await bench.trail.keys("")).map((name) => bench.trail.text(name)));
    const rows = await bench.database.query('SELECT * FROM "LiteLLM_SpendLogs"');
    const metrics = await (await fetch(`${bench.url}/metrics`)).text();
    const kept = [...objects, JSON.stringify(rows.rows), metrics, gateway.output()].join("\n");
    expect(kept).toContain(hashKey(key));
    for (const secret of [key, fresh, MASTER_KEY, "sk-wrong-0123456789abcdef"])
      expect(kept).not.toContain(secret);
  });

  it("makes no change that cannot be audited, and answers no call, in mode strict on a full spool", async () => {
    const port = await bench.startGateway({ AUDIT_MODE: "strict", SPOOL_MAX_BYTES: "1" });
    const before = await bench.database.query('SELECT 1 FROM "LiteLLM_VerificationToken"');
    const refused = await bench.call("POST", "/key/generate", {}, { port });
    expect(refused.status).toBe(503);
    const after = await bench.database.query('SELECT 1 FROM "LiteLLM_VerificationToken"');
    expect(after.rowCount).toBe(before.rowCount);
    const { key } = await bench.key({ max_parallel_requests: 1 });
    const body = { model: "claude-3-5-sonnet", messages: [{ role: "user", content: "Hello" }] };
    for (let again = 0; again < 2; again++) {
      const call = await bench.call("POST", "/v1/chat/completions", body, { key, port });
      expect([call.status, ((await call.json()) as { error: { code: string } }).error.code]).toEqual([
        503,
        "audit_unavailable",
      ]);
    }
  });
});

describe("the configuration", () => {
  it("names everything that is missing or wrong in one line", async () => {
    const settings = {
      DATABASE_URL: "",
      LITELLM_MASTER_KEY: "",
      DATABASE_HOST: "db",
      GATEWAY_ENGINE: "litellm",
      KEY_TIERS: "{",
      AUDIT_BUCKET: "",
    };
    const message = await bench.startProcess(settings).then(
      () => "",
      (error: Error) => error.message,
    );
    const [line] = message.split("\n").filter((text) => text.includes("configuration is incomplete"));
    for (const name of [
      "DATABASE_NAME",
      "DATABASE_PASSWORD",
      "LITELLM_MASTER_KEY",
      "KEY_TIERS",
      "AUDIT_BUCKET",
    ])
      expect(line).toContain(name);
  });

  it("takes the database by its parts, and infra's short model list", async () => {
    const url = new URL(bench.databaseUrl);
    const port = await bench.startGateway({
      DATABASE_URL: "",
      DATABASE_HOST: url.hostname,
      DATABASE_PORT: url.port,
      DATABASE_NAME: url.pathname.slice(1),
      DATABASE_USERNAME: url.username,
      DATABASE_PASSWORD: url.password,
      DATABASE_TLS: "off",
      MODELS: JSON.stringify([{ name: "sonnet", bedrockId: "anthropic.claude-3-5-sonnet-20241022-v2:0" }]),
    });
    const list = (await (await bench.call("GET", "/v1/models", undefined, { port })).json()) as {
      data: { id: string }[];
    };
    expect(list.data.map(({ id }) => id)).toEqual(["sonnet"]);
    const body = { model: "sonnet", messages: [{ role: "user", content: "Hello" }] };
    const answer = await bench.call("POST", "/v1/chat/completions", body, { port });
    expect(answer.status).toBe(200);
    expect(await bench.record(idOf(answer))).toMatchObject({
      identity: { keyAlias: "litellm_proxy_master_key", keyId: null },
      cost: { usd: expect.any(Number) },
    });
  });
});
