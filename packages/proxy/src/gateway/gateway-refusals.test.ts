/** What the gateway refuses: every status of seed 004 §6.2 with its body, each one audited; and what attackers try. */
import { hashKey } from "@central-llm/core/virtual-key";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GatewayBench, MASTER_KEY } from "../testing/gateway-bench.ts";
import { RawClient } from "../testing/raw-client.ts";

let bench: GatewayBench;
beforeAll(async () => {
  bench = await GatewayBench.start({ settings: { MAX_BODY_BYTES: "200000", MAX_HEADER_BYTES: "16384" } });
});
afterAll(() => bench?.stop());

const MODEL = "claude-3-5-sonnet";
const ask = (content = "Hello", more: object = {}) => ({
  model: MODEL,
  messages: [{ role: "user", content }],
  ...more,
});
const chat = (key: string | null, body: unknown = ask(), headers: Record<string, string> = {}) =>
  bench.call("POST", "/v1/chat/completions", body, { key, headers });
const idOf = (response: Response) => response.headers.get("x-request-id") ?? "";

async function refused(response: Response) {
  const body = (await response.json()) as { error: { type: string; code: string; message: string } };
  const record = await bench.record(idOf(response));
  expect(record.statusCode).toBe(response.status);
  expect(record.response.body).toEqual(body);
  expect(bench.standIn.calls).toHaveLength(0);
  return { status: response.status, ...body.error, record, headers: response.headers };
}

describe("keys", () => {
  it("401 without one, in the wire's own shape", async () => {
    const { record, ...answer } = await refused(await chat(null));
    expect(answer).toMatchObject({ status: 401, type: "auth_error", code: "401" });
    expect(record).toMatchObject({ outcome: "client_error", identity: { method: "none", keyId: null } });
    expect(record.request.body).toBeNull();
    const anthropic = await bench.call("POST", "/v1/messages", { ...ask(), max_tokens: 5 }, { key: null });
    expect(anthropic.status).toBe(401);
    expect(await anthropic.json()).toEqual({
      type: "error",
      error: { type: "authentication_error", message: expect.stringContaining("No api key") },
      request_id: idOf(anthropic),
    });
  });

  it("401 for one that is unknown, blocked or expired; the record has the key's hash", async () => {
    const unknown = await refused(await chat("sk-nobody-has-this-key"));
    expect(unknown).toMatchObject({ status: 401, type: "token_not_found_in_db" });
    // What a stranger sends is counted, not kept.
    expect(unknown.record.request).toMatchObject({ body: null, truncated: true, sha256: null });
    expect(unknown.record.identity).toMatchObject({
      method: "virtual-key",
      keyId: hashKey("sk-nobody-has-this-key"),
    });
    const blocked = await bench.key({ blocked: true, user_id: "ada" });
    const answer = await refused(await chat(blocked.key));
    expect(answer).toMatchObject({ status: 401, type: "auth_error" });
    expect(answer.record).toMatchObject({ userId: "ada", identity: { keyId: blocked.token } });
    const expired = await bench.key({ duration: "1s" });
    await bench.database.query(
      `UPDATE "LiteLLM_VerificationToken" SET expires = now() AT TIME ZONE 'UTC' - interval '1 s' WHERE token = $1`,
      [expired.token],
    );
    expect(await refused(await chat(expired.key))).toMatchObject({ status: 401, type: "expired_key" });
    expect(await bench.metric("gateway_failed_authentications_total", 'reason="expired_key"')).toBe(1);
  });

  it("403 for a model, a route or a budget that is not the key's", async () => {
    const model = await bench.key({ models: ["claude-3-opus"] });
    const denied = await refused(await chat(model.key));
    expect(denied).toMatchObject({ status: 403, type: "key_model_access_denied" });
    expect(denied.record).toMatchObject({ outcome: "blocked", request: { body: ask() } });
    const route = await bench.key({ allowed_routes: ["/v1/embeddings"], max_parallel_requests: 1 });
    for (let again = 0; again < 2; again++)
      expect(await refused(await chat(route.key))).toMatchObject({ status: 403, type: "auth_error" });
    const budget = await bench.key({ max_budget: 0.0000001 });
    expect(await refused(await chat(budget.key))).toMatchObject({
      status: 403,
      type: "budget_exceeded",
      record: { outcome: "blocked" },
    });
  });

  it("429 over the rate, with LiteLLM's headers; a refused call consumes nothing", async () => {
    const { key } = await bench.key({ tpm_limit: 1 });
    for (let again = 0; again < 2; again++) {
      const answer = await refused(await chat(key));
      expect(answer).toMatchObject({ status: 429, type: "throttling_error" });
      expect(answer.headers.get("rate_limit_type")).toBe("tokens");
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(answer.headers.get("reset_at")).toMatch(/UTC$/);
      expect(answer.record.outcome).toBe("rate_limited");
    }
  });
});

