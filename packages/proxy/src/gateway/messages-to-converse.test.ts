/** The table of Anthropic's requests and what Bedrock gets of each; as chat-to-converse.test.ts. */
import type { MessageCreateParams, MessageParam } from "@anthropic-ai/sdk/resources/messages";
import type { ConverseRequest } from "@aws-sdk/client-bedrock-runtime";
import type { BedrockTarget, ChatAbility } from "@central-llm/core/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BedrockGateway, startBedrockGateway } from "../testing/bedrock-gateway.ts";
import { plainBytes } from "../testing/plain-bytes.ts";
import { countToConverse, messagesToConverse } from "./messages-to-converse.ts";

let gateway: BedrockGateway;
beforeAll(async () => {
  gateway = await startBedrockGateway({ bedrock: { transport: "sdk" } });
});
afterAll(() => gateway.stop());

const PLAIN = "claude-3-5-sonnet";
const BUDGET = "claude-sonnet-4-5";
const ADAPTIVE = "claude-opus-4-6";
const ALWAYS = "claude-opus-5-5";
const DATA = "JVBERi0xLjQ=";

const user = (...content: Exclude<MessageParam["content"], string>) => ({ role: "user" as const, content });
const text = (value: string) => ({ type: "text" as const, text: value });
const hi = [{ role: "user" as const, content: [{ text: "Hi" }] }];
const tool = { name: "ping", input_schema: { type: "object" as const, properties: {} } };
const toolSpec = { name: "ping", inputSchema: { json: { type: "object", properties: {} } } };
const use = { type: "tool_use" as const, id: "toolu_1", name: "ping", input: { a: 1 } };
const closed = { type: "object" as const, properties: {}, additionalProperties: false };

interface Case {
  name: string;
  model?: string;
  request: Partial<MessageCreateParams>;
  input: Partial<ConverseRequest>;
  absent?: (keyof ConverseRequest)[];
  dropped?: string[];
}

