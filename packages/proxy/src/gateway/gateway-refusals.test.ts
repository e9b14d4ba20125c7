/** What the gateway refuses: every status of seed 004 §6.2 with its body, each one audited; and what attackers try. */
import { hashKey } from "@central-llm/core/virtual-key";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GatewayBench, MASTER_KEY } from "../testing/gateway-bench.ts";
import { RawClient } from "../testing/raw-client.ts";
import { RecordingRelay } from "../testing/recording-relay.ts";

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

  it("404 for paths that are none, and for methods that are not the path's, each audited with what is known", async () => {
    const { key, token } = await bench.key();
    const before = await bench.metric("gateway_refused_requests_total", 'reason="unknown_url"');
    for (const [method, path, by, keyId, shown] of [
      ["POST", "/v1/nothing", key, token, "/v1/nothing"],
      ["GET", "/v1/chat/completions", null, null, "/v1/chat/completions"],
      ["PUT", `/v1/files/${key}?of=${key}`, MASTER_KEY, null, "/v1/files/{key}"],
    ] as const) {
      const response = await bench.call(method, path, method === "GET" ? undefined : {}, { key: by });
      const { record, ...answer } = await refused(response);
      expect(answer).toMatchObject({ status: 404, code: "unknown_url" });
      expect(record).toMatchObject({
        requestType: "unknown",
        outcome: "client_error",
        http: { method, path: shown },
        identity: { keyId },
        request: { body: null },
      });
      expect(JSON.stringify(record)).not.toContain(key);
    }
    expect(await bench.metric("gateway_refused_requests_total", 'reason="unknown_url"')).toBe(before + 3);
  });

  it("are their key's whose header LiteLLM reads first, whatever the other headers say", async () => {
    const own = await bench.key({ user_id: "own" });
    const bearer = await bench.key({ user_id: "bearer" });
    const list = async (headers: Record<string, string>) => {
      const response = await bench.call("GET", "/v1/models", undefined, { key: bearer.key, headers });
      await response.text();
      return { status: response.status, identity: (await bench.record(idOf(response))).identity };
    };
    for (const value of [own.key, `Bearer ${own.key}`])
      expect(await list({ "x-litellm-api-key": value })).toMatchObject({
        status: 200,
        identity: { keyId: own.token },
      });
    expect(await list({ "x-api-key": own.key, "api-key": own.key })).toMatchObject({
      identity: { keyId: bearer.token },
    });
    const wrong = "sk-nobody-has-this-key";
    expect(await list({ "x-litellm-api-key": wrong })).toMatchObject({
      status: 401,
      identity: { keyId: hashKey(wrong) },
    });
    const model = await chat(bearer.key, { ...ask(), model: "none" }, { "x-litellm-api-key": own.key });
    expect((await bench.record(idOf(model))).identity).toMatchObject({ keyId: own.token });
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

  it("guesses are audited and counted, and neither the master key nor a near miss is told from them", async () => {
    const { key } = await bench.key();
    const guesses = [
      "sk-guess-1",
      ...[MASTER_KEY.slice(0, -1), `${MASTER_KEY}x`, key.slice(0, -1), `${key.slice(0, -1)}!`],
      ...["no key at all", "x", hashKey(key)],
    ];
    const count = (reason: string) =>
      bench.metric("gateway_failed_authentications_total", `reason="${reason}"`);
    const before = await count("unknown_key");
    const answers = await Promise.all(guesses.map((guess) => chat(guess)));
    const bodies = await Promise.all(answers.map((answer) => answer.text()));
    expect(new Set(bodies).size).toBe(1);
    const heads = answers.map(({ status, headers }) => [status, [...headers.keys()].sort().join()].join());
    expect(new Set(heads).size).toBe(1);
    expect(await count("unknown_key")).toBe(before + guesses.length);
    for (const [index, answer] of answers.entries()) {
      const record = await bench.record(idOf(answer));
      expect(record).toMatchObject({
        statusCode: 401,
        outcome: "client_error",
        identity: { method: "virtual-key", keyId: hashKey(guesses[index] ?? "") },
        request: { body: null },
      });
    }
  });

  it("malformed, blocked and expired keys get an answer of the same shape, a record and a count", async () => {
    const blocked = await bench.key({ blocked: true });
    const expired = await bench.key();
    await bench.database.query(
      `UPDATE "LiteLLM_VerificationToken" SET expires = now() AT TIME ZONE 'UTC' - interval '1 s' WHERE token = $1`,
      [expired.token],
    );
    const shapes = new Set<string>();
    for (const [key, headers] of [
      ["sk-guess-2", {}],
      [null, { authorization: "Basic c2s6c2s=" }],
      [null, { authorization: "Bearer " }],
      [blocked.key, {}],
      [expired.key, {}],
    ] as const) {
      const before = await bench.metric("gateway_failed_authentications_total");
      const response = await chat(key, ask(), headers);
      const body = (await response.json()) as { error: object };
      expect(response.status).toBe(401);
      // A key that cannot be one is refused before the body is read, so its connection ends.
      const names = [...response.headers.keys()].filter((name) => !CONNECTION.has(name)).sort();
      shapes.add([Object.keys(body), Object.keys(body.error), names].join());
      expect(await bench.record(idOf(response))).toMatchObject({ statusCode: 401, outcome: "client_error" });
      expect(await bench.metric("gateway_failed_authentications_total")).toBe(before + 1);
    }
    expect(shapes.size).toBe(1);
  });

  it("the database is asked of a wrong key what it is asked of any: one statement, one hash", async () => {
    const { key } = await bench.key();
    const relay = await RecordingRelay.start(Number(new URL(bench.databaseUrl).port));
    try {
      const url = bench.databaseUrl.replace(/:\d+\//, `:${relay.port}/`);
      const port = await bench.startGateway({ DATABASE_URL: url });
      const guesses = [
        "x",
        `sk-${"y".repeat(400)}`,
        key.slice(0, -1),
        `${key.slice(0, -1)}!`,
        MASTER_KEY.slice(0, -1),
      ];
      const asked: string[] = [];
      // The first one brings the statement along, which is sent once a connection.
      for (const guess of ["sk-first", "sk-second", ...guesses]) {
        const before = relay.sent.length;
        const response = await bench.call("POST", "/v1/chat/completions", ask(), { key: guess, port });
        expect(response.status).toBe(401);
        const pieces = relay.sent.slice(before).filter((piece) => piece.includes(hashKey(guess)));
        expect(pieces).toHaveLength(1);
        asked.push((pieces[0] ?? "").replace(hashKey(guess), "<hash>").replaceAll(UUID, "<id>"));
      }
      expect(new Set(asked.slice(2))).toEqual(new Set([asked.at(-1)]));
      const everything = relay.sent.join("");
      for (const guess of guesses.slice(1)) expect(everything).not.toContain(guess.slice(0, 12));
    } finally {
      await relay.stop();
    }
  });
});

const CONNECTION = new Set(["connection", "keep-alive"]);
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
