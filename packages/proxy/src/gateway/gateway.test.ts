/** The gateway as a whole, over HTTP: what each step does to a request, and what is left of it in S3 and PostgreSQL. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { GatewayBench } from "../testing/gateway-bench.ts";

let bench: GatewayBench;
beforeAll(async () => {
  bench = await GatewayBench.start();
});
afterAll(() => bench?.stop());
afterEach(() => bench.standIn.clearFaults());

const MODEL = "claude-3-5-sonnet";
const ask = (content: string, more: object = {}) => ({
  model: MODEL,
  messages: [{ role: "user", content }],
  ...more,
});
const chat = (key: string | null, body: unknown, headers: Record<string, string> = {}) =>
  bench.call("POST", "/v1/chat/completions", body, { key, headers });

describe("a chat completion", () => {
  it("is answered, audited with its key and owner, and booked", async () => {
    const { key, token } = await bench.key({
      key_alias: "lane",
      user_id: "ada",
      max_budget: 10,
      rpm_limit: 5,
      tpm_limit: 100_000,
    });
    const response = await chat(key, ask("Hello", { user: "ada" }));
    expect(response.status).toBe(200);
    const body = (await response.json()) as { usage: Record<string, number> };
    const id = response.headers.get("x-request-id") ?? "";
    expect(response.headers.get("x-litellm-call-id")).toBe(id);
    expect(response.headers.get("x-ratelimit-api_key-remaining-requests")).toBe("4");
    expect(response.headers.get("x-litellm-key-max-budget")).toBe("10");
    const { record } = await bench.stored(id);
    expect(record).toMatchObject({
      profile: "gateway",
      userId: "ada",
      requestType: "chat",
      identity: {
        method: "virtual-key",
        keyId: token,
        keyAlias: "lane",
        assertedUser: "ada",
        matches: true,
      },
      statusCode: 200,
      outcome: "completed",
      model: {
        requested: MODEL,
        served: "anthropic.claude-3-5-sonnet-20241022-v2:0",
        provider: "bedrock",
      },
      request: { body: ask("Hello", { user: "ada" }) },
      response: { body, complete: true },
      usage: {
        promptTokens: body.usage.prompt_tokens,
        completionTokens: body.usage.completion_tokens,
        source: "provider",
      },
    });
    expect(record.policy.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(record.cost?.usd).toBeGreaterThan(0);
    expect(response.headers.get("x-litellm-response-cost")).toBe(String(record.cost?.usd));
    expect(await bench.spend(id)).toMatchObject({
      api_key: token,
      user: "ada",
      spend: record.cost?.usd,
      total_tokens: record.usage.totalTokens,
      model_group: MODEL,
      call_type: "acompletion",
      status: "success",
    });
  });
});
