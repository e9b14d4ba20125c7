/** The PII filter in the gateway: what it stops, masks and flags, and that no value is left anywhere. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { GatewayBench } from "../testing/gateway-bench.ts";

let bench: GatewayBench;
let guarded: number;
let failing: number;
beforeAll(async () => {
  bench = await GatewayBench.start();
  const guardrail = { PII_ENGINE: "bedrock-guardrail", GUARDRAIL_VERSION: "1" };
  guarded = await bench.startGateway({ ...guardrail, GUARDRAIL_ID: "gr-1" });
  failing = await bench.startGateway({ ...guardrail, GUARDRAIL_ID: "unknown" });
});
afterAll(() => bench?.stop());
afterEach(() => {
  bench.standIn.calls.length = 0;
});

const CARD = "4111 1111 1111 1111";
/** Four digits alone are in some key's hash now and then. */
const CARD_DIGITS = /4111\D?1111/;
const MODEL = "claude-3-5-sonnet";
const ask = (content: unknown, more: object = {}) => ({
  model: MODEL,
  messages: [{ role: "user", content }],
  ...more,
});
const chat = (key: string, body: unknown, port = bench.port) =>
  bench.call("POST", "/v1/chat/completions", body, { key, port });
const idOf = (response: Response) => response.headers.get("x-request-id") ?? "";
const parts = (...texts: string[]) => texts.map((text) => ({ type: "text", text }));
const contentOf = (text: string) =>
  text
    .split("\n\n")
    .filter((event) => event.startsWith("data: {"))
    .map((event) => JSON.parse(event.slice(6)).choices?.[0]?.delta.content ?? "")
    .join("");

/** What S3 and the spools' folders hold. */
async function everythingKept(): Promise<string> {
  const objects = await Promise.all((await bench.trail.keys("")).map((key) => bench.trail.text(key)));
  const files = await readdir(bench.folder, { recursive: true, withFileTypes: true });
  const spools = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
  // A file may be renamed, or be uploaded and removed, meanwhile.
  const texts = await Promise.all(
    spools.map((path) =>
      readFile(path, "latin1").catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return "";
        throw error;
      }),
    ),
  );
  return [...objects, ...texts].join("\n");
}

