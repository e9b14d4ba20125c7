/** LiteLLM's administration through the gateway: it answers as it does, and every action is audited, without a key anywhere. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { hashKey } from "@central-llm/core/virtual-key";
import { afterAll, beforeAll, expect, it } from "vitest";
import { MASTER_KEY } from "../testing/gateway-bench.ts";
import { LitellmBench } from "../testing/litellm-bench.ts";

let bench: LitellmBench;
beforeAll(async () => {
  bench = await LitellmBench.start();
});
afterAll(() => bench?.stop());

/** What S3 and the spools' folders hold. */
async function everythingKept(): Promise<string> {
  const { trail, folder } = bench.bench;
  const objects = await Promise.all((await trail.keys("")).map((key) => trail.text(key)));
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const spools = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
  return [...objects, ...(await Promise.all(spools.map((path) => readFile(path, "latin1"))))].join("\n");
}

it("makes, shows and regenerates a key; the records say who did what, by the key's hash", async () => {
  const made = await bench.call(
    "POST",
    "/key/generate",
    { key_alias: "ada's", user_id: "ada", max_budget: 5 },
    { headers: { "litellm-changed-by": "root@example.com" } },
  );
  const { key, token } = (await made.json()) as { key: string; token: string };
  expect(key).toMatch(/^sk-/);
  expect(await bench.record(made)).toMatchObject({
    projectId: "gateway-admin",
    userId: "root@example.com",
    requestType: "admin",
    identity: { keyAlias: "litellm_proxy_master_key" },
    http: { method: "POST", path: "/key/generate" },
    outcome: "completed",
    request: { body: { body: { key_alias: "ada's", user_id: "ada", max_budget: 5 } } },
    response: { body: null },
  });

  const shown = await bench.call("GET", `/key/info?key=${key}`);
  expect(await shown.json()).toMatchObject({ info: { token, user_id: "ada" } });
  expect(await bench.record(shown)).toMatchObject({
    http: { path: "/key/info" },
    request: { body: { query: { key: `sha256:${token}` } } },
  });

  // As a client may write it, the key cannot be found in it by its form.
  const renewed = await bench.call("POST", `/key/${key.replace("-", "%2D")}/regenerate`, {
    new_key: "sk-my-own-key-0123456789",
  });
  const { key: second } = (await renewed.json()) as { key: string };
  expect(await bench.record(renewed)).toMatchObject({
    http: { path: "/key/{key}/regenerate" },
    request: { body: { body: { new_key: `sha256:${hashKey("sk-my-own-key-0123456789")}` } } },
  });
  const kept = await everythingKept();
  for (const secret of [key, second, "sk-my-own-key-0123456789", MASTER_KEY])
    expect(kept).not.toContain(secret);
});

it("keeps no credential of a body, whatever it is called", async () => {
  const response = await bench.call("POST", "/credentials", {
    credential_name: "bedrock",
    credential_values: { aws_secret_access_key: "wJalrXUtnFEMI-first" },
    litellm_params: { model: "openai/gpt", api_key: "second-secret", api_base: "https://x", rpm: 5 },
    password: "third-secret",
    note: "the old one was sk-abcdefgh12345678",
  });
  expect(response.status).toBe(200);
  expect(bench.standIn.last.body).toContain("second-secret");
  const record = await bench.record(response);
  expect(record.request.body).toEqual({
    body: {
      credential_name: "bedrock",
      credential_values: "[redacted]",
      litellm_params: { model: "openai/gpt", api_key: "[redacted]", api_base: "https://x", rpm: 5 },
      password: "[redacted]",
      note: `the old one was sha256:${hashKey("sk-abcdefgh12345678")}`,
    },
  });
  expect(await everythingKept()).not.toMatch(/wJalrXUtnFEMI|second-secret|third-secret|sk-abcdefgh/);
});

it("passes LiteLLM's refusals on; who tried is in the record, and failed authentications are counted", async () => {
  const { key, token } = await bench.key({ user_id: "eve" });
  const before = await bench.metric("gateway_failed_authentications_total");
  const refused = await bench.call("POST", "/key/generate", { user_id: "eve" }, { key });
  expect(refused.status).toBe(401);
  expect(await refused.json()).toMatchObject({ error: { message: /Only proxy admin/, type: "auth_error" } });
  expect(await bench.record(refused)).toMatchObject({
    userId: "eve",
    identity: { keyId: token },
    statusCode: 401,
    outcome: "client_error",
    error: { type: "auth_error" },
  });
  const none = await bench.call("GET", "/key/info?key=x", undefined, { key: null });
  expect(await none.text()).toBe(
    '{"error":{"message":"Authentication Error, No api key passed in.","type":"auth_error","param":"None","code":"401"}}',
  );
  expect(await bench.metric("gateway_failed_authentications_total")).toBe(before + 2);
  expect(await bench.metric("gateway_failed_authentications_total", 'reason="missing_key"')).toBe(1);
});

it("lets through what LiteLLM does not know, and its health, which leaves no record", async () => {
  const unknown = await bench.call("POST", "/team/no-such-thing", {});
  expect(unknown.status).toBe(404);
  expect(await unknown.json()).toEqual({ detail: "Not Found" });
  const health = await fetch(`${bench.url}/health/liveliness`);
  expect(await health.text()).toBe(`"I'm alive!"`);
  expect(await (await fetch(`${bench.url}/health`)).json()).toEqual({ status: "healthy" });
  expect(await (await fetch(`${bench.url}/ready`)).json()).toMatchObject({ litellm: true, spool: true });
  const records = (await bench.bench.trail.all()).map(({ record }) => record.http.path);
  expect(records).toContain("/key/generate");
  expect(records.filter((path) => path.startsWith("/health"))).toEqual([]);
});

it("touches nothing in the database: no migration, no write", async () => {
  const { rows } = await bench.bench.database.query(
    "SELECT 1 FROM information_schema.schemata WHERE schema_name = 'central_llm'",
  );
  expect(rows).toEqual([]);
});
