import { expect, test } from "vitest";
import { AuditRecord } from "./audit-record.ts";
import { filterAnswer, filterRequest } from "./pii-filter.ts";
import { DEFAULT_POLICY, tighten } from "./pii-policy.ts";

const CARD = "4111 1111 1111 1111";
const MAIL = "jane@example.com";
const KEY = `sk-${"Ab3dEf6hIj9kLmN2pQrS5tUv"}`;
const MASK = tighten(DEFAULT_POLICY, { EMAIL: "mask", PHONE: "mask" });

function passed(body: unknown, policy = MASK) {
  const result = filterRequest(body, policy);
  if (result.outcome !== "pass") throw new Error(result.outcome);
  return result;
}

test("a body without values is passed on as the same object", () => {
  const body = { model: "m", messages: [{ role: "user", content: "hello" }] };
  const result = passed(body);
  expect(result.body).toBe(body);
  expect(result.auditBody).toBe(body);
  expect(result).toMatchObject({ changed: false, findings: [] });
});

test.each([
  ["chat content", { messages: [{ role: "user", content: `I am ${MAIL}` }] }],
  ["chat parts", { messages: [{ role: "user", content: [{ type: "text", text: MAIL }] }] }],
  ["system", { messages: [{ role: "system", content: MAIL }] }],
  ["name", { messages: [{ role: "user", name: MAIL, content: "x" }] }],
  ["tool result", { messages: [{ role: "tool", tool_call_id: "c1", content: MAIL }] }],
  ["tool description", { tools: [{ type: "function", function: { name: "f", description: MAIL } }] }],
  ["prompt", { prompt: [MAIL] }],
  ["embeddings", { input: MAIL }],
  ["embeddings list", { input: ["a", MAIL] }],
  [
    "responses",
    { input: [{ type: "message", role: "user", content: [{ type: "input_text", text: MAIL }] }] },
  ],
  ["responses instructions", { instructions: MAIL, input: "x" }],
  ["responses tool output", { input: [{ type: "function_call_output", call_id: "c", output: MAIL }] }],
  ["anthropic system", { system: [{ type: "text", text: MAIL, cache_control: { type: "ephemeral" } }] }],
  [
    "anthropic tool use",
    {
      messages: [
        { role: "assistant", content: [{ type: "tool_use", id: "t", name: "f", input: { id: MAIL } }] },
      ],
    },
  ],
  [
    "anthropic tool result",
    {
      messages: [
        {
          role: "user",
          content: [{ type: "tool_result", tool_use_id: "t", content: [{ type: "text", text: MAIL }] }],
        },
      ],
    },
  ],
  [
    "anthropic text document",
    {
      messages: [
        {
          role: "user",
          content: [{ type: "document", source: { type: "text", media_type: "text/plain", data: MAIL } }],
        },
      ],
    },
  ],
  [
    "thinking",
    { messages: [{ role: "assistant", content: [{ type: "thinking", thinking: MAIL, signature: "s" }] }] },
  ],
  ["an unknown member", { whatever: { deep: [[{ er: MAIL }]] } }],
  ["user", { user: MAIL, messages: [] }],
])("masks in %s, and leaves the caller's object as it was", (_, body) => {
  const before = JSON.stringify(body);
  const result = passed(body);
  expect(JSON.stringify(result.body)).toBe(before.replace(MAIL, "[EMAIL]"));
  expect(JSON.stringify(body)).toBe(before);
  expect(result).toMatchObject({ changed: true, findings: [{ entity: "EMAIL", count: 1, action: "mask" }] });
});

test("only the changed paths are copied", () => {
  const kept = { role: "user", content: "hello" };
  const { body } = passed({ messages: [kept, { role: "user", content: MAIL }] });
  expect((body as { messages: unknown[] }).messages[0]).toBe(kept);
});

test("ids, roles and the bytes of images and sounds are not read as text", () => {
  // Both are valid base64 and would be cards as text.
  const bytes = "4111111111111111";
  const body = {
    model: "4111111111111111",
    messages: [
      { role: "tool", tool_call_id: "4111111111111111", content: "ok" },
      {
        role: "user",
        content: [
          { type: "image_url", image_url: { url: `data:image/png;base64,${bytes}` } },
          { type: "image", source: { type: "base64", media_type: "image/png", data: bytes } },
          { type: "input_audio", input_audio: { data: bytes, format: "wav" } },
        ],
      },
    ],
  };
  expect(passed(body)).toMatchObject({ changed: false, findings: [] });
});

