import { ModelList, type ModelSetting } from "@central-llm/core/model";
import OpenAI from "openai";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type BedrockGateway, startBedrockGateway } from "../testing/bedrock-gateway.ts";
import { type CallPolicy, callModel } from "./model-call.ts";
import { invalid } from "./refusal.ts";
import { upstreamError } from "./upstream-error.ts";

const setting = (name: string, fallbacks: string[] = []): ModelSetting => ({
  name,
  fallbacks,
  target: { provider: "bedrock", modelId: name, region: "eu-west-2" },
  ability: { kind: "chat", contextWindow: 10, maxOutputTokens: 10 },
});
const list = ModelList.parse([setting("a", ["b", "c"]), setting("b"), setting("c")]);
const first = list.models[0];
const chain = first ? list.chain(first) : [];

const policy = (more: Partial<CallPolicy> = {}): CallPolicy => ({
  attempts: 2,
  baseDelayMs: 1,
  maxDelayMs: 4,
  deadline: performance.now() + 60_000,
  ...more,
});
const never = new AbortController().signal;
const fault = (name: string) => upstreamError(Object.assign(new Error("x"), { name }));

/** @returns the models that were called, in order */
async function calls(outcomes: (string | null)[], more: Partial<CallPolicy> = {}) {
  const called: string[] = [];
  const result = await callModel(chain, policy(more), never, async (model) => {
    const outcome = outcomes[called.length];
    called.push(model.name);
    if (outcome) throw outcome === "Refusal" ? invalid("x", "x") : fault(outcome);
    return model.name;
  }).then(
    ({ value, model }) => ({ value, served: model.name }),
    (error: { kind?: string; name: string }) => ({ kind: error.kind ?? error.name }),
  );
  return { called: called.join(""), ...result };
}

describe("callModel", () => {
  it.each([
    ["answers at once", [null], { called: "a", served: "a" }],
    [
      "tries again, then the fallbacks in order",
      Array(5).fill("ThrottlingException"),
      { called: "aabbcc", served: "c" },
    ],
    ["does not try again what was too slow", ["ModelTimeoutException"], { called: "ab", served: "b" }],
    ["does not try what cannot help", ["ValidationException"], { called: "a", kind: "ValidationException" }],
    [
      "does not hide a wrong permission",
      ["AccessDeniedException"],
      { called: "a", kind: "AccessDeniedException" },
    ],
    [
      "says the last failure",
      Array(6).fill("ServiceUnavailableException"),
      { called: "aabbcc", kind: "ServiceUnavailableException" },
    ],
    ["refuses what the model cannot take", ["Refusal"], { called: "a", kind: "Refusal" }],
    [
      "passes over a fallback that cannot take it",
      ["ThrottlingException", "ThrottlingException", "Refusal"],
      { called: "aabc", served: "c" },
    ],
  ])("%s", async (_, outcomes, expected) => {
    expect(await calls(outcomes)).toMatchObject(expected);
  });

  it("begins nothing after the deadline", async () => {
    expect(await calls([null], { deadline: performance.now() - 1 })).toMatchObject({
      called: "",
      kind: "deadline",
    });
  });

  it("ends at the deadline an attempt that hangs, also on the last fallback", async () => {
    const deadline = performance.now() + 60;
    const hang = callModel(chain, policy({ deadline }), never, (_, signal) => {
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
    });
    await expect(hang).rejects.toMatchObject({ kind: "deadline", error: { status: 504 } });
  });

  it("does not wait for a pause that the deadline cuts off", async () => {
    const random = vi.spyOn(Math, "random").mockReturnValue(1);
    const started = performance.now();
    const outcome = await calls(Array(9).fill("ThrottlingException"), {
      baseDelayMs: 60_000,
      maxDelayMs: 60_000,
      deadline: started + 20_000,
    });
    random.mockRestore();
    expect(outcome).toMatchObject({ called: "abc", kind: "ThrottlingException" });
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it("stops when the caller leaves", async () => {
    const caller = new AbortController();
    const call = callModel(chain, policy(), caller.signal, async () => {
      caller.abort();
      throw fault("ThrottlingException");
    });
    await expect(call).rejects.toMatchObject({ kind: "ThrottlingException" });
  });
});

describe("through the client", () => {
  let gateway: BedrockGateway;
  let openai: OpenAI;
  beforeAll(async () => {
    gateway = await startBedrockGateway({
      fallbacks: { "claude-opus-4-6": ["claude-sonnet-4-5", "claude-3-5-sonnet"] },
    });
    openai = new OpenAI({ baseURL: gateway.url, apiKey: "sk-test", maxRetries: 0 });
  });
  afterEach(() => gateway.standIn.clearFaults());
  afterAll(() => gateway.stop());

  it.each([[false], [true]])("the fallback's own translation is sent (stream: %s)", async (stream) => {
    gateway.standIn.fail({ modelId: "opus-4-6", error: "ThrottlingException", times: 2 });
    const { data, response } = await openai.chat.completions
      .create({
        model: "claude-opus-4-6",
        messages: [{ role: "user", content: "Hi" }],
        reasoning_effort: "low",
        stream: stream as false,
      })
      .withResponse();
    if (stream) for await (const _ of data as unknown as AsyncIterable<object>);
    expect(response.headers.get("x-served-model")).toBe("claude-sonnet-4-5");
    expect(gateway.standIn.calls.slice(-3).map(({ modelId, body }) => [modelId, body])).toMatchObject([
      ["eu.anthropic.claude-opus-4-6-v1", { outputConfig: { effort: "low" } }],
      ["eu.anthropic.claude-opus-4-6-v1", { outputConfig: { effort: "low" } }],
      [
        "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        { additionalModelRequestFields: { thinking: { type: "enabled", budget_tokens: 1024 } } },
      ],
    ]);
  });

  it("a stream that has begun is not begun again", async () => {
    const before = gateway.standIn.calls.length;
    gateway.standIn.fail({ modelId: "opus-4-6", error: "ThrottlingException", afterEvents: 2 });
    const stream = await openai.chat.completions.create({
      model: "claude-opus-4-6",
      messages: [{ role: "user", content: "Write 50 words" }],
      stream: true,
    });
    const read = async () => {
      for await (const _ of stream);
    };
    await expect(read()).rejects.toThrow(/limits the rate/);
    expect(gateway.standIn.calls.length - before).toBe(1);
  });
});
