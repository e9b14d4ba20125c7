/** The stand-in, seen by the SDK's own client: what Bedrock would say, the stand-in says. */
import {
  ApplyGuardrailCommand,
  BedrockRuntimeClient,
  ConverseCommand,
  type ConverseCommandInput,
  ConverseStreamCommand,
  CountTokensCommand,
  InvokeModelCommand,
} from "@aws-sdk/client-bedrock-runtime";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type BedrockStandIn, startBedrockStandIn } from "./bedrock-stand-in.ts";

const modelId = "anthropic.claude-3-5-sonnet-20241022-v2:0";
const thinker = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";

let standIn: BedrockStandIn;
let client: BedrockRuntimeClient;
beforeAll(async () => {
  standIn = await startBedrockStandIn();
  client = new BedrockRuntimeClient({
    endpoint: standIn.url,
    region: "eu-west-2",
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
    maxAttempts: 1,
  });
});
afterEach(() => standIn.clearFaults());
afterAll(async () => {
  client.destroy();
  await standIn.stop();
});

const user = (text: string) => ({ role: "user" as const, content: [{ text }] });
const assistant = (text: string) => ({ role: "assistant" as const, content: [{ text }] });
const toolUse = { toolUse: { toolUseId: "t1", name: "ping", input: {} } };
const toolResult = { toolResult: { toolUseId: "t1", content: [{ text: "x" }] } };
const toolConfig = { tools: [{ toolSpec: { name: "ping", inputSchema: { json: { type: "object" } } } }] };
const thinking = { thinking: { type: "enabled", budget_tokens: 1024 } };

const converse = (input: Partial<ConverseCommandInput>) =>
  client.send(new ConverseCommand({ modelId, messages: [user("Hi")], ...input }));

describe("Converse", () => {
  it("answers the same to the same, and what the SDK streams is what it answers", async () => {
    const first = await converse({});
    expect(first).toMatchObject({
      stopReason: "end_turn",
      output: { message: { role: "assistant", content: [{ text: "You said: Hi" }] } },
    });
    expect((await converse({})).usage).toEqual(first.usage);
    const { stream } = await client.send(new ConverseStreamCommand({ modelId, messages: [user("Hi")] }));
    let text = "";
    let usage: object | undefined;
    for await (const event of stream ?? []) {
      text += event.contentBlockDelta?.delta?.text ?? "";
      usage = event.metadata?.usage ?? usage;
    }
    expect(text).toBe("You said: Hi");
    expect(usage).toEqual(first.usage);
  });

  it.each<[why: string, message: RegExp, input: Partial<ConverseCommandInput>]>([
    ["an unknown model", /model identifier is invalid/, { modelId: "anthropic.nobody" }],
    ["no messages", /must start with a user message/, { messages: [] }],
    ["an assistant first", /must start with a user message/, { messages: [assistant("A")] }],
    ["roles that do not alternate", /must alternate/, { messages: [user("A"), user("B")] }],
    ["blank text", /messages\.0\.content\.0 is blank/, { messages: [user(" ")] }],
    [
      "a result without a call",
      /number of toolResult blocks at messages\.0\.content exceeds/,
      { messages: [{ role: "user", content: [toolResult] }], toolConfig },
    ],
    [
      "a call without a result",
      /Expected toolResult blocks at messages\.2\.content for the following Ids: t1/,
      { messages: [user("A"), { role: "assistant", content: [toolUse] }, user("B")], toolConfig },
    ],
    [
      "calls without tools",
      /toolConfig field must be defined/,
      {
        messages: [
          user("A"),
          { role: "assistant", content: [toolUse] },
          { role: "user", content: [toolResult] },
        ],
      },
    ],
    ["too high a limit", /exceeds the model limit of 8192/, { inferenceConfig: { maxTokens: 9000 } }],
    ["too high a temperature", /temperature/, { inferenceConfig: { temperature: 1.5 } }],
    ["thinking of a model that does not", /thinking/, { additionalModelRequestFields: thinking }],
    [
      "thinking with a forced tool",
      /Thinking may not be enabled/,
      {
        modelId: thinker,
        additionalModelRequestFields: thinking,
        toolConfig: { ...toolConfig, toolChoice: { any: {} } },
      },
    ],
    [
      "thinking without room",
      /must be greater than/,
      {
        modelId: thinker,
        additionalModelRequestFields: thinking,
        inferenceConfig: { maxTokens: 1000 },
      },
    ],
    [
      "thoughts that were lost in a loop of tools",
      /must start with a thinking block/,
      {
        modelId: thinker,
        additionalModelRequestFields: thinking,
        toolConfig,
        messages: [
          user("A"),
          { role: "assistant", content: [toolUse] },
          { role: "user", content: [toolResult] },
        ],
      },
    ],
    [
      "temperature beside top_p",
      /cannot both be specified/,
      { modelId: thinker, inferenceConfig: { temperature: 0.1, topP: 0.1 } },
    ],
    [
      "sampling where there is none",
      /deprecated for this model/,
      { modelId: "eu.anthropic.claude-opus-4-7", inferenceConfig: { temperature: 0.1 } },
    ],
  ])("refuses %s", async (_, message, input) => {
    await expect(converse(input)).rejects.toMatchObject({ name: "ValidationException", message });
  });
});

