import { expect, test } from "vitest";
import { answered, asked, toolsOffered } from "./conversation.ts";

test("reads a chat with tools and pictures, pictures by kind and size alone", () => {
  const turns = asked({
    messages: [
      { role: "system", content: "Be careful." },
      {
        role: "user",
        name: "jane",
        content: [
          { type: "text", text: "What is this?" },
          { type: "image_url", image_url: { url: `data:image/png;base64,${"A".repeat(400)}` } },
          { type: "image_url", image_url: { url: "https://example.com/a.png" } },
        ],
      },
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "call_1", function: { name: "look", arguments: '{"at":"it"}' } }],
      },
      { role: "tool", tool_call_id: "call_1", content: "a cat" },
    ],
  });
  expect(turns.map(({ role, name }) => [role, name])).toEqual([
    ["system", null],
    ["user", "jane"],
    ["assistant", null],
    ["tool", null],
  ]);
  expect(turns[1]?.parts).toEqual([
    { kind: "text", text: "What is this?" },
    { kind: "media", what: "Image", mediaType: "image/png", bytes: 300, address: null },
    { kind: "media", what: "Image", mediaType: null, bytes: null, address: "https://example.com/a.png" },
  ]);
  expect(turns[2]?.parts).toEqual([
    { kind: "tool-call", id: "call_1", name: "look", input: '{\n  "at": "it"\n}' },
  ]);
  expect(turns[3]?.parts).toEqual([
    { kind: "tool-result", id: "call_1", parts: [{ kind: "text", text: "a cat" }] },
  ]);
});

test("reads each choice of a chat answer, and why it ended", () => {
  const turns = answered({
    choices: [
      { message: { role: "assistant", content: "A cat.", refusal: null }, finish_reason: "stop" },
      { message: { role: "assistant", content: null, refusal: "No." }, finish_reason: "content_filter" },
    ],
  });
  expect(turns.map(({ ended, parts }) => [ended, parts])).toEqual([
    ["stop", [{ kind: "text", text: "A cat." }]],
    ["content_filter", [{ kind: "refusal", text: "No." }]],
  ]);
});

test("reads Anthropic's messages", () => {
  const question = {
    system: [{ type: "text", text: "Be brief." }],
    messages: [
      {
        role: "user",
        content: [
          { type: "image", source: { type: "base64", media_type: "image/jpeg", data: "AAAA" } },
          { type: "tool_result", tool_use_id: "tu_1", content: [{ type: "text", text: "42" }] },
        ],
      },
    ],
    tools: [{ name: "calculator" }],
  };
  const [system, user] = asked(question);
  expect(system).toMatchObject({ role: "system", parts: [{ kind: "text", text: "Be brief." }] });
  expect(user?.parts).toEqual([
    { kind: "media", what: "Image", mediaType: "image/jpeg", bytes: 3, address: null },
    { kind: "tool-result", id: "tu_1", parts: [{ kind: "text", text: "42" }] },
  ]);
  expect(toolsOffered(question)).toEqual(["calculator"]);
  const answer = {
    type: "message",
    role: "assistant",
    stop_reason: "tool_use",
    content: [
      { type: "thinking", thinking: "Hm." },
      { type: "tool_use", id: "tu_2", name: "calculator", input: { a: 1 } },
    ],
  };
  expect(answered(answer)).toMatchObject([
    {
      role: "assistant",
      ended: "tool_use",
      parts: [{ kind: "thinking" }, { kind: "tool-call", name: "calculator" }],
    },
  ]);
});

test("reads the responses API, completions and embeddings", () => {
  const asking = asked({ instructions: "Be kind.", input: [{ role: "user", content: "Hello" }] });
  expect(asking.map(({ role }) => role)).toEqual(["system", "user"]);
  expect(asked({ input: "Hello" })[0]?.parts).toEqual([{ kind: "text", text: "Hello" }]);
  expect(
    answered({
      output: [
        { type: "reasoning", summary: [{ type: "summary_text", text: "Greeting" }] },
        { type: "message", role: "assistant", content: [{ type: "output_text", text: "Hi" }] },
        { type: "function_call", call_id: "c", name: "wave", arguments: "{}" },
      ],
    }).map(({ parts }) => parts[0]?.kind),
  ).toEqual(["thinking", "text", "tool-call"]);
  expect(asked({ prompt: ["Once", "Twice"] }).map(({ parts }) => parts[0])).toEqual([
    { kind: "text", text: "Once" },
    { kind: "text", text: "Twice" },
  ]);
  expect(answered({ choices: [{ text: " upon a time", finish_reason: "length" }] })[0]).toMatchObject({
    ended: "length",
    parts: [{ kind: "text", text: " upon a time" }],
  });
  expect(answered({ data: [{ embedding: [0, 1, 2] }] })[0]?.parts[0]).toMatchObject({
    text: "1 embedding, 3 numbers each. The numbers are in the raw record.",
  });
});

test("shows an error's message, and anything else as it is", () => {
  expect(answered({ error: { message: "Too long", type: "invalid_request_error" } })[0]).toMatchObject({
    role: "error",
    parts: [{ kind: "text", text: "Too long" }],
  });
  expect(asked("not JSON at all")[0]?.parts).toEqual([{ kind: "text", text: "not JSON at all" }]);
  expect(answered(null)).toEqual([]);
});

test.each([
  [{ messages: "text" }],
  [
    {
      messages: [
        null,
        7,
        "x",
        { role: 3, content: { a: 1 } },
        { role: "user", content: [null, 5, { type: "?" }] },
      ],
    },
  ],
  [
    {
      messages: [
        { role: "assistant", tool_calls: [null, { function: null }, { function: { arguments: 7 } }] },
      ],
    },
  ],
  [{ input: [null, { type: "function_call" }, { type: "reasoning", summary: "x" }, { type: "odd" }] }],
  [{ prompt: [1, 2, 3], system: 5, tools: [null, "x", {}] }],
  [
    {
      messages: [
        {
          role: "user",
          content: [{ type: "image", source: null }, { type: "input_audio" }, { type: "file" }],
        },
      ],
    },
  ],
  [[1, 2]],
  [42],
])("takes a body apart that is not what it should be: %j", (body) => {
  expect(() => [asked(body), toolsOffered(body)]).not.toThrow();
  expect(asked(body).length).toBeGreaterThan(0);
});

test.each([
  [{ choices: [null, {}, { message: null }, { text: 5 }] }],
  [{ output: [null, 5, {}] }],
  [{ content: [null] }],
  [{ data: [{ embedding: "AAAA" }, null] }],
  [[]],
])("takes an answer apart that is not what it should be: %j", (body) => {
  expect(() => answered(body)).not.toThrow();
});