const CASES = [
  {
    name: "text",
    request: { messages: [{ role: "user", content: "Hi" }] },
    input: { messages: hi, inferenceConfig: { maxTokens: 100 } },
  },
  { name: "system as text", request: { system: "A" }, input: { system: [{ text: "A" }] } },
  {
    name: "system as blocks, marked",
    model: BUDGET,
    request: {
      system: [
        { ...text("A"), cache_control: { type: "ephemeral" } },
        { ...text("B"), cache_control: { type: "ephemeral", ttl: "1h" } },
      ],
    },
    input: {
      system: [
        { text: "A" },
        { cachePoint: { type: "default" } },
        { text: "B" },
        { cachePoint: { type: "default", ttl: "1h" } },
      ],
    },
  },
  {
    name: "never more than four marks",
    model: BUDGET,
    request: {
      messages: [
        user(
          ...["a", "b", "c", "d", "e"].map((letter) => ({
            ...text(letter),
            cache_control: { type: "ephemeral" as const },
          })),
        ),
      ],
    },
    input: {
      messages: [
        {
          role: "user",
          content: [
            ...["a", "b", "c", "d"].flatMap((letter) => [
              { text: letter },
              { cachePoint: { type: "default" as const } },
            ]),
            { text: "e" },
          ],
        },
      ],
    },
  },
  {
    name: "an image",
    request: {
      messages: [user({ type: "image", source: { type: "base64", media_type: "image/jpeg", data: DATA } })],
    },
    input: {
      messages: [
        {
          role: "user",
          content: [{ image: { format: "jpeg", source: { bytes: Buffer.from(DATA, "base64") } } }],
        },
      ],
    },
  },
  {
    name: "a PDF with context and citations",
    request: {
      messages: [
        user(
          {
            type: "document",
            source: { type: "base64", media_type: "application/pdf", data: DATA },
            title: "a/b.pdf",
            context: "old",
            citations: { enabled: true },
          },
          text("Hi"),
        ),
      ],
    },
    input: {
      messages: [
        {
          role: "user",
          content: [
            {
              document: {
                format: "pdf",
                name: "a-b",
                source: { bytes: Buffer.from(DATA, "base64") },
                context: "old",
                citations: { enabled: true },
              },
            },
            { text: "Hi" },
          ],
        },
      ],
    },
  },
  {
    name: "a text as document, and one of pieces",
    request: {
      messages: [
        user(
          { type: "document", source: { type: "text", media_type: "text/plain", data: "abc" } },
          { type: "document", source: { type: "content", content: [text("d")] }, title: "T" },
          text("Hi"),
        ),
      ],
    },
    input: {
      messages: [
        {
          role: "user",
          content: [
            { document: { format: "txt", name: "document", source: { text: "abc" } } },
            { document: { format: "txt", name: "T", source: { content: [{ text: "d" }] } } },
            { text: "Hi" },
          ],
        },
      ],
    },
  },
  {
    name: "a search result",
    request: {
      messages: [user({ type: "search_result", source: "s", title: "t", content: [text("c")] }, text("Hi"))],
    },
    input: {
      messages: [
        {
          role: "user",
          content: [{ searchResult: { source: "s", title: "t", content: [{ text: "c" }] } }, { text: "Hi" }],
        },
      ],
    },
  },
  {
    name: "a call and its failed result with a picture",
    request: {
      tools: [tool],
      messages: [
        user(text("Hi")),
        { role: "assistant", content: [use] },
        user({
          type: "tool_result",
          tool_use_id: "toolu_1",
          is_error: true,
          content: [
            text("no"),
            { type: "image", source: { type: "base64", media_type: "image/png", data: DATA } },
          ],
        }),
      ],
    },
    input: {
      messages: [
        ...hi,
        {
          role: "assistant",
          content: [{ toolUse: { toolUseId: "toolu_1", name: "ping", input: { a: 1 } } }],
        },
        {
          role: "user",
          content: [
            {
              toolResult: {
                toolUseId: "toolu_1",
                status: "error",
                content: [
                  { text: "no" },
                  { image: { format: "png", source: { bytes: Buffer.from(DATA, "base64") } } },
                ],
              },
            },
          ],
        },
      ],
    },
  },
  {
    name: "thoughts that are hidden",
    request: {
      messages: [
        user(text("Hi")),
        { role: "assistant", content: [{ type: "redacted_thinking", data: DATA }, text("A")] },
        user(text("B")),
      ],
    },
    input: {
      messages: [
        ...hi,
        {
          role: "assistant",
          content: [{ reasoningContent: { redactedContent: Buffer.from(DATA, "base64") } }, { text: "A" }],
        },
        { role: "user", content: [{ text: "B" }] },
      ],
    },
  },
  {
    name: "tools, strict and described",
    model: BUDGET,
    request: { tools: [{ ...tool, type: "custom", description: "Pings", strict: true }] },
    input: { toolConfig: { tools: [{ toolSpec: { ...toolSpec, description: "Pings", strict: true } }] } },
  },
  {
    name: "any tool",
    request: { tools: [tool], tool_choice: { type: "any" } },
    input: { toolConfig: { tools: [{ toolSpec }], toolChoice: { any: {} } } },
  },
  {
    name: "a certain tool",
    request: { tools: [tool], tool_choice: { type: "tool", name: "ping" } },
    input: { toolConfig: { tools: [{ toolSpec }], toolChoice: { tool: { name: "ping" } } } },
  },
  {
    name: "no tool",
    request: { tools: [tool], tool_choice: { type: "none" } },
    input: { messages: hi },
    absent: ["toolConfig"],
  },
  {
    name: "one call at a time",
    request: { tools: [tool], tool_choice: { type: "auto", disable_parallel_tool_use: true } },
    input: {
      additionalModelRequestFields: { tool_choice: { type: "auto", disable_parallel_tool_use: true } },
    },
  },
  {
    name: "thinking by budget",
    model: BUDGET,
    request: { max_tokens: 3000, thinking: { type: "enabled", budget_tokens: 2000 } },
    input: { additionalModelRequestFields: { thinking: { type: "enabled", budget_tokens: 2000 } } },
  },
  {
    name: "thinking by effort",
    model: ADAPTIVE,
    request: { thinking: { type: "adaptive" }, output_config: { effort: "medium" } },
    input: {
      outputConfig: { effort: "medium" },
      additionalModelRequestFields: { thinking: { type: "adaptive" } },
    },
  },
  {
    name: "no thinking of a model that does not",
    request: { thinking: { type: "disabled" } },
    input: { messages: hi },
    absent: ["additionalModelRequestFields"],
  },
  {
    name: "JSON of a schema",
    model: BUDGET,
    request: { output_config: { format: { type: "json_schema", schema: closed } } },
    input: {
      outputConfig: {
        textFormat: {
          type: "json_schema",
          structure: { jsonSchema: { name: "answer", schema: JSON.stringify(closed) } },
        },
      },
    },
  },
  {
    name: "sampling and stops",
    // Anthropic's newest types have no sampling any more; the models that take it are still there.
    request: {
      temperature: 0.2,
      top_p: 0.4,
      top_k: 3,
      stop_sequences: ["END"],
    } as Partial<MessageCreateParams>,
    input: {
      inferenceConfig: { maxTokens: 100, temperature: 0.2, topP: 0.4, stopSequences: ["END"] },
      additionalModelRequestFields: { top_k: 3 },
      additionalModelResponseFieldPaths: ["/stop_sequence"],
    },
  },
  {
    name: "accounting, which is ours, and hints, which are lost",
    request: {
      metadata: { user_id: "u" },
      service_tier: "auto",
      cache_control: { type: "ephemeral" },
      speed: "standard",
    },
    input: { messages: hi },
    absent: ["requestMetadata", "additionalModelRequestFields"],
    dropped: ["cache_control", "speed"],
  },
] satisfies Case[];

