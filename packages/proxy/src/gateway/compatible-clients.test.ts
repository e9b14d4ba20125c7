/** The `openai` and `@anthropic-ai/sdk` packages against a gateway whose models are on an OpenAI-compatible server. */
import Anthropic from "@anthropic-ai/sdk";
import { type DemoModel, startDemoModel } from "@central-llm/local/demo-model";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { compatible, onBedrock, settingsOf, UPSTREAM_KEY } from "../testing/compatible-models.ts";
import { GatewayBench } from "../testing/gateway-bench.ts";

let bench: GatewayBench;
let demo: DemoModel;
let key: string;
let token: string;
let ids: string[];

const MODEL = "house-chat";
const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const user = (content: string) => [{ role: "user" as const, content }];
const parameters = {
  type: "object" as const,
  properties: { city: { type: "string" } },
  required: ["city"],
};

beforeAll(async () => {
  demo = await startDemoModel(0);
  const models = [
    compatible(MODEL, demo.url, "ministral-8b-instruct", { aliases: ["house"] }),
    compatible("house-embed", demo.url, "bge-m3", {
      ability: { kind: "embedding", contextWindow: 8_192, wire: "openai" },
    }),
    onBedrock("claude-3-5-sonnet"),
  ];
  bench = await GatewayBench.start({ start: false });
  // The central path, as a model's server.
  const central = await bench.startProcess({ PROFILE: "central", UPSTREAM_URL: demo.url });
  const target = { tellsCaller: true };
  models.push(compatible("central-chat", central.url, "ministral-8b-instruct", { target }));
  bench.port = await bench.startGateway(settingsOf(models));
  ({ key, token } = await bench.key({ key_alias: "clients", user_id: "ada", max_budget: 10 }));
});
afterAll(async () => {
  await bench?.stop();
  await demo?.stop();
});
beforeEach(() => {
  ids = [];
});

const noting: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  ids.push(response.headers.get("x-request-id") ?? "");
  return response;
};
const openai = () =>
  new OpenAI({ baseURL: `${bench.url}/v1`, apiKey: key, fetch: noting, maxRetries: 0, timeout: 10_000 });
const anthropic = () =>
  new Anthropic({ baseURL: bench.url, apiKey: key, fetch: noting, maxRetries: 0, timeout: 10_000 });

/** The last call's record and spend agree, and have what the server counted at the list's price. */
async function booked(callType: string, served = "ministral-8b-instruct") {
  const record = await bench.record(ids.at(-1) ?? "");
  const { promptTokens, completionTokens } = record.usage;
  expect(record).toMatchObject({
    statusCode: 200,
    outcome: "completed",
    userId: "ada",
    identity: { keyId: token },
    model: { served, provider: "openai-compatible" },
    usage: { source: "provider" },
    cost: {
      usd: expect.closeTo((promptTokens + 2 * completionTokens) / 1e6, 10),
      priceTable: "model-list:1/0.1/1/2",
    },
    response: { complete: true },
  });
  expect(await bench.spend(record.requestId)).toMatchObject({
    call_type: callType,
    api_key: token,
    spend: record.cost?.usd,
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    model: served,
    custom_llm_provider: "openai-compatible",
    api_base: `${demo.url}/v1`,
  });
  expect(JSON.stringify(record)).not.toContain(UPSTREAM_KEY);
  return record;
}