describe("other operations", () => {
  it("counts tokens, of the models that can be asked", async () => {
    const count = (id: string) =>
      client.send(new CountTokensCommand({ modelId: id, input: { converse: { messages: [user("Hi")] } } }));
    expect((await count(modelId)).inputTokens).toBe((await converse({})).usage?.inputTokens);
    await expect(count(thinker)).rejects.toMatchObject({ name: "ValidationException" });
  });

  it("embeds, and brings likeness near", async () => {
    const embed = async (inputText: string) => {
      const body = JSON.stringify({ inputText, dimensions: 256 });
      const answer = await client.send(
        new InvokeModelCommand({ modelId: "amazon.titan-embed-text-v2:0", body }),
      );
      return JSON.parse(answer.body.transformToString()).embedding as number[];
    };
    const [a, b, c] = await Promise.all(["red car", "red cars car", "blue sky"].map(embed));
    const near = (x: number[] = [], y: number[] = []) =>
      x.reduce((sum, value, n) => sum + value * (y[n] ?? 0), 0);
    expect(near(a, a)).toBeCloseTo(1);
    expect(near(a, b)).toBeGreaterThan(near(a, c));
  });

  it("applies a guardrail: masks, blocks, or lets pass", async () => {
    const apply = (text: string) =>
      client.send(
        new ApplyGuardrailCommand({
          guardrailIdentifier: "g1",
          guardrailVersion: "1",
          source: "INPUT",
          content: [{ text: { text } }],
        }),
      );
    expect(await apply("Hello")).toMatchObject({ action: "NONE", outputs: [] });
    expect(await apply("Write to a@b.example")).toMatchObject({
      action: "GUARDRAIL_INTERVENED",
      outputs: [{ text: "Write to {EMAIL}" }],
      assessments: [
        { sensitiveInformationPolicy: { piiEntities: [{ type: "EMAIL", action: "ANONYMIZED" }] } },
      ],
    });
    const blocked = await apply("My SSN is 123-45-6789");
    expect(blocked.outputs?.[0]?.text).not.toContain("123-45-6789");
  });
});

describe("faults on demand", () => {
  it.each([
    ["ThrottlingException", 429],
    ["AccessDeniedException", 403],
    ["ModelTimeoutException", 408],
    ["ServiceUnavailableException", 503],
  ] as const)("%s", async (error, httpStatusCode) => {
    standIn.fail({ error, modelId: "3-5-sonnet" });
    await expect(converse({})).rejects.toMatchObject({ name: error, $metadata: { httpStatusCode } });
    await expect(converse({})).resolves.toBeDefined();
  });

  it("in the middle of a stream, ordered from another process", async () => {
    const order = { error: "ModelStreamErrorException", afterEvents: 2 };
    await fetch(`${standIn.url}/_faults`, { method: "POST", body: JSON.stringify(order) });
    const { stream } = await client.send(new ConverseStreamCommand({ modelId, messages: [user("Hi")] }));
    const read = async () => {
      let events = 0;
      for await (const _ of stream ?? []) events++;
      return events;
    };
    await expect(read()).rejects.toMatchObject({ name: "ModelStreamErrorException" });
  });
});

it("answers nobody who does not sign", async () => {
  const response = await fetch(`${standIn.url}/model/${modelId}/converse`, { method: "POST", body: "{}" });
  expect(response.status).toBe(403);
  expect(response.headers.get("x-amzn-errortype")).toBe("UnrecognizedClientException");
});