const base = { max_tokens: 100, messages: [{ role: "user", content: "Hi" }] };

function translate(model: string, request: object) {
  const ability = gateway.models.find(model)?.ability as ChatAbility;
  return messagesToConverse({ model, ...base, ...request }, { ability, dropParams: false });
}

describe("what Bedrock gets", () => {
  it.each(CASES as Case[])("$name", async ({ model = PLAIN, request, input, absent = [], dropped }) => {
    const translation = translate(model, request);
    if (!translation.ok) throw new Error(translation.error.message);
    expect(plainBytes(translation.input)).toMatchObject(plainBytes(input));
    for (const name of absent) expect(translation.input).not.toHaveProperty(name);
    expect(translation.dropped).toEqual(dropped ?? []);
    const target = gateway.models.find(model)?.target as BedrockTarget;
    const answer = await gateway.client.converse(target, translation.input);
    expect(answer.output?.message?.content?.length).toBeGreaterThan(0);
  });
});

describe("what is refused, and where", () => {
  const block = (content: object) => ({ messages: [{ role: "user", content: [content] }] });

  it.each<[name: string, param: string, request: object, model?: string]>([
    ["no limit", "max_tokens", { max_tokens: undefined }],
    ["too high a limit", "max_tokens", { max_tokens: 9_000 }],
    ["an empty message", "messages[0].content", { messages: [{ role: "user", content: "" }] }],
    ["an assistant first", "messages", { messages: [{ role: "assistant", content: "A" }] }],
    [
      "an image by address",
      "messages[0].content[0].source",
      block({ type: "image", source: { type: "url", url: "http://169.254.169.254/" } }),
    ],
    [
      "a document by address",
      "messages[0].content[0].source",
      block({ type: "document", source: { type: "url", url: "http://a/" } }),
    ],
    ["a block of no kind", "messages[0].content[0].type", block({ type: "server_tool_use" })],
    ["a tool that runs elsewhere", "tools[0].type", { tools: [{ type: "web_search_20250305", name: "w" }] }],
    ["thinking of a model that does not", "thinking", { thinking: { type: "enabled", budget_tokens: 1024 } }],
    [
      "a budget above the limit",
      "thinking.budget_tokens",
      { thinking: { type: "enabled", budget_tokens: 1024 } },
      BUDGET,
    ],
    ["effort where there is a budget", "thinking.type", { thinking: { type: "adaptive" } }, BUDGET],
    [
      "a budget where there is effort",
      "thinking.type",
      { thinking: { type: "enabled", budget_tokens: 1024 } },
      ALWAYS,
    ],
    ["effort of a model that knows none", "output_config.effort", { output_config: { effort: "low" } }],
    ["a temperature beyond Claude's", "temperature", { temperature: 1.2 }],
    ["a temperature where there is none", "temperature", { temperature: 0.2 }, ALWAYS],
    ["servers of tools", "mcp_servers", { mcp_servers: [] }],
    ["containers", "container", { container: "c" }],
  ])("%s", (_, param, request, model = PLAIN) => {
    expect(translate(model, request)).toMatchObject({ ok: false, error: { status: 400, param } });
  });
});

it("counts without a limit, and with the tools", () => {
  const ability = gateway.models.find(BUDGET)?.ability as ChatAbility;
  const body = { model: BUDGET, messages: base.messages, tools: [tool], system: "A" };
  expect(countToConverse(body, { ability, dropParams: false })).toMatchObject({
    ok: true,
    input: { messages: hi, system: [{ text: "A" }], toolConfig: { tools: [{ toolSpec }] } },
  });
});
