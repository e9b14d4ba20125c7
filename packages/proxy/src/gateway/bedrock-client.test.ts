/** What the client does when Bedrock is slow, breaks off or is gone, and when its caller is: the same on both transports. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { BedrockTarget, ChatAbility } from "@central-llm/core/model";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { signedFor } from "../testing/aws-signature.ts";
import { type BedrockGateway, startBedrockGateway } from "../testing/bedrock-gateway.ts";
import { chatToConverse } from "./chat-to-converse.ts";
import { messagesToConverse } from "./messages-to-converse.ts";
import type { ConverseInput, StreamEvent } from "./translation.ts";
import { UpstreamError } from "./upstream-error.ts";

const input = (text: string): ConverseInput => ({ messages: [{ role: "user", content: [{ text }] }] });

describe.each(["sdk", "signed"] as const)("transport %s", (transport) => {
  let gateway: BedrockGateway;
  let target: BedrockTarget;
  beforeAll(async () => {
    gateway = await startBedrockGateway({ delayMs: 5, bedrock: { transport } });
    target = gateway.models.find("claude-3-5-sonnet")?.target as BedrockTarget;
  });
  afterEach(() => gateway.standIn.clearFaults());
  afterAll(() => gateway.stop());

  const failure = async (call: Promise<unknown>) => {
    const error = await call.then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(UpstreamError);
    return error as UpstreamError;
  };
  const read = async (events: AsyncIterable<StreamEvent>) => {
    const all: StreamEvent[] = [];
    for await (const event of events) all.push(event);
    return all;
  };

  it("gives up on a head that does not come", async () => {
    gateway.standIn.fail({ hang: true });
    const client = gateway.connect({ firstByteTimeoutMs: 200 });
    const error = await failure(client.converse(target, input("Hi")));
    expect(error).toMatchObject({ kind: "first_byte_timeout", remedy: "elsewhere", error: { status: 504 } });
  });

  it("gives up on a stream whose first event does not come", async () => {
    gateway.standIn.fail({ hang: true, afterEvents: 0 });
    const client = gateway.connect({ firstByteTimeoutMs: 200 });
    const error = await failure(client.converseStream(target, input("Hi")));
    expect(error.error.status).toBe(504);
  });

  it("gives up on a stream that falls silent", async () => {
    gateway.standIn.fail({ hang: true, afterEvents: 2 });
    const client = gateway.connect({ idleTimeoutMs: 200 });
    const events = await client.converseStream(target, input("Hi"));
    expect(await failure(read(events))).toMatchObject({ kind: "idle_timeout", error: { status: 504 } });
  });

  it("says so when a stream is cut off", async () => {
    gateway.standIn.fail({ cutAfterEvents: 3 });
    const events = await gateway.client.converseStream(target, input("Write 50 words"));
    expect((await failure(read(events))).error.status).toBe(502);
  });

  it("says so when Bedrock fails in the middle of a stream", async () => {
    gateway.standIn.fail({ error: "ThrottlingException", afterEvents: 3 });
    const events = await gateway.client.converseStream(target, input("Write 50 words"));
    expect(await failure(read(events))).toMatchObject({
      kind: "ThrottlingException",
      error: { status: 429 },
    });
  });

  it("ends the call at Bedrock when the caller leaves", async () => {
    const { abandoned } = gateway.standIn;
    const caller = new AbortController();
    const events = await gateway.client.converseStream(target, input("Write 900 words"), caller.signal);
    const reading = read(events);
    caller.abort();
    await failure(reading);
    await vi.waitFor(() => expect(gateway.standIn.abandoned).toBe(abandoned + 1), { timeout: 60_000 });
  });

  it("ends the call at Bedrock when the reader stops reading", async () => {
    const { abandoned } = gateway.standIn;
    for await (const event of await gateway.client.converseStream(target, input("Write 900 words")))
      if (event.contentBlockDelta) break;
    await vi.waitFor(() => expect(gateway.standIn.abandoned).toBe(abandoned + 1), { timeout: 60_000 });
  });

  it("sends pictures and hidden thoughts as they are", async () => {
    const ability = gateway.models.find("claude-3-5-sonnet")?.ability as ChatAbility;
    const data = Buffer.from([0, 1, 2, 253, 254, 255]).toString("base64");
    const body = {
      max_tokens: 10,
      model: "m",
      messages: [
        {
          role: "user",
          content: [{ type: "image", source: { type: "base64", media_type: "image/png", data } }],
        },
        {
          role: "assistant",
          content: [
            { type: "redacted_thinking", data },
            { type: "text", text: "A" },
          ],
        },
        { role: "user", content: "B" },
      ],
    };
    const translation = messagesToConverse(body, { ability, dropParams: false });
    if (!translation.ok) throw new Error(translation.error.message);
    await gateway.client.converse(target, translation.input);
    expect(gateway.standIn.calls.at(-1)?.body).toMatchObject({
      messages: [
        { content: [{ image: { source: { bytes: data } } }] },
        { content: [{ reasoningContent: { redactedContent: data } }, { text: "A" }] },
        {},
      ],
    });
  });

  it("calls the inference profile by its full name", async () => {
    const profile = gateway.models.find("claude-sonnet-4-5")?.target as BedrockTarget;
    await gateway.client.converse(profile, input("Hi"));
    expect(gateway.standIn.calls.at(-1)?.modelId).toBe("eu.anthropic.claude-sonnet-4-5-20250929-v1:0");
    await expect(
      gateway.client.converse({ ...target, modelId: "anthropic.nobody-v1:0" }, input("Hi")),
    ).rejects.toMatchObject({ error: { status: 502, code: "upstream_misconfigured" } });
  });

  it("says so when nobody is there", async () => {
    const client = gateway.connect({ endpoint: "http://127.0.0.1:1" });
    const error = await failure(client.converse(target, input("Hi")));
    expect(error).toMatchObject({ remedy: "again", error: { status: 502, code: "upstream_unavailable" } });
  });

  it("does not believe a damaged stream", async () => {
    const server = createServer((_, response) => {
      response.writeHead(200, { "content-type": "application/vnd.amazon.eventstream" });
      response.end(Buffer.alloc(40, 7));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const client = gateway.connect({ firstByteTimeoutMs: 2_000, endpoint: `http://127.0.0.1:${port}` });
    const error = await failure(client.converseStream(target, input("Hi")));
    expect(error.error.status).toBeGreaterThanOrEqual(502);
    server.closeAllConnections();
    server.close();
  });

  it("signs as AWS asks, also names with colons and slashes", async () => {
    const seen: (string | null)[] = [];
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      seen.push(signedFor(request, Buffer.concat(chunks), "s3cr3t/+="));
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ output: { message: { role: "assistant", content: [] } } }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const credentials = { accessKeyId: "AKID", secretAccessKey: "s3cr3t/+=", sessionToken: "token" };
    const client = gateway.connect({ endpoint: `http://127.0.0.1:${port}`, credentials });
    const modelId = "arn:aws:bedrock:eu-west-1:1:application-inference-profile/a(b)";
    for (const one of [target, { ...target, modelId, region: "eu-west-1" }])
      await client.converse(one, input("Hü"));
    expect(seen).toEqual(["eu-west-2/bedrock", "eu-west-1/bedrock"]);
    server.closeAllConnections();
    server.close();
  });

  if (transport === "signed")
    it("sends a draft as it was signed, once; another attempt is signed anew", async () => {
      let signed = 0;
      const credentials = async () => {
        signed++;
        return { accessKeyId: "AKID", secretAccessKey: "secret" };
      };
      const client = gateway.connect({ credentials });
      const hello = input("Hello");
      client.draft(target, false, hello);
      expect(signed).toBe(1);
      for (const times of [1, 2]) {
        const { output } = await client.converse(target, hello);
        expect(output?.message?.content).toEqual([{ text: "You said: Hello" }]);
        expect(signed).toBe(times);
      }
    });

  it("keeps what it read of many streams at once apart", async () => {
    const ability = gateway.models.find("claude-3-5-sonnet")?.ability as ChatAbility;
    const texts = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        const messages = [{ role: "user", content: `Say ${n} of twenty` }];
        const translation = chatToConverse({ model: "m", messages }, { ability, dropParams: false });
        if (!translation.ok) throw new Error(translation.error.message);
        const events = await read(await gateway.client.converseStream(target, translation.input));
        return events.map((event) => event.contentBlockDelta?.delta?.text ?? "").join("");
      }),
    );
    expect(texts).toEqual(texts.map((_, n) => `You said: Say ${n} of twenty`));
  });
});
