/** The `@anthropic-ai/sdk` package against the translators, the Bedrock client and the stand-in. */
import Anthropic from "@anthropic-ai/sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type BedrockGateway, startBedrockGateway } from "../testing/bedrock-gateway.ts";

const PDF = Buffer.from("%PDF-1.4 not much of one").toString("base64");

let gateway: BedrockGateway;
let anthropic: Anthropic;
beforeAll(async () => {
  gateway = await startBedrockGateway();
  anthropic = new Anthropic({ baseURL: gateway.url.replace(/\/v1$/, ""), apiKey: "sk-test", maxRetries: 0 });
});
afterEach(() => gateway.standIn.clearFaults());
afterAll(() => gateway.stop());

const user = (content: string) => [{ role: "user" as const, content }];
const lastInput = () => gateway.standIn.calls.at(-1)?.body as Record<string, unknown>;

const weather: Anthropic.Tool = {
  name: "get_weather",
  description: "Tells the weather",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const ping: Anthropic.Tool = { name: "ping", input_schema: { type: "object", properties: {} } };

describe("messages", () => {
  it("answer with text and usage", async () => {
    const message = await anthropic.messages.create({
      model: "claude-3-5-sonnet",
      max_tokens: 100,
      system: "Be brief.",
      messages: user("Hello"),
    });
    expect(message.content).toEqual([{ type: "text", text: "You said: Hello", citations: null }]);
    expect(message).toMatchObject({ type: "message", role: "assistant", stop_reason: "end_turn" });
    expect(message.usage.input_tokens).toBeGreaterThan(0);
    expect(lastInput()).toMatchObject({
      system: [{ text: "Be brief." }],
      inferenceConfig: { maxTokens: 100 },
    });
  });

  it("name the stop sequence", async () => {
    const message = await anthropic.messages.create({
      model: "claude-3-5-sonnet",
      max_tokens: 100,
      messages: user("one END two"),
      stop_sequences: ["END"],
    });
    expect(message).toMatchObject({ stop_reason: "stop_sequence", stop_sequence: "END" });
  });

  it("stream the same as they answer", async () => {
    const params = { model: "claude-3-5-sonnet", max_tokens: 500, messages: user("Write 30 words") };
    const whole = await anthropic.messages.create(params);
    const streamed = await anthropic.messages.stream(params).finalMessage();
    expect(streamed.content).toEqual(whole.content);
    expect(streamed.stop_reason).toBe(whole.stop_reason);
    expect(streamed.usage.output_tokens).toBe(whole.usage.output_tokens);
    expect(streamed.usage.input_tokens).toBe(whole.usage.input_tokens);
  });

  it("take documents", async () => {
    const message = await anthropic.messages.create({
      model: "claude-3-5-sonnet",
      max_tokens: 100,
      messages: [
        {
          role: "user",
          content: [
            {
              type: "document",
              title: "Report (2026).pdf",
              source: { type: "base64", media_type: "application/pdf", data: PDF },
            },
            { type: "text", text: "What does it say?" },
          ],
        },
      ],
    });
    expect(message.content[0]).toMatchObject({
      text: expect.stringContaining('a document (pdf, "Report (2026)")'),
    });
  });

  it("write a marked beginning to the cache, and read it the next time", async () => {
    const system = [
      { type: "text" as const, text: "rule ".repeat(2_000), cache_control: { type: "ephemeral" as const } },
    ];
    const ask = () =>
      anthropic.messages.create({
        model: "claude-sonnet-4-5",
        max_tokens: 100,
        system,
        messages: user("Hi"),
      });
    const first = await ask();
    const second = await ask();
    expect(first.usage.cache_creation_input_tokens).toBeGreaterThan(2_000);
    expect(first.usage.cache_read_input_tokens).toBe(0);
    expect(second.usage.cache_read_input_tokens).toBe(first.usage.cache_creation_input_tokens);
    expect(second.usage.input_tokens).toBeLessThan(100);
  });
});

describe("tools", () => {
  it.each([["whole"], ["streamed"]])("are called and answered, %s", async (how) => {
    const send = (messages: Anthropic.MessageParam[]) => {
      const params = { model: "claude-3-5-sonnet", max_tokens: 500, tools: [weather, ping], messages };
      return how === "whole"
        ? anthropic.messages.create(params)
        : anthropic.messages.stream(params).finalMessage();
    };
    const messages: Anthropic.MessageParam[] = user("Call get_weather and ping");
    const first = await send(messages);
    expect(first.stop_reason).toBe("tool_use");
    const calls = first.content.filter((block) => block.type === "tool_use");
    expect(calls.map(({ name, input }) => ({ name, input }))).toEqual([
      { name: "get_weather", input: { city: "text" } },
      { name: "ping", input: {} },
    ]);
    const results = calls.map(({ id, name }) => ({
      type: "tool_result" as const,
      tool_use_id: id,
      content: `${name} done`,
      is_error: name === "ping",
    }));
    const second = await send([
      ...messages,
      { role: "assistant", content: first.content as Anthropic.ContentBlockParam[] },
      { role: "user", content: results },
    ]);
    expect(second.stop_reason).toBe("end_turn");
    expect(second.content[0]).toMatchObject({ text: expect.stringContaining("ping done") });
  });

  it("are held back when the caller wants none of them", async () => {
    const message = await anthropic.messages.create({
      model: "claude-3-5-sonnet",
      max_tokens: 100,
      tools: [weather],
      tool_choice: { type: "none" },
      messages: user("Call get_weather"),
    });
    expect(message.stop_reason).toBe("end_turn");
  });
});

describe("thinking", () => {
  it.each([["claude-sonnet-4-5"], ["claude-opus-4-6"]])(
    "comes signed from %s and is taken back",
    async (model) => {
      const params = {
        model,
        max_tokens: 4_000,
        tools: [weather],
        thinking:
          model === "claude-sonnet-4-5"
            ? { type: "enabled" as const, budget_tokens: 1_024 }
            : { type: "adaptive" as const },
      };
      const first = await anthropic.messages
        .stream({ ...params, messages: user("Call get_weather") })
        .finalMessage();
      expect(first.content.map(({ type }) => type)).toEqual(["thinking", "tool_use"]);
      expect(first.content[0]).toMatchObject({ signature: expect.stringMatching(/.+/) });
      const call = first.content[1] as Anthropic.ToolUseBlock;
      const messages: Anthropic.MessageParam[] = [
        ...user("Call get_weather"),
        { role: "assistant", content: first.content as Anthropic.ContentBlockParam[] },
        { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "rain" }] },
      ];
      const second = await anthropic.messages.create({ ...params, messages });
      expect(second.content.at(-1)).toMatchObject({ text: expect.stringContaining("rain") });
    },
  );

  it("that was tampered with is refused", async () => {
    const call = anthropic.messages.create({
      model: "claude-sonnet-4-5",
      max_tokens: 2_000,
      thinking: { type: "enabled", budget_tokens: 1_024 },
      messages: [
        ...user("Hi"),
        { role: "assistant", content: [{ type: "thinking", thinking: "forged", signature: "forged" }] },
        ...user("Go on"),
      ],
    });
    await expect(call).rejects.toMatchObject({ status: 400, message: expect.stringContaining("signature") });
  });
});

