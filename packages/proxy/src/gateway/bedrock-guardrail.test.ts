/** The real SDK client against a stand-in that speaks ApplyGuardrail's wire (REST JSON over HTTP/2, as the client does). */
import { once } from "node:events";
import { createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { BedrockRuntimeClient } from "@aws-sdk/client-bedrock-runtime";
import { DEFAULT_POLICY, type PiiPolicy } from "@central-llm/core/pii-policy";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { callsFor, filterWithGuardrail, GuardrailConfig } from "./bedrock-guardrail.ts";

interface Call {
  path: string;
  body: { source: string; outputScope: string; content: { text: { text: string } }[] };
}
type Answer = { status?: number; type?: string; body: unknown } | "silence";

let server: Http2Server;
let client: BedrockRuntimeClient;
let answer: (call: Call) => Answer;
let calls: Call[];
const CONFIG = GuardrailConfig.parse({ guardrailId: "gr1234567890", guardrailVersion: "3" });
const NOTHING = { action: "NONE", outputs: [], assessments: [], usage: {} };

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const call = { path: request.url, body: JSON.parse(Buffer.concat(parts).toString()) };
    calls.push(call);
    const reply = answer(call);
    if (reply === "silence") return;
    response.writeHead(reply.status ?? 200, {
      "content-type": "application/json",
      ...(reply.type ? { "x-amzn-errortype": reply.type } : {}),
    });
    response.end(JSON.stringify(reply.body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  client = new BedrockRuntimeClient({
    region: "eu-west-2",
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
    maxAttempts: 1,
  });
});
afterAll(() => {
  client.destroy();
  server.close();
});
beforeEach(() => {
  calls = [];
  answer = () => ({ body: NOTHING });
});

const pii = (...piiEntities: { type: string; match: string; action: string }[]) => ({
  body: {
    action: piiEntities.some(({ action }) => action !== "NONE") ? "GUARDRAIL_INTERVENED" : "NONE",
    outputs: [],
    usage: {},
    assessments: [{ sensitiveInformationPolicy: { piiEntities, regexes: [] } }],
  },
});
const request = (content: string) => ({ model: "m", messages: [{ role: "user", content }] });
const check = (content: string, policy: PiiPolicy = DEFAULT_POLICY, config = CONFIG) =>
  filterWithGuardrail(client, config, request(content), policy, "request");

test("asks for the configured guardrail and version, with every text once and all that it detects", async () => {
  const body = { messages: [...request("hello").messages, { role: "user", content: "hello" }], user: "u1" };
  const outcome = await filterWithGuardrail(client, CONFIG, body, DEFAULT_POLICY, "request");
  expect(outcome).toMatchObject({ outcome: "pass", changed: false, findings: [] });
  expect(calls).toEqual([
    {
      path: "/guardrail/gr1234567890/version/3/apply",
      body: {
        source: "INPUT",
        outputScope: "FULL",
        content: [{ text: { text: "hello" } }, { text: { text: "u1" } }],
      },
    },
  ]);
  await filterWithGuardrail(client, CONFIG, request("x"), DEFAULT_POLICY, "answer");
  expect(calls.at(-1)?.body.source).toBe("OUTPUT");
});

test("its kinds are ours; our policy decides, and a stricter guardrail wins", async () => {
  answer = () =>
    pii(
      { type: "NAME", match: "Jane Roe", action: "ANONYMIZED" },
      { type: "EMAIL", match: "jane@example.com", action: "NONE" },
      { type: "VEHICLE_IDENTIFICATION_NUMBER", match: "1HGCM82633A004352", action: "NONE" },
    );
  const outcome = await check("Jane Roe, jane@example.com, 1HGCM82633A004352, Jane Roe");
  expect(outcome).toMatchObject({
    outcome: "pass",
    changed: true,
    body: request("[PERSON_NAME], jane@example.com, 1HGCM82633A004352, [PERSON_NAME]"),
    auditBody: request("[PERSON_NAME], [EMAIL], [OTHER], [PERSON_NAME]"),
    findings: [
      { entity: "EMAIL", count: 1, action: "flag" },
      { entity: "PERSON_NAME", count: 2, action: "mask" },
      { entity: "OTHER", count: 1, action: "flag" },
    ],
  });
});

test("blocks what our policy blocks although the guardrail only detects it, and what the guardrail blocks", async () => {
  answer = () => pii({ type: "CREDIT_DEBIT_CARD_NUMBER", match: "4111111111111111", action: "NONE" });
  const card = await check("card 4111111111111111");
  expect(card).toMatchObject({ outcome: "blocked", error: { status: 400, code: "pii_blocked" } });
  expect(JSON.stringify(card)).not.toContain("4111");
  answer = () => pii({ type: "EMAIL", match: "jane@example.com", action: "BLOCKED" });
  expect(await check("jane@example.com")).toMatchObject({
    outcome: "blocked",
    findings: [{ entity: "EMAIL", count: 1, action: "block" }],
  });
});

test("a denied topic is refused as such", async () => {
  answer = () => ({
    body: {
      ...NOTHING,
      action: "GUARDRAIL_INTERVENED",
      assessments: [{ topicPolicy: { topics: [{ name: "investments", type: "DENY", action: "BLOCKED" }] } }],
    },
  });
  expect(await check("buy shares?")).toMatchObject({
    outcome: "blocked",
    error: { code: "guardrail_blocked" },
  });
});

const FINDING = { type: "EMAIL", match: "elsewhere@example.com", action: "ANONYMIZED" };
test.each<[string, Answer, string]>([
  [
    "throttling",
    { status: 429, type: "ThrottlingException", body: { message: "slow down" } },
    "ThrottlingException",
  ],
  [
    "no access",
    { status: 403, type: "AccessDeniedException", body: { message: "no" } },
    "AccessDeniedException",
  ],
  [
    "no such guardrail",
    { status: 404, type: "ResourceNotFoundException", body: {} },
    "ResourceNotFoundException",
  ],
  ["a server error", { status: 500, type: "InternalServerException", body: {} }, "InternalServerException"],
  ["an answer without a verdict", { body: {} }, "TypeError"],
  ["a value that is not in the text and should be masked", pii(FINDING), "UnlocatedValue"],
  ["a finding without its value", pii({ ...FINDING, match: "" }), "TypeError"],
  ["an action that we do not know", pii({ ...FINDING, action: "SHRUG" }), "TypeError"],
])("fails closed on %s", async (_, reply, cause) => {
  answer = () => reply;
  expect(await check("hello jane@example.com")).toEqual({
    outcome: "failed",
    cause,
    error: expect.objectContaining({ status: 503, code: "pii_filter_unavailable" }),
  });
});

test("fails closed when the guardrail does not answer in time", async () => {
  answer = () => "silence";
  expect(await check("hello", DEFAULT_POLICY, { ...CONFIG, timeoutMs: 100 })).toMatchObject({
    outcome: "failed",
    error: { status: 503 },
  });
});

test("long texts go in windows that overlap, many texts in as few calls as fit", async () => {
  const long = `${"x".repeat(24_990)} jane@example.com ${"y".repeat(30_000)}`;
  answer = ({ body }) =>
    body.content.some(({ text }) => text.text.includes("jane@example.com"))
      ? pii({ type: "EMAIL", match: "jane@example.com", action: "ANONYMIZED" })
      : { body: NOTHING };
  const outcome = await check(long);
  expect(outcome).toMatchObject({
    outcome: "pass",
    body: request(long.replace("jane@example.com", "[EMAIL]")),
  });
  expect(calls.length).toBe(3);
  for (const { body } of calls) {
    expect(body.content.reduce((sum, { text }) => sum + text.text.length, 0)).toBeLessThanOrEqual(25_000);
  }
  expect(
    callsFor(["a".repeat(10_000), "b".repeat(10_000), "c".repeat(10_000)]).map((call) => call.length),
  ).toEqual([2, 1]);
  expect(callsFor([])).toEqual([]);
});
