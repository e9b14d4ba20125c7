import OpenAI, {
  APIConnectionError,
  APIError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
} from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DemoModel, startDemoModel } from "./demo-model.ts";

let model: DemoModel;
let openai: OpenAI;
beforeAll(async () => {
  model = await startDemoModel(0);
  openai = new OpenAI({ baseURL: `${model.url}/v1`, apiKey: "none", maxRetries: 0 });
});
afterAll(() => model.stop());

const MODEL = "ministral-8b-instruct";
const ask = (content: string, more = {}) => ({
  model: MODEL,
  messages: [{ role: "user" as const, content }],
  ...more,
});

test("answers a chat, the same bytes each time, and counts tokens", async () => {
  const ping = await openai.chat.completions.create(ask("ping", { max_tokens: 16 }));
  expect(ping.choices[0]).toMatchObject({
    finish_reason: "stop",
    message: { role: "assistant", content: "pong" },
  });
  expect(ping.usage).toEqual({ prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 });
  const long = await openai.chat.completions.create(
    ask("Explain the storage of turbines", { max_tokens: 7 }),
  );
  expect(long.choices[0]?.finish_reason).toBe("length");
  expect(long.usage?.completion_tokens).toBe(7);
  const again = await openai.chat.completions.create(
    ask("Explain the storage of turbines", { max_tokens: 7 }),
  );
  expect(again).toEqual(long);
});

test("streams the same text, with a usage chunk only for who asks", async () => {
  const whole = await openai.chat.completions.create(ask("Tell me about harbours"));
  for (const include_usage of [true, false]) {
    const stream = await openai.chat.completions.create({
      ...ask("Tell me about harbours"),
      stream: true,
      stream_options: { include_usage },
    });
    let text = "";
    const chunks = [];
    for await (const chunk of stream) {
      chunks.push(chunk);
      text += chunk.choices[0]?.delta.content ?? "";
    }
    expect(text).toBe(whole.choices[0]?.message.content);
    const last = chunks.at(-1);
    if (include_usage) {
      expect(last?.choices).toEqual([]);
      expect(last?.usage).toEqual(whole.usage);
      expect(chunks.slice(0, -1).every((c) => c.usage === null)).toBe(true);
    } else {
      expect(last?.choices[0]?.finish_reason).toBe("stop");
      expect(chunks.every((c) => c.usage === undefined)).toBe(true);
    }
  }
});

const tool = (name: string) => ({
  type: "function" as const,
  function: {
    name,
    parameters: { type: "object", properties: { city: { type: "string" }, days: { type: "integer" } } },
  },
});

test("calls the tools that are asked for, in parallel, and streams their arguments in pieces", async () => {
  const request = ask("What are the weather and the traffic in Oslo like?", {
    tools: [tool("get_weather"), tool("get_traffic"), tool("send_mail")],
  });
  const whole = await openai.chat.completions.create(request);
  const calls = whole.choices[0]?.message.tool_calls ?? [];
  expect(whole.choices[0]?.finish_reason).toBe("tool_calls");
  expect(calls.map((c) => c.type === "function" && c.function.name)).toEqual(["get_weather", "get_traffic"]);
  expect(calls.map((c) => c.type === "function" && JSON.parse(c.function.arguments))).toEqual([
    { city: "Oslo", days: 1 },
    { city: "Oslo", days: 1 },
  ]);
  const runner = openai.chat.completions.stream({ ...request, stream: true });
  const streamed = await runner.finalChatCompletion();
  expect(streamed.choices[0]?.message.tool_calls).toMatchObject(calls);
  const one = await openai.chat.completions.create({ ...request, parallel_tool_calls: false });
  expect(one.choices[0]?.message.tool_calls).toHaveLength(1);
  const none = await openai.chat.completions.create({ ...request, tool_choice: "none" });
  expect(none.choices[0]?.message.tool_calls).toBeUndefined();
});