test("text that only claims to be an image is read", () => {
  const source = { type: "base64", media_type: "image/png", data: `card ${CARD}` };
  expect(filterRequest({ content: [{ type: "image", source }] }, DEFAULT_POLICY).outcome).toBe("blocked");
  const url = `data:image/png;base64,card ${CARD}`;
  expect(filterRequest({ content: [{ image_url: { url } }] }, DEFAULT_POLICY).outcome).toBe("blocked");
});

test("a tool call's arguments stay JSON, also when a number goes", () => {
  const policy = { ...DEFAULT_POLICY, CREDIT_CARD: "mask" } as const;
  const call = (args: string) => ({ tool_calls: [{ id: "c", function: { name: "pay", arguments: args } }] });
  const result = passed(call('{"id":"jane\\u0040example.com","card":4111111111111111,"n":3}'), {
    ...policy,
    EMAIL: "mask",
  });
  const { tool_calls } = result.body as ReturnType<typeof call>;
  expect(JSON.parse(tool_calls[0]?.function.arguments ?? "")).toEqual({
    id: "[EMAIL]",
    card: "[CREDIT_CARD]",
    n: 3,
  });
  expect(filterRequest(call(`{"card": ${CARD}`), DEFAULT_POLICY).outcome).toBe("blocked");
});

test("a blocked request names the kinds, never the values, and the audit gets the masked body", () => {
  const body = { messages: [{ role: "user", content: `${CARD}, again ${CARD}, key ${KEY}, ${MAIL}` }] };
  const result = filterRequest(body, DEFAULT_POLICY);
  expect(result).toEqual({
    outcome: "blocked",
    findings: [
      { entity: "EMAIL", count: 1, action: "flag" },
      { entity: "CREDIT_CARD", count: 2, action: "block" },
      { entity: "API_KEY", count: 1, action: "block" },
    ],
    auditBody: {
      messages: [{ role: "user", content: "[CREDIT_CARD], again [CREDIT_CARD], key [API_KEY], [EMAIL]" }],
    },
    error: {
      status: 400,
      type: "invalid_request_error",
      code: "pii_blocked",
      message:
        "The request holds data that the policy of this platform blocks: CREDIT_CARD (2), API_KEY (1).",
    },
  });
  for (const value of [CARD, KEY, MAIL]) expect(JSON.stringify(result)).not.toContain(value);
  if (result.outcome === "blocked") AuditRecord.shape.policy.parse({ hash: null, pii: result.findings });
});

test("a flagged value reaches the model and not the audit", () => {
  const result = passed({ input: `I am ${MAIL}` }, DEFAULT_POLICY);
  expect(result.body).toEqual({ input: `I am ${MAIL}` });
  expect(result.auditBody).toEqual({ input: "I am [EMAIL]" });
  expect(result.findings).toEqual([{ entity: "EMAIL", count: 1, action: "flag" }]);
});

test("an answer in one piece, blocked", () => {
  const answer = { choices: [{ message: { role: "assistant", content: CARD } }] };
  expect(filterAnswer(answer, DEFAULT_POLICY)).toMatchObject({
    outcome: "blocked",
    error: { message: expect.stringMatching(/^The answer holds .* CREDIT_CARD \(1\)\.$/) },
  });
});

test("log probabilities, which spell the text out token by token, go when something is masked", () => {
  const answer = (content: string) => ({
    choices: [
      { message: { content }, logprobs: { content: [{ token: "jane" }, { token: "@example.com" }] } },
    ],
  });
  const masked = filterAnswer(answer(MAIL), MASK);
  expect(masked).toMatchObject({ body: { choices: [{ message: { content: "[EMAIL]" }, logprobs: null }] } });
  expect(JSON.stringify(masked)).not.toContain("example.com");
  expect(filterAnswer(answer("hello"), MASK)).toMatchObject({ changed: false });
});

test("fails closed: an error of the engine, a body too deep to be read", () => {
  const failing = filterRequest({ input: MAIL }, DEFAULT_POLICY, () => {
    throw new RangeError(`cannot read ${MAIL}`);
  });
  expect(failing).toEqual({
    outcome: "failed",
    cause: "RangeError",
    error: expect.objectContaining({ status: 503, code: "pii_filter_unavailable" }),
  });
  expect(JSON.stringify(failing)).not.toContain(MAIL);
  let deep: unknown = MAIL;
  for (let level = 0; level < 5_000; level++) deep = [deep];
  expect(filterRequest(deep, DEFAULT_POLICY).outcome).toBe("failed");
});