describe("the local engine", () => {
  it("blocks a card: 400 that names its kind, no call, no charge, and the value is kept nowhere", async () => {
    const { key } = await bench.key({ max_parallel_requests: 1, max_budget: 1 });
    for (let again = 0; again < 2; again++) {
      const response = await chat(key, ask(`Pay with ${CARD}`));
      const text = await response.text();
      expect(response.status).toBe(400);
      expect(JSON.parse(text)).toMatchObject({ error: { code: "pii_blocked" } });
      expect(text).toContain("CREDIT_CARD");
      expect(text).not.toMatch(CARD_DIGITS);
      const record = await bench.record(idOf(response));
      expect(record).toMatchObject({
        outcome: "blocked",
        request: { body: ask("Pay with [CREDIT_CARD]"), sha256: null },
        policy: { pii: [{ entity: "CREDIT_CARD", count: 1, action: "block" }] },
      });
    }
    expect(bench.standIn.calls).toHaveLength(0);
    expect(await everythingKept()).not.toMatch(CARD_DIGITS);
    const rows = await bench.database.query('SELECT 1 FROM "LiteLLM_SpendLogs"');
    expect(rows.rowCount).toBe(0);
  });

  it("lets a flagged value through, and keeps it out of the audit on both sides", async () => {
    const { key } = await bench.key();
    const response = await chat(key, ask("Write to ada@example.org"));
    expect(await response.text()).toContain("ada@example.org");
    const record = await bench.record(idOf(response));
    expect(record.request).toMatchObject({ body: ask("Write to [EMAIL]"), sha256: null });
    expect(JSON.stringify(record.response.body)).toContain("You said: Write to [EMAIL]");
    expect(record.policy.pii).toEqual([{ entity: "EMAIL", count: 2, action: "flag" }]);
    const streamed = await chat(key, ask("Write to ada@example.org", { stream: true }));
    expect(contentOf(await streamed.text())).toContain("ada@example.org");
    expect(JSON.stringify(await bench.record(idOf(streamed)))).not.toContain("ada@");
    expect(await everythingKept()).not.toContain("ada@example.org");
  });

  it("keeps nothing of what it has not seen: the first of two members of one name", async () => {
    const { key } = await bench.key();
    const twice = `{"model":"${MODEL}","messages":[{"role":"user","content":"Pay with ${CARD}"}],"messages":[{"role":"user","content":"Hello"}]}`;
    const response = await chat(key, twice);
    expect(response.status).toBe(200);
    const record = await bench.record(idOf(response));
    expect(record.request).toMatchObject({ body: ask("Hello"), bytes: twice.length });
    expect(await everythingKept()).not.toMatch(CARD_DIGITS);
  });

  it("masks where the key asks for it, before the model sees it", async () => {
    const { key } = await bench.key({ metadata: { pii: { EMAIL: "mask" } } });
    const response = await chat(key, ask("Write to ada@example.org"));
    expect(await response.text()).toContain("You said: Write to [EMAIL]");
    expect(JSON.stringify(bench.standIn.calls)).not.toContain("ada@");
  });

  it("stops an answer that holds what is blocked, also in a stream, across its chunks", async () => {
    const { key } = await bench.key();
    // Neither part is a card; the stand-in says them in one breath.
    const body = ask(parts("4111 1111", " 1111 1111"));
    const whole = await chat(key, body);
    expect(whole.status).toBe(400);
    expect(await whole.json()).toMatchObject({ error: { message: expect.stringContaining("The answer") } });
    expect(await bench.spend(idOf(whole))).toMatchObject({ status: "failure" });
    expect((await bench.spend(idOf(whole))).spend).toBeGreaterThan(0);
    const response = await chat(key, { ...body, stream: true });
    const text = await response.text();
    expect(contentOf(text)).not.toContain("1111 1111 1111");
    expect(text).toContain('"code":"pii_blocked"');
    expect(text).not.toContain("[DONE]");
    const record = await bench.record(idOf(response));
    expect(record).toMatchObject({ outcome: "blocked", response: { complete: false, sha256: null } });
    expect(JSON.stringify(record.response.body)).toContain("[CREDIT_CARD]");
  });

  it("fails closed when a key's policy is none", async () => {
    const { key } = await bench.key({ metadata: { pii: { EMAIL: "whisper" } } });
    const response = await chat(key, ask("Hello"));
    expect([response.status, bench.standIn.calls.length]).toEqual([503, 0]);
    expect(await bench.record(idOf(response))).toMatchObject({ outcome: "blocked" });
  });
});

describe("Bedrock's guardrail as the engine", () => {
  it("masks and blocks by what the guardrail finds, and sends a stream when all of it was checked", async () => {
    const { key } = await bench.key();
    const blocked = await chat(key, ask(`Pay with ${CARD}`), guarded);
    expect(blocked.status).toBe(400);
    const response = await chat(key, ask("Write to ada@example.org"), guarded);
    expect(await response.text()).toContain("You said: Write to [EMAIL]");
    const streamed = await chat(key, ask("Write 30 words", { stream: true }), guarded);
    expect(contentOf(await streamed.text()).split(" ")).toHaveLength(30);
    expect(JSON.stringify(await bench.record(idOf(streamed)))).toContain("word30");
    const split = await chat(key, ask(parts("4111 1111", " 1111 1111"), { stream: true }), guarded);
    const text = await split.text();
    expect(text).not.toContain("1111");
    expect(text).toContain("pii_blocked");
    expect(await bench.record(idOf(split))).toMatchObject({ outcome: "blocked" });
  });

  it("fails closed when the guardrail does not answer", async () => {
    const { key } = await bench.key();
    const response = await chat(key, ask("Hello"), failing);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { code: "pii_filter_unavailable" } });
    expect(bench.standIn.calls.filter(({ operation }) => operation === "converse")).toHaveLength(0);
    const record = await bench.record(idOf(response));
    expect(record).toMatchObject({ outcome: "blocked", statusCode: 503, request: { body: null } });
  });
});