test("fits a JSON schema, completes text, lists models", async () => {
  const schema = {
    type: "object",
    properties: { name: { type: "string" }, tags: { type: "array", items: { type: "string" } } },
  };
  const structured = await openai.chat.completions.create({
    ...ask("Describe Lisbon"),
    response_format: { type: "json_schema", json_schema: { name: "place", schema } },
  });
  expect(JSON.parse(structured.choices[0]?.message.content ?? "")).toEqual({
    name: "Lisbon",
    tags: ["Lisbon"],
  });
  const text = await openai.completions.create({ model: MODEL, prompt: "Once upon" });
  let streamed = "";
  const stream = await openai.completions.create({ model: MODEL, prompt: "Once upon", stream: true });
  for await (const chunk of stream) streamed += chunk.choices[0]?.text;
  expect(streamed).toBe(text.choices[0]?.text);
  const ids = (await openai.models.list()).data.map((m) => m.id);
  expect(ids).toContain(MODEL);
});

test("embeds, as floats and as the base64 that the openai package asks for", async () => {
  const input = ["alpha", "beta"];
  const floats = await openai.embeddings.create({ model: "bge-m3", input, encoding_format: "float" });
  const decoded = await openai.embeddings.create({ model: "bge-m3", input });
  expect(decoded.data.map((d) => d.embedding.map(Math.fround))).toEqual(
    floats.data.map((d) => d.embedding.map(Math.fround)),
  );
  expect(Math.hypot(...(floats.data[0]?.embedding ?? []))).toBeCloseTo(1, 5);
  expect(floats.data[0]?.embedding).not.toEqual(floats.data[1]?.embedding);
});

test("speaks the Responses API, whole and as events", async () => {
  const whole = await openai.responses.create({ model: MODEL, input: "Explain dunes" });
  expect(whole.output_text.length).toBeGreaterThan(20);
  const stream = openai.responses.stream({ model: MODEL, input: "Explain dunes" });
  const final = await stream.finalResponse();
  expect(final.output_text).toBe(whole.output_text);
  expect(final.usage).toEqual(whole.usage);
});

test("a long answer keeps nobody else waiting", async () => {
  const began = process.cpuUsage();
  const { choices } = await openai.chat.completions.create(ask("x", { model: "demo-words-20000" }));
  expect(choices[0]?.message.content?.split(" ")).toHaveLength(20_000);
  expect(process.cpuUsage(began).user).toBeLessThan(1_000_000);
});

test("fails as it is asked to, by header or by the model's name, in vLLM's words", async () => {
  const fail = (request: object, headers = {}) =>
    openai.chat.completions.create(request as ReturnType<typeof ask>, { headers }).then(
      () => expect.unreachable("it should have failed"),
      (error) => error,
    );
  expect(await fail(ask("x", { model: "demo-status-503" }))).toBeInstanceOf(InternalServerError);
  const limited = await fail(ask("x"), { "x-demo-status": "429" });
  expect(limited).toBeInstanceOf(RateLimitError);
  expect(limited.error).toEqual({
    message: "This error was asked for.",
    type: "RateLimitError",
    param: null,
    code: 429,
  });
  expect(await fail(ask("x", { model: "gpt-9" }))).toBeInstanceOf(NotFoundError);
  expect(await fail({ model: MODEL, messages: [] })).toBeInstanceOf(APIError);
  // A JSON answer that ends half-way.
  expect(await fail(ask("x", { model: "demo-cut" }))).toBeInstanceOf(Error);
  const bad = await fetch(`${model.url}/v1/chat/completions`, { method: "POST", body: "{" });
  expect([bad.status, await bad.json()]).toMatchObject([400, { error: { type: "BadRequestError" } }]);
});

test("cuts, slows and hangs; notices a client that leaves", async () => {
  const cut = await openai.chat.completions.create({ ...ask("x", { model: "demo-cut-4" }), stream: true });
  let chunks = 0;
  await expect(async () => {
    for await (const _ of cut) chunks++;
  }).rejects.toThrow();
  expect(chunks).toBe(4);
  expect(model.abandoned()).toBe(0);

  const started = performance.now();
  await openai.chat.completions.create(ask("ping", { model: "demo-delay-80" }));
  expect(performance.now() - started).toBeGreaterThan(75);

  const timeout = { timeout: 80, maxRetries: 0 };
  await expect(
    openai.chat.completions.create(ask("x", { model: "demo-hang" }), timeout),
  ).rejects.toBeInstanceOf(APIConnectionError);
  await expect.poll(() => model.abandoned()).toBe(1);
  const slow = await openai.chat.completions.create({
    ...ask("x", { model: "demo-chunk-50" }),
    stream: true,
  });
  for await (const _ of slow) break;
  await expect.poll(() => model.abandoned()).toBe(2);
});
