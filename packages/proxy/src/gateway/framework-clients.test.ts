/** The Vercel AI SDK and LangChain against the translators, the Bedrock client and the stand-in. */
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { HumanMessage, SystemMessage } from "@langchain/core/messages";
import { tool as langchainTool } from "@langchain/core/tools";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { embedMany, generateText, Output, stepCountIs, streamText, tool } from "ai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { type BedrockGateway, startBedrockGateway } from "../testing/bedrock-gateway.ts";

let gateway: BedrockGateway;
beforeAll(async () => {
  gateway = await startBedrockGateway();
});
afterAll(() => gateway.stop());

const City = z.object({ city: z.string() });

describe("Vercel AI SDK", () => {
  const provider = () =>
    createOpenAICompatible({
      name: "central",
      baseURL: gateway.url,
      apiKey: "sk-test",
      includeUsage: true,
      supportsStructuredOutputs: true,
    });

  it("generates text through a loop of tools", async () => {
    const { text, steps } = await generateText({
      model: provider()("claude-3-5-sonnet"),
      prompt: "Call get_weather",
      tools: { get_weather: tool({ inputSchema: City, execute: ({ city }) => `sun in ${city}` }) },
      stopWhen: stepCountIs(3),
    });
    expect(steps).toHaveLength(2);
    expect(text).toContain("sun in text");
  });

  it("streams text and says the usage", async () => {
    const result = streamText({ model: provider()("claude-3-opus"), prompt: "Write 30 words" });
    let text = "";
    for await (const piece of result.textStream) text += piece;
    expect(text.split(" ")).toHaveLength(30);
    expect((await result.usage).outputTokens).toBeGreaterThan(10);
    expect(await result.finishReason).toBe("stop");
  });

  it("gets objects of a schema", async () => {
    const { output } = await generateText({
      model: provider()("claude-sonnet-4-5"),
      prompt: "Where?",
      output: Output.object({ schema: City }),
    });
    expect(output).toEqual({ city: "text" });
  });

  it("embeds", async () => {
    const { embeddings, usage } = await embedMany({
      model: provider().embeddingModel("amazon-titan-embed-text-v2"),
      values: ["one", "two"],
    });
    expect(embeddings.map(({ length }) => length)).toEqual([1024, 1024]);
    expect(usage.tokens).toBeGreaterThan(0);
  });
});

describe("LangChain", () => {
  const model = (name = "claude-3-5-sonnet") =>
    new ChatOpenAI({
      model: name,
      apiKey: "sk-test",
      configuration: { baseURL: gateway.url },
      maxRetries: 0,
    });

  it("invokes and streams", async () => {
    const answer = await model().invoke([new SystemMessage("Be brief."), new HumanMessage("Hello")]);
    expect(answer.text).toBe("You said: Hello");
    expect(answer.usage_metadata?.total_tokens).toBeGreaterThan(0);
    let text = "";
    for await (const chunk of await model().stream("Write 20 words")) text += chunk.text;
    expect(text.split(" ")).toHaveLength(20);
  });

  it("calls tools", async () => {
    const weather = langchainTool(({ city }) => `sun in ${city}`, { name: "get_weather", schema: City });
    const answer = await model().bindTools([weather]).invoke("Call get_weather");
    expect(answer.tool_calls?.[0]).toMatchObject({ name: "get_weather", args: { city: "text" } });
  });

  it("gets objects of a schema", async () => {
    expect(await model().withStructuredOutput(City, { method: "jsonSchema" }).invoke("Where?")).toEqual({
      city: "text",
    });
    expect(await model().withStructuredOutput(City, { method: "functionCalling" }).invoke("Where?")).toEqual({
      city: "text",
    });
  });

  it("embeds", async () => {
    const embeddings = new OpenAIEmbeddings({
      model: "cohere-embed-english-v3",
      apiKey: "sk-test",
      configuration: { baseURL: gateway.url },
    });
    expect(await embeddings.embedQuery("hello")).toHaveLength(1024);
  });
});
