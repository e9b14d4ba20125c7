/** The `openai` package against the translators, the Bedrock client and the stand-in. */
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { type BedrockGateway, startBedrockGateway } from "../testing/bedrock-gateway.ts";

const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

describe.each(["sdk", "signed"] as const)("through transport %s", (transport) => {
  let gateway: BedrockGateway;
  let openai: OpenAI;
  beforeAll(async () => {
    gateway = await startBedrockGateway({ bedrock: { transport } });
    openai = new OpenAI({ baseURL: gateway.url, apiKey: "sk-test", maxRetries: 0 });
  });
  afterEach(() => gateway.standIn.clearFaults());
  afterAll(() => gateway.stop());

  const user = (content: string) => [{ role: "user" as const, content }];

  const tools = ["get_weather", "get_time"].map((name) => ({
    type: "function" as const,
    function: {
      name,
      description: `Gives ${name}`,
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  }));

  describe("chat", () => {
    it("answers with text and usage", async () => {
      const answer = await openai.chat.completions.create({
        model: "claude-3-5-sonnet",
        messages: [{ role: "system", content: "Be brief." }, ...user("Hello")],
      });
      expect(answer.choices[0]?.message.content).toBe("You said: Hello");
      expect(answer.choices[0]?.finish_reason).toBe("stop");
      expect(answer.model).toBe("claude-3-5-sonnet");
      expect(answer.usage?.prompt_tokens).toBeGreaterThan(0);
      expect(answer.usage?.total_tokens).toBe(
        (answer.usage?.prompt_tokens ?? 0) + (answer.usage?.completion_tokens ?? 0),
      );
      expect(gateway.standIn.calls.at(-1)).toMatchObject({
        operation: "converse",
        modelId: "anthropic.claude-3-5-sonnet-20241022-v2:0",
        body: { system: [{ text: "Be brief." }] },
      });
    });

    it("streams, with usage when asked", async () => {
      const stream = await openai.chat.completions.create({
        model: "claude-3-opus",
        messages: user("Write 40 words"),
        stream: true,
        stream_options: { include_usage: true },
      });
      let text = "";
      let usage: OpenAI.CompletionUsage | null = null;
      const finish: (string | null)[] = [];
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? "";
        if (chunk.choices[0]) finish.push(chunk.choices[0].finish_reason);
        usage = chunk.usage ?? usage;
      }
      expect(text.split(" ")).toHaveLength(40);
      expect(finish.filter(Boolean)).toEqual(["stop"]);
      expect(usage?.completion_tokens).toBeGreaterThan(20);
    });

    it("says when the answer was cut", async () => {
      const answer = await openai.chat.completions.create({
        model: "claude-3-5-sonnet",
        messages: user("Write 500 words"),
        max_tokens: 10,
      });
      expect(answer.choices[0]?.finish_reason).toBe("length");
    });

    it("sees images", async () => {
      const answer = await openai.chat.completions.create({
        model: "claude-3-5-sonnet",
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "What is it?" },
              { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` } },
            ],
          },
        ],
      });
      const size = Buffer.from(PIXEL, "base64").length;
      expect(answer.choices[0]?.message.content).toContain(`an image (png, ${size} bytes)`);
    });

    it("shows thoughts, and takes them back signed in a loop of tools", async () => {
      const first = await openai.chat.completions.create({
        model: "claude-sonnet-4-5",
        messages: user("Call get_weather"),
        tools,
        reasoning_effort: "medium",
      });
      const message = first.choices[0]?.message as OpenAI.ChatCompletionMessage & {
        reasoning_content: string;
        thinking_blocks: object[];
      };
      expect(message.reasoning_content).toContain("Call get_weather");
      const second = await openai.chat.completions.create({
        model: "claude-sonnet-4-5",
        messages: [
          ...user("Call get_weather"),
          message,
          { role: "tool", tool_call_id: message.tool_calls?.[0]?.id ?? "", content: "rain" },
        ],
        tools,
        reasoning_effort: "medium",
      });
      expect(second.choices[0]?.message.content).toContain("a tool's result: rain");
      expect(gateway.standIn.calls.at(-1)?.body).toMatchObject({
        additionalModelRequestFields: { thinking: { type: "enabled", budget_tokens: 2048 } },
      });
    });
  });

  describe("tools", () => {
    it("are called in parallel, and their results are understood", async () => {
      const first = await openai.chat.completions.create({
        model: "claude-3-5-sonnet",
        messages: user("Call get_weather and get_time"),
        tools,
      });
      const message = first.choices[0]?.message;
      expect(first.choices[0]?.finish_reason).toBe("tool_calls");
      expect(message?.content).toBeNull();
      const calls = message?.tool_calls ?? [];
      expect(calls.map((call) => call.type === "function" && call.function)).toEqual([
        { name: "get_weather", arguments: '{"city":"text"}' },
        { name: "get_time", arguments: '{"city":"text"}' },
      ]);
      const second = await openai.chat.completions.create({
        model: "claude-3-5-sonnet",
        messages: [
          ...user("Call get_weather and get_time"),
          message as OpenAI.ChatCompletionMessage,
          ...calls.map(({ id }, n) => ({ role: "tool" as const, tool_call_id: id, content: `result ${n}` })),
        ],
        tools,
      });
      expect(second.choices[0]?.message.content).toContain("a tool's result: result 1");
    });

    it("run through the client's own loop, streamed, with and without arguments", async () => {
      const called: unknown[] = [];
      const runner = openai.chat.completions.runTools({
        model: "claude-3-5-sonnet",
        stream: true,
        messages: user("Call ping and get_weather"),
        tools: [
          {
            type: "function",
            function: {
              name: "ping",
              description: "Answers",
              parameters: { type: "object", properties: {} },
              function: () => "pong",
              parse: JSON.parse,
            },
          },
          {
            type: "function",
            function: {
              name: "get_weather",
              description: "Tells the weather",
              parameters: tools[0]?.function.parameters ?? {},
              parse: JSON.parse,
              function: (input: unknown) => {
                called.push(input);
                return "sun";
              },
            },
          },
        ],
      });
      expect(await runner.finalContent()).toMatch(/result: pong .*result: sun/);
      expect(called).toEqual([{ city: "text" }]);
    });
  });

  describe("structured output", () => {
    const Person = z.object({ name: z.string(), age: z.number(), tags: z.array(z.string()) });

    it.each([["claude-3-5-sonnet"], ["claude-sonnet-4-5"], ["claude-haiku-4-5"]])(
      "parses with %s",
      async (model) => {
        const answer = await openai.chat.completions.parse({
          model,
          messages: user("Who?"),
          response_format: zodResponseFormat(Person, "person"),
        });
        expect(answer.choices[0]?.finish_reason).toBe("stop");
        expect(answer.choices[0]?.message.parsed).toEqual({ name: "text", age: 1, tags: ["text"] });
      },
    );

    it("parses streamed", async () => {
      const stream = openai.chat.completions.stream({
        model: "claude-3-5-sonnet",
        messages: user("Who?"),
        response_format: zodResponseFormat(Person, "person"),
      });
      const answer = await stream.finalChatCompletion();
      expect(answer.choices[0]?.message.parsed).toEqual({ name: "text", age: 1, tags: ["text"] });
    });
  });

  describe("embeddings", () => {
    it("come as floats, by default through base64", async () => {
      const one = await openai.embeddings.create({
        model: "amazon-titan-embed-text-v2",
        input: "hello world",
      });
      const same = await openai.embeddings.create({
        model: "amazon-titan-embed-text-v2",
        input: ["hello world"],
        encoding_format: "float",
      });
      expect(one.data[0]?.embedding).toHaveLength(1024);
      expect(Array.from(one.data[0]?.embedding ?? [], Math.fround)).toEqual(
        same.data[0]?.embedding.map(Math.fround),
      );
      expect(one.usage.prompt_tokens).toBe(3);
    });

    it("come in order from Cohere, in batches of 96, with the count of the header", async () => {
      const input = Array.from({ length: 200 }, (_, n) => `text ${n}`);
      const list = await openai.embeddings.create({ model: "cohere-embed-english-v3", input });
      expect(list.data.map(({ index }) => index)).toEqual(input.map((_, n) => n));
      const last = await openai.embeddings.create({ model: "cohere-embed-english-v3", input: "text 199" });
      expect(list.data[199]?.embedding).toEqual(last.data[0]?.embedding);
      expect(list.usage.prompt_tokens).toBeGreaterThan(200);
    });

    it("come in order from Titan, which takes one text a call, and fail as one", async () => {
      const input = Array.from({ length: 30 }, (_, n) => `text ${n}`);
      const list = await openai.embeddings.create({ model: "amazon-titan-embed-text-v2", input });
      const last = await openai.embeddings.create({ model: "amazon-titan-embed-text-v2", input: "text 29" });
      expect(list.data[29]?.embedding).toEqual(last.data[0]?.embedding);
      const before = gateway.standIn.calls.length;
      gateway.standIn.fail({ error: "ThrottlingException" });
      const call = openai.embeddings.create({ model: "amazon-titan-embed-text-v2", input });
      await expect(call).rejects.toMatchObject({ status: 429 });
      expect(gateway.standIn.calls.length - before).toBeLessThan(30);
    });

    it("refuse dimensions that the model has not", async () => {
      const call = openai.embeddings.create({
        model: "amazon-titan-embed-text-v2",
        input: "a",
        dimensions: 99,
      });
      await expect(call).rejects.toMatchObject({ status: 400, param: "dimensions" });
    });
  });

  describe("errors", () => {
    const ask = (client = openai, model = "claude-3-5-sonnet") =>
      client.chat.completions.create({ model, messages: user("Hi") });

    it.each([
      ["ThrottlingException", OpenAI.RateLimitError, 429],
      ["ServiceQuotaExceededException", OpenAI.RateLimitError, 429],
      ["ValidationException", OpenAI.BadRequestError, 400],
      ["AccessDeniedException", OpenAI.InternalServerError, 502],
      ["ResourceNotFoundException", OpenAI.InternalServerError, 502],
      ["ModelNotReadyException", OpenAI.InternalServerError, 503],
      ["ServiceUnavailableException", OpenAI.InternalServerError, 503],
      ["InternalServerException", OpenAI.InternalServerError, 502],
      ["ModelErrorException", OpenAI.InternalServerError, 502],
      ["ModelTimeoutException", OpenAI.InternalServerError, 504],
    ] as const)("%s becomes the client's class", async (error, type, status) => {
      const secret = "arn:aws:iam::123456789012:role/secret is wrong";
      gateway.standIn.fail({ error, message: secret, times: 9 });
      const failure = await ask().then(
        () => null,
        (reason: unknown) => reason,
      );
      expect(failure).toBeInstanceOf(type);
      expect(failure).toMatchObject({ status });
      expect(String(failure)).not.toContain("secret");
      expect(String(failure)).not.toContain("123456789012");
    });

    it("are tried again by us, then by the client", async () => {
      const before = gateway.standIn.calls.length;
      gateway.standIn.fail({ error: "ThrottlingException", times: 3 });
      const patient = new OpenAI({ baseURL: gateway.url, apiKey: "sk-test", maxRetries: 2 });
      const answer = await ask(patient);
      expect(answer.choices[0]?.message.content).toBe("You said: Hi");
      // Two by us for the client's first request, then one that fails and one that succeeds for its second.
      expect(gateway.standIn.calls.length - before).toBe(4);
    });

    it("name an unknown model", async () => {
      await expect(ask(openai, "gpt-9")).rejects.toMatchObject({ status: 404, code: "model_not_found" });
    });

    it("name the parameter that Bedrock cannot honour", async () => {
      const call = openai.chat.completions.create({ model: "claude-3-5-sonnet", messages: user("Hi"), n: 2 });
      await expect(call).rejects.toMatchObject({ status: 400, param: "n", code: "unsupported_parameter" });
    });

    it("in the middle of a stream are thrown by the client, after what came before", async () => {
      gateway.standIn.fail({ error: "ModelStreamErrorException", afterEvents: 4 });
      const stream = await openai.chat.completions.create({
        model: "claude-3-5-sonnet",
        messages: user("Write 90 words"),
        stream: true,
      });
      let text = "";
      const read = async () => {
        for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
      };
      await expect(read()).rejects.toBeInstanceOf(OpenAI.APIError);
      expect(text).toMatch(/^word1 /);
    });

    it("at the beginning of a stream are tried again unseen", async () => {
      gateway.standIn.fail({ error: "ThrottlingException", afterEvents: 0 });
      const stream = await openai.chat.completions.create({
        model: "claude-3-5-sonnet",
        messages: user("Hi"),
        stream: true,
      });
      let text = "";
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
      expect(text).toBe("You said: Hi");
    });
  });
});