describe("count_tokens", () => {
  it("is Bedrock's where the model can be asked, and a marked estimate elsewhere", async () => {
    const ask = async (model: string) => {
      const params = { model, system: "Be brief.", messages: user("Hello there"), tools: [weather] };
      const { data, response } = await anthropic.messages.countTokens(params).withResponse();
      return { tokens: data.input_tokens, source: response.headers.get("x-token-count-source") };
    };
    const counted = await ask("claude-sonnet-4-5");
    const guessed = await ask("claude-3-opus");
    expect(counted.source).toBe("provider");
    expect(guessed.source).toBe("estimated");
    expect(guessed.tokens).toBeGreaterThan(counted.tokens / 2);
    expect(guessed.tokens).toBeLessThan(counted.tokens * 2);
  });
});

describe("errors", () => {
  const ask = (more: object = {}) =>
    anthropic.messages.create({ model: "claude-3-5-sonnet", max_tokens: 10, messages: user("Hi"), ...more });

  it.each([
    ["ThrottlingException", Anthropic.RateLimitError, "rate_limit_error"],
    ["ValidationException", Anthropic.BadRequestError, "invalid_request_error"],
    ["ServiceUnavailableException", Anthropic.InternalServerError, "overloaded_error"],
    ["AccessDeniedException", Anthropic.InternalServerError, "api_error"],
    ["ModelTimeoutException", Anthropic.InternalServerError, "timeout_error"],
  ] as const)("%s becomes the client's class", async (error, type, name) => {
    gateway.standIn.fail({ error, times: 9 });
    const failure = await ask().then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(failure).toBeInstanceOf(type);
    expect(failure).toMatchObject({ error: { type: "error", error: { type: name } } });
  });

  it("in the middle of a stream are thrown", async () => {
    gateway.standIn.fail({ error: "InternalServerException", afterEvents: 3 });
    const stream = anthropic.messages.stream({
      model: "claude-3-5-sonnet",
      max_tokens: 500,
      messages: user("Write 50 words"),
    });
    await expect(stream.finalMessage()).rejects.toBeInstanceOf(Anthropic.APIError);
  });

  it("say what is wrong with a request, and where", async () => {
    await expect(ask({ max_tokens: undefined })).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining("max_tokens"),
    });
    const tools = [{ type: "web_search_20250305", name: "web_search" }];
    await expect(ask({ tools })).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining("tools[0].type"),
    });
  });
});

it("takes what Claude Code sends", async () => {
  const stream = anthropic.beta.messages.stream({
    model: "claude-sonnet-4-5-20250929",
    max_tokens: 32_000,
    betas: ["claude-code-20250219", "interleaved-thinking-2025-05-14", "context-management-2025-06-27"],
    metadata: { user_id: "user_1" },
    system: [
      { type: "text", text: "You are Claude Code.", cache_control: { type: "ephemeral" } },
      { type: "text", text: "Rules.", cache_control: { type: "ephemeral", ttl: "1h" } },
    ],
    tools: [{ ...weather, cache_control: { type: "ephemeral" } }],
    thinking: { type: "enabled", budget_tokens: 31_999 },
    context_management: { edits: [{ type: "clear_thinking_20251015", keep: "all" }] },
    messages: [
      { role: "user", content: [{ type: "text", text: "Hi", cache_control: { type: "ephemeral" } }] },
    ],
  });
  const message = await stream.finalMessage();
  expect(message.content.at(-1)).toMatchObject({ text: "You said: Hi" });
  expect(lastInput()).toMatchObject({
    additionalModelRequestFields: { anthropic_beta: ["interleaved-thinking-2025-05-14"] },
    system: [{}, { cachePoint: { type: "default" } }, {}, { cachePoint: { type: "default", ttl: "1h" } }],
  });
});