describe("requests", () => {
  it("400 and 404 for what is wrong with them, but only to whoever has a key", async () => {
    const { key } = await bench.key();
    for (const [body, status, code] of [
      ["{", 400, "invalid_json"],
      ["[]", 400, null],
      [{ messages: [] }, 400, null],
      [{ model: MODEL }, 400, null],
      [{ ...ask(), model: "gpt-9" }, 404, "model_not_found"],
      [{ ...ask(), model: "x".repeat(10_000) }, 400, null],
      [{ ...ask(), n: 3 }, 400, "unsupported_parameter"],
    ] as const) {
      expect(await refused(await chat(key, body))).toMatchObject({ status, code });
      expect(await refused(await chat("sk-nobody-has-this-key", body))).toMatchObject({ status: 401 });
    }
  });

  it("413 for a body over the limit", async () => {
    const { key } = await bench.key();
    expect(await refused(await chat(key, ask("x".repeat(300_000))))).toMatchObject({
      status: 413,
      code: "request_too_large",
    });
  });

  it("404 for paths that are none, and for methods that are not the path's", async () => {
    for (const [method, path] of [
      ["POST", "/v1/nothing"],
      ["GET", "/v1/chat/completions"],
    ] as const) {
      const response = await bench.call(method, path, method === "GET" ? undefined : {});
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ error: { code: "unknown_url" } });
      expect(idOf(response)).not.toBe("");
    }
  });
});

describe("attacks", () => {
  it("SQL in keys, models and users is text", async () => {
    const { key, token } = await bench.key({ user_id: "bob" });
    const sql = `sk-'; DROP TABLE "LiteLLM_VerificationToken"; --`;
    expect((await chat(sql)).status).toBe(401);
    expect((await chat(key, { ...ask(), model: sql })).status).toBe(404);
    const list = await bench.call("GET", `/key/info?key=${encodeURIComponent(sql)}`);
    expect(list.status).toBe(404);
    const still = await bench.database.query('SELECT 1 FROM "LiteLLM_VerificationToken" WHERE token = $1', [
      token,
    ]);
    expect(still.rowCount).toBe(1);
  });

  it("NUL, half surrogates and look-alikes make no other key", async () => {
    const { key } = await bench.key();
    const { key: other } = await bench.key({ models: [MODEL] });
    expect((await chat(key, { ...ask(), model: "claude-3-5-sonnet\u0000" })).status).toBe(404);
    expect((await chat(other, { ...ask(), model: "\ud800" })).status).toBe(403);
    expect((await chat(other, { ...ask(), model: "сlaude-3-5-sonnet" })).status).toBe(403);
    const raw = await RawClient.connect(bench.port);
    const lookAlike = `ѕk-${key.slice(3)}`;
    const body = JSON.stringify(ask());
    raw.send(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer ${lookAlike}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await raw.until((text) => text.includes("\r\n\r\n"));
    expect(raw.text).toMatch(/^HTTP\/1.1 401 /);
    raw.destroy();
  });

  it("keys of megabytes end at the door", async () => {
    const long = await refused(await chat(`sk-${"x".repeat(5_000)}`));
    expect(long).toMatchObject({ status: 401, record: { identity: { keyId: null } } });
    const raw = await RawClient.connect(bench.port);
    raw.send(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-${"x".repeat(1_000_000)}`,
    );
    await raw.until((text) => text.includes("\r\n\r\n"));
    expect(raw.text).toMatch(/^HTTP\/1.1 431 /);
    raw.destroy();
  });

  it("guesses are audited and counted, and the master key is not told from them", async () => {
    const before = await bench.metric("gateway_failed_authentications_total");
    const answers = await Promise.all(
      ["sk-guess-1", MASTER_KEY.slice(0, -1), `${MASTER_KEY}x`].map((guess) => chat(guess)),
    );
    const bodies = await Promise.all(answers.map((answer) => answer.text()));
    expect(new Set(bodies).size).toBe(1);
    expect(await bench.metric("gateway_failed_authentications_total")).toBe(before + 3);
    for (const answer of answers) expect((await bench.record(idOf(answer))).statusCode).toBe(401);
  });
});