describe("openai's client", () => {
  it("chats, by name and by alias, and hears its own name of the model", async () => {
    const answer = await openai().chat.completions.create({ model: "house", messages: user("ping") });
    expect(answer.choices[0]?.message.content).toBe("pong");
    expect(answer.model).toBe("house");
    const record = await booked("acompletion");
    expect(record.response.body).toEqual(answer);
    expect(record.usage.totalTokens).toBe(answer.usage?.total_tokens);
  });

  it("streams without the usage that it did not ask for, which is booked all the same", async () => {
    const stream = await openai().chat.completions.create({
      model: MODEL,
      messages: user("Tell me of harbours"),
      stream: true,
    });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.filter((chunk) => "usage" in chunk || chunk.choices.length === 0)).toEqual([]);
    expect(new Set(chunks.map(({ model }) => model))).toEqual(new Set([MODEL]));
    const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("");
    const record = await booked("acompletion");
    expect(record).toMatchObject({
      http: { stream: true },
      response: {
        body: { object: "chat.completion", model: MODEL, choices: [{ message: { content: text } }] },
      },
    });
    expect(record.timeToFirstTokenMs).toBeGreaterThan(0);
  });

  it("streams with usage when it asks", async () => {
    const stream = await openai().chat.completions.create({
      model: MODEL,
      messages: user("Tell me of harbours"),
      stream: true,
      stream_options: { include_usage: true },
    });
    let usage: OpenAI.CompletionUsage | null = null;
    for await (const chunk of stream) usage = chunk.usage ?? usage;
    const record = await booked("acompletion");
    expect(record.usage.totalTokens).toBe(usage?.total_tokens);
  });

  it("runs its tools, streamed, and sends pictures and forms of answers", async () => {
    const called: unknown[] = [];
    const runner = openai().chat.completions.runTools({
      model: MODEL,
      stream: true,
      messages: user("Use weather_report for Porto"),
      tools: [
        {
          type: "function",
          function: {
            name: "weather_report",
            description: "Tells the weather",
            parameters,
            parse: JSON.parse,
            function: (input: unknown) => {
              called.push(input);
              return "sun";
            },
          },
        },
      ],
    });
    expect(await runner.finalContent()).toBe("The tool answered: sun");
    expect(called).toHaveLength(1);
    const form = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };
    const answer = await openai().chat.completions.create({
      model: MODEL,
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "What is it?" },
            { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` } },
          ],
        },
      ],
      response_format: { type: "json_schema", json_schema: { name: "thing", schema: form } },
      seed: 7,
      logit_bias: { 5: 1 },
    });
    expect(Object.keys(JSON.parse(answer.choices[0]?.message.content ?? ""))).toEqual(["name"]);
    const record = await booked("acompletion");
    // What Bedrock could not honour goes to a server that can.
    expect(record.request.body).toMatchObject({ seed: 7, logit_bias: { 5: 1 } });
  });

  it("reaches the central path, where the same call leaves a record of its own", async () => {
    const headers = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
    const stream = await openai().chat.completions.create(
      { model: "central-chat", messages: user("Tell me of harbours"), stream: true },
      { headers },
    );
    for await (const chunk of stream) expect(chunk.usage).toBeUndefined();
    const [id = ""] = ids;
    const [ours, theirs] = [await bench.record(id), await bench.record(`${id}-upstream`)];
    expect(ours).toMatchObject({ profile: "gateway", userId: "ada", usage: { source: "provider" } });
    expect(theirs).toMatchObject({
      profile: "central",
      projectId: ours.projectId,
      userId: "ada",
      requestType: "chat",
      usage: ours.usage,
      trace: { traceId: ours.trace?.traceId },
    });
    expect(JSON.stringify(theirs)).not.toContain(UPSTREAM_KEY);
  });

  it("completes texts, whole and streamed", async () => {
    const whole = await openai().completions.create({ model: MODEL, prompt: "Once upon a time" });
    expect(whole.usage?.completion_tokens).toBe(16);
    await booked("atext_completion");
    const stream = await openai().completions.create({
      model: MODEL,
      prompt: "Once upon a time",
      max_tokens: 5,
      stream: true,
    });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.text ?? "";
    expect(whole.choices[0]?.text.startsWith(text)).toBe(true);
    const record = await booked("atext_completion");
    expect(record).toMatchObject({
      requestType: "completion",
      usage: { completionTokens: 5 },
      response: { body: { object: "text_completion", choices: [{ text }] } },
    });
  });

  it("is told that Claude completes no texts, and where it chats", async () => {
    const call = openai().completions.create({ model: "claude-3-5-sonnet", prompt: "Once" });
    await expect(call).rejects.toMatchObject({
      status: 400,
      code: "model_not_supported",
      message: expect.stringContaining("/v1/chat/completions"),
    });
    expect((await bench.record(ids[0] ?? "")).outcome).toBe("client_error");
  });

  it("embeds, and sends no tokens past the filter", async () => {
    const list = await openai().embeddings.create({ model: "house-embed", input: ["one", "two"] });
    expect(list.data).toHaveLength(2);
    expect(list.model).toBe("house-embed");
    const record = await booked("aembedding", "bge-m3");
    expect(record.usage.promptTokens).toBe(list.usage.prompt_tokens);
    const tokens = openai().embeddings.create({ model: "house-embed", input: [[1, 2, 3]] });
    await expect(tokens).rejects.toMatchObject({ status: 400, param: "input" });
    const prompt = openai().completions.create({ model: MODEL, prompt: [1, 2, 3] });
    await expect(prompt).rejects.toMatchObject({ status: 400, param: "prompt" });
    const chat = openai().chat.completions.create({ model: "house-embed", messages: user("Hi") });
    await expect(chat).rejects.toMatchObject({ status: 400, code: "model_not_supported" });
  });

  it("finds the models in the lists", async () => {
    const names = (await openai().models.list()).data.map(({ id }) => id);
    expect(names).toEqual([MODEL, "house-embed", "claude-3-5-sonnet", "central-chat"]);
    const info = await bench.call("GET", "/model/info", undefined, { key });
    const text = await info.text();
    expect(JSON.parse(text).data).toContainEqual(
      expect.objectContaining({
        model_name: MODEL,
        litellm_params: { model: "openai/ministral-8b-instruct", api_base: `${demo.url}/v1` },
      }),
    );
    expect(text).not.toContain(UPSTREAM_KEY);
  });
});

describe("Anthropic's client", () => {
  const ask = (content: string) => ({ model: MODEL, max_tokens: 200, messages: user(content) });

  it("talks with the same models, whole and streamed", async () => {
    const whole = await anthropic().messages.create({ ...ask("ping"), system: "Be brief." });
    expect(whole).toMatchObject({
      type: "message",
      model: MODEL,
      content: [{ type: "text", text: "pong" }],
      stop_reason: "end_turn",
    });
    const record = await booked("anthropic_messages");
    expect(record.usage.promptTokens).toBe(whole.usage.input_tokens);
    const stream = anthropic().messages.stream(ask("Tell me of harbours"));
    const message = await stream.finalMessage();
    const streamed = await booked("anthropic_messages");
    expect(streamed.response.body).toMatchObject({ type: "message", content: message.content });
    expect(message.usage.output_tokens).toBe(streamed.usage.completionTokens);
    expect(message.usage.output_tokens).toBeGreaterThan(5);
  });

  it.each([false, true])("has its tools called, and their results heard (streamed: %s)", async (streams) => {
    const tools = [{ name: "weather_report", description: "Tells the weather", input_schema: parameters }];
    const create = async (body: Anthropic.MessageCreateParamsNonStreaming) =>
      streams ? anthropic().messages.stream(body).finalMessage() : anthropic().messages.create(body);
    const question = { ...ask("Use weather_report"), tools };
    const first = await create(question);
    expect(first.stop_reason).toBe("tool_use");
    const [call] = first.content;
    if (call?.type !== "tool_use") throw new Error("no call");
    expect(call).toMatchObject({ name: "weather_report", input: { city: expect.any(String) } });
    const result = { type: "tool_result" as const, tool_use_id: call.id, content: "sun" };
    const second = await create({
      ...question,
      messages: [
        ...question.messages,
        { role: "assistant", content: first.content },
        { role: "user", content: [result] },
      ],
    });
    expect(second.content).toMatchObject([{ type: "text", text: "The tool answered: sun" }]);
  });

  it("counts tokens as well as can be guessed, sees where an answer was cut, and learns what cannot be sent", async () => {
    const count = await anthropic().messages.countTokens({ model: MODEL, messages: user("How many?") });
    expect(count.input_tokens).toBeGreaterThan(0);
    const cut = await anthropic().messages.create({ ...ask("Tell me of harbours"), max_tokens: 3 });
    expect(cut.stop_reason).toBe("max_tokens");
    expect(cut.usage.output_tokens).toBe(3);
    const document = { type: "base64" as const, media_type: "application/pdf" as const, data: "JVBERi0=" };
    const call = anthropic().messages.create({
      ...ask(""),
      messages: [{ role: "user", content: [{ type: "document", source: document }] }],
    });
    await expect(call).rejects.toMatchObject({ status: 400, message: expect.stringContaining("text alone") });
  });
});
