import { describe, expect, test } from "vitest";
import { cut, cutBytes, promptPreview, responsePreview } from "./preview.ts";

const MAX = 2048;

describe("prompt", () => {
  test.each([
    [
      "chat",
      {
        messages: [
          { role: "system", content: "Be brief." },
          { role: "user", content: "ping" },
        ],
      },
      "system: Be brief.\nuser: ping",
    ],
    [
      "parts",
      {
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "what is this" },
              { type: "image_url", image_url: { url: "data:…" } },
            ],
          },
        ],
      },
      "user: what is this [image]",
    ],
    [
      "tools",
      {
        messages: [
          { role: "user", content: "weather?" },
          {
            role: "assistant",
            content: null,
            tool_calls: [
              { id: "1", type: "function", function: { name: "weather", arguments: '{"city":"Bonn"}' } },
            ],
          },
          { role: "tool", tool_call_id: "1", content: "12 °C" },
        ],
      },
      'user: weather?\nassistant: [calls weather({"city":"Bonn"})]\ntool: 12 °C',
    ],
    ["completion", { prompt: "Once upon" }, "Once upon"],
    ["completions", { prompt: ["a", "b"] }, "a\nb"],
    ["tokens", { prompt: [1, 2, 3] }, "[3 tokens]"],
    ["embeddings", { model: "e", input: ["a", "b"] }, "a\nb"],
    ["responses, text", { instructions: "Be brief.", input: "ping" }, "system: Be brief.\nping"],
    [
      "responses, items",
      {
        instructions: "Be brief.",
        input: [
          { role: "user", content: [{ type: "input_text", text: "ping" }] },
          { type: "function_call_output", call_id: "1", output: "12" },
        ],
      },
      "system: Be brief.\nuser: ping\nfunction_call_output: 12",
    ],
    ["a body kept as text", '{"messages":[{"role":"user","content":"ping"}]}', "user: ping"],
    ["a body that was cut", '{"messages":[{"role":"us', '{"messages":[{"role":"us'],
    ["no body", null, ""],
    ["something else", { a: 1 }, '{"a":1}'],
  ])("%s", (_, body, expected) => expect(promptPreview(body, MAX)).toBe(expected));

  test("keeps the last user message, then what follows it, then what came before", () => {
    const messages = [
      { role: "system", content: "s".repeat(100) },
      { role: "user", content: "old" },
      { role: "assistant", content: "answer" },
      { role: "user", content: "q".repeat(30) },
      { role: "assistant", content: "thinking" },
    ];
    const [before, asked] = [`system: ${"s".repeat(14)}…`, `user: ${"q".repeat(30)}`];
    expect(promptPreview({ messages }, 80)).toBe(`${before}\n${asked}\nassistant: thinking`);
    expect([...promptPreview({ messages }, 80)]).toHaveLength(80);
    expect(promptPreview({ messages }, 36)).toBe(`user: ${"q".repeat(30)}`);
    expect(promptPreview({ messages }, 10)).toBe("user: qqq…");
  });
});

describe("response", () => {
  test.each([
    ["chat", { choices: [{ message: { role: "assistant", content: "pong" } }] }, "pong"],
    [
      "tool calls",
      {
        choices: [{ message: { content: null, tool_calls: [{ function: { name: "f", arguments: "{}" } }] } }],
      },
      "[calls f({})]",
    ],
    ["several", { choices: [{ text: "a" }, { text: "b" }] }, "a\nb"],
    ["refusal", { choices: [{ message: { content: null, refusal: "No." } }] }, "No."],
    [
      "responses",
      {
        output: [
          { type: "message", content: [{ type: "output_text", text: "pong" }] },
          { type: "function_call", name: "f", arguments: "{}" },
        ],
      },
      "pong\n[calls f({})]",
    ],
    [
      "anthropic",
      {
        content: [
          { type: "text", text: "pong" },
          { type: "tool_use", name: "f", input: { a: 1 } },
        ],
      },
      'pong [calls f({"a":1})]',
    ],
    [
      "embeddings",
      { data: [{ embedding: [1, 2, 3] }, { embedding: [1, 2, 3] }] },
      "[2 embeddings of 3 numbers]",
    ],
    ["models", { object: "list", data: [{ id: "a" }, { id: "b" }] }, "a, b"],
    ["error", { error: { message: "no such model", code: "x" } }, "error: no such model"],
    ["text", "Bad Gateway", "Bad Gateway"],
    ["nothing", null, ""],
  ])("%s", (_, body, expected) => expect(responsePreview(body, MAX)).toBe(expected));
});

describe("cutting", () => {
  const whole = (text: string) => text.isWellFormed();
  test("never splits a pair of surrogates nor a UTF-8 sequence", () => {
    const text = "a😀é漢".repeat(20);
    for (let max = 0; max <= 90; max++) {
      expect(whole(cut(text, max))).toBe(true);
      expect([...cut(text, max)].length).toBeLessThanOrEqual(max);
      expect(cutBytes(text, max)).not.toContain("\ufffd");
      expect(Buffer.byteLength(cutBytes(text, max))).toBeLessThanOrEqual(max);
    }
    expect(cut("😀".repeat(5), 5)).toBe("😀".repeat(5));
    expect(cut("abc", 3)).toBe("abc");
    expect(cut("abcd", 3)).toBe("ab…");
  });
});
