/**
 * The table of OpenAI's requests and what Bedrock gets of each. Left sides are checked against OpenAI's types, right sides
 * against the SDK's, and every call is sent to the stand-in by the SDK's client, which must take it.
 */
import type { ConverseRequest } from "@aws-sdk/client-bedrock-runtime";
import type { BedrockTarget, ChatAbility } from "@central-llm/core/model";
import type { ChatCompletionCreateParams as Chat } from "openai/resources/chat/completions";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BedrockGateway, startBedrockGateway } from "../testing/bedrock-gateway.ts";
import { plainBytes } from "../testing/plain-bytes.ts";
import { chatToConverse } from "./chat-to-converse.ts";
import { toolUseId } from "./tool-call-id.ts";

let gateway: BedrockGateway;
beforeAll(async () => {
  gateway = await startBedrockGateway({ bedrock: { transport: "sdk" } });
});
afterAll(() => gateway.stop());

const PLAIN = "claude-3-5-sonnet";
const BUDGET = "claude-sonnet-4-5";
const ADAPTIVE = "claude-opus-4-6";
const ALWAYS = "claude-opus-5-5";

const PNG = "iVBORw0KGgo=";
const PDF = "JVBERi0xLjQ=";
const weather = {
  type: "function",
  function: { name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } } } },
} as const;
const toolSpec = {
  name: "get_weather",
  inputSchema: { json: { type: "object", properties: { city: { type: "string" } } } },
};
const call = (id: string, args = '{"city":"Rome"}') => ({
  id,
  type: "function" as const,
  function: { name: "get_weather", arguments: args },
});
const toolUse = (id: string, input = { city: "Rome" }) => ({
  toolUse: { toolUseId: id, name: "get_weather", input },
});
const loop = (id: string) => [
  { role: "user" as const, content: "Weather?" },
  { role: "assistant" as const, content: null, tool_calls: [call(id)] },
  { role: "tool" as const, tool_call_id: id, content: "sun" },
];
const closed = {
  type: "object",
  properties: { a: { type: "string" } },
  required: ["a"],
  additionalProperties: false,
};
const jsonSchema = (schema: Record<string, unknown>) =>
  ({
    response_format: { type: "json_schema", json_schema: { name: "thing", schema, strict: true } },
  }) as const;

/** LiteLLM's additions for Claude, which OpenAI's types do not know. */
const more = (extension: object) => extension as Partial<Chat>;
const user = (content: string) => ({ role: "user" as const, content });

interface Case {
  name: string;
  model?: string;
  request: Partial<Chat>;
  input: Partial<ConverseRequest>;
  absent?: (keyof ConverseRequest)[];
  dropped?: string[];
  dropParams?: boolean;
}

const hi = [{ role: "user" as const, content: [{ text: "Hi" }] }];

const CASES = [
  { name: "text", request: { messages: [user("Hi")] }, input: { messages: hi } },
  {
    name: "system and developer, wherever they stand",
    request: {
      messages: [
        { role: "system", content: "A" },
        user("Hi"),
        { role: "developer", content: [{ type: "text", text: "B" }] },
      ],
    },
    input: { system: [{ text: "A" }, { text: "B" }], messages: hi },
  },
  {
    name: "messages of one role in a row",
    request: { messages: [user("Hi"), user("you")] },
    input: { messages: [{ role: "user", content: [{ text: "Hi" }, { text: "you" }] }] },
  },
  {
    name: "blank text is left out",
    request: { messages: [user("Hi"), { role: "assistant", content: " " }, user("\n you")] },
    input: { messages: [{ role: "user", content: [{ text: "Hi" }, { text: "\n you" }] }] },
  },
  {
    name: "an answer to go on with loses its last white space",
    request: { messages: [user("Hi"), { role: "assistant", content: "Well, " }] },
    input: { messages: [...hi, { role: "assistant", content: [{ text: "Well," }] }] },
  },
  {
    name: "an image",
    request: {
      messages: [
        {
          role: "user",
          content: [
            { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}`, detail: "high" } },
          ],
        },
      ],
    },
    input: {
      messages: [
        {
          role: "user",
          content: [{ image: { format: "png", source: { bytes: Buffer.from(PNG, "base64") } } }],
        },
      ],
    },
  },
  {
    name: "a file",
    request: {
      messages: [
        {
          role: "user",
          content: [
            {
              type: "file",
              file: { file_data: `data:application/pdf;base64,${PDF}`, filename: "q3/report_v1.pdf" },
            },
            { type: "text", text: "Hi" },
          ],
        },
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
                name: "q3-report-v1",
                source: { bytes: Buffer.from(PDF, "base64") },
              },
            },
            { text: "Hi" },
          ],
        },
      ],
    },
  },
  {
    name: "an assistant's refusal",
    request: { messages: [user("Hi"), { role: "assistant", content: null, refusal: "No." }, user("Why?")] },
    input: {
      messages: [
        ...hi,
        { role: "assistant", content: [{ text: "No." }] },
        { role: "user", content: [{ text: "Why?" }] },
      ],
    },
  },
  {
    name: "a call and its result",
    request: { messages: loop("call_1"), tools: [weather] },
    input: {
      messages: [
        { role: "user", content: [{ text: "Weather?" }] },
        { role: "assistant", content: [toolUse("call_1")] },
        { role: "user", content: [{ toolResult: { toolUseId: "call_1", content: [{ text: "sun" }] } }] },
      ],
      toolConfig: { tools: [{ toolSpec }] },
    },
  },
  {
    name: "parallel calls, whose results and the user's next words are one message",
    request: {
      messages: [
        user("Hi"),
        { role: "assistant", content: "Both.", tool_calls: [call("a"), call("b", "")] },
        { role: "tool", tool_call_id: "a", content: [{ type: "text", text: "1" }] },
        { role: "tool", tool_call_id: "b", content: "2" },
        user("And?"),
      ],
      tools: [weather],
    },
    input: {
      messages: [
        ...hi,
        { role: "assistant", content: [{ text: "Both." }, toolUse("a"), toolUse("b", {} as never)] },
        {
          role: "user",
          content: [
            { toolResult: { toolUseId: "a", content: [{ text: "1" }] } },
            { toolResult: { toolUseId: "b", content: [{ text: "2" }] } },
            { text: "And?" },
          ],
        },
      ],
    },
  },
  {
    name: "ids that Bedrock does not take",
    request: { messages: loop("call|1/ä"), tools: [weather] },
    input: {
      messages: [
        { role: "user", content: [{ text: "Weather?" }] },
        { role: "assistant", content: [toolUse(toolUseId("call|1/ä"))] },
        {
          role: "user",
          content: [{ toolResult: { toolUseId: toolUseId("call|1/ä"), content: [{ text: "sun" }] } }],
        },
      ],
    },
  },
  {
    name: "calls in the messages without tools: they are declared, and none may be called",
    request: { messages: loop("call_1") },
    input: {
      toolConfig: {
        tools: [{ toolSpec: { name: "get_weather", inputSchema: { json: { type: "object" } } } }],
      },
      additionalModelRequestFields: { tool_choice: { type: "none" } },
    },
  },
  {
    name: "tools with description, and without parameters",
    request: {
      messages: [user("Hi")],
      tools: [{ type: "function", function: { name: "ping", description: "Pings" } }],
    },
    input: {
      toolConfig: {
        tools: [
          {
            toolSpec: {
              name: "ping",
              description: "Pings",
              inputSchema: { json: { type: "object", properties: {} } },
            },
          },
        ],
      },
    },
  },
  {
    name: "strict tools, where the model knows them",
    model: BUDGET,
    request: {
      messages: [user("Hi")],
      tools: [{ type: "function", function: { ...weather.function, strict: true } }],
    },
    input: { toolConfig: { tools: [{ toolSpec: { ...toolSpec, strict: true } }] } },
  },
  {
    name: "strict tools, where it does not",
    request: {
      messages: [user("Hi")],
      tools: [{ type: "function", function: { ...weather.function, strict: true } }],
    },
    input: { toolConfig: { tools: [{ toolSpec }] } },
  },
  {
    name: "tool_choice auto",
    request: { messages: [user("Hi")], tools: [weather], tool_choice: "auto" },
    input: { toolConfig: { tools: [{ toolSpec }], toolChoice: { auto: {} } } },
  },
  {
    name: "tool_choice required",
    request: { messages: [user("Hi")], tools: [weather], tool_choice: "required" },
    input: { toolConfig: { tools: [{ toolSpec }], toolChoice: { any: {} } } },
  },
  {
    name: "tool_choice of one",
    request: {
      messages: [user("Hi")],
      tools: [weather],
      tool_choice: { type: "function", function: { name: "get_weather" } },
    },
    input: { toolConfig: { tools: [{ toolSpec }], toolChoice: { tool: { name: "get_weather" } } } },
  },
  {
    name: "tool_choice none",
    request: { messages: [user("Hi")], tools: [weather], tool_choice: "none" },
    input: { messages: hi },
    absent: ["toolConfig", "additionalModelRequestFields"],
  },
  {
    name: "no parallel calls",
    model: BUDGET,
    request: {
      messages: [user("Hi")],
      tools: [weather],
      tool_choice: "required",
      parallel_tool_calls: false,
    },
    input: {
      toolConfig: { tools: [{ toolSpec }] },
      additionalModelRequestFields: { tool_choice: { type: "any", disable_parallel_tool_use: true } },
    },
  },
  {
    name: "a limit",
    request: { messages: [user("Hi")], max_tokens: 7 },
    input: { inferenceConfig: { maxTokens: 7 } },
  },
  {
    name: "the newer name of the limit first",
    request: { messages: [user("Hi")], max_tokens: 7, max_completion_tokens: 9 },
    input: { inferenceConfig: { maxTokens: 9 } },
  },
  {
    name: "no limit: ours",
    model: BUDGET,
    request: { messages: [user("Hi")] },
    input: { inferenceConfig: { maxTokens: 8192 } },
  },
  {
    name: "a limit beyond the model's, cut by the switch",
    request: { messages: [user("Hi")], max_tokens: 99_999 },
    dropParams: true,
    input: { inferenceConfig: { maxTokens: 8192 } },
    dropped: ["max_tokens"],
  },
  {
    name: "temperature, top_p, top_k, stop",
    request: more({ messages: [user("Hi")], temperature: 0.5, top_p: 0.9, top_k: 5, stop: ["END", "FIN"] }),
    input: {
      inferenceConfig: { maxTokens: 8192, temperature: 0.5, topP: 0.9, stopSequences: ["END", "FIN"] },
      additionalModelRequestFields: { top_k: 5 },
      additionalModelResponseFieldPaths: ["/stop_sequence"],
    },
  },
  {
    name: "one stop",
    request: { messages: [user("Hi")], stop: "END" },
    input: { inferenceConfig: { maxTokens: 8192, stopSequences: ["END"] } },
  },
  {
    name: "defaults, which ask for nothing, for a model that takes no sampling",
    model: ALWAYS,
    request: { messages: [user("Hi")], temperature: 1, top_p: 1 },
    input: { inferenceConfig: { maxTokens: 8192 } },
  },
  {
    name: "temperature and top_p for a model that takes one, by the switch",
    model: BUDGET,
    request: { messages: [user("Hi")], temperature: 0, top_p: 0.5 },
    dropParams: true,
    input: { inferenceConfig: { maxTokens: 8192, temperature: 0 } },
    dropped: ["top_p"],
  },
  {
    name: "thinking by budget, for which the limit makes room",
    model: BUDGET,
    request: { messages: [user("Hi")], reasoning_effort: "high" },
    input: {
      inferenceConfig: { maxTokens: 12_288 },
      additionalModelRequestFields: { thinking: { type: "enabled", budget_tokens: 4096 } },
    },
  },
  {
    name: "a budget that stays within the caller's limit",
    model: BUDGET,
    request: { messages: [user("Hi")], reasoning_effort: "high", max_completion_tokens: 2000 },
    input: {
      inferenceConfig: { maxTokens: 2000 },
      additionalModelRequestFields: { thinking: { type: "enabled", budget_tokens: 1600 } },
    },
  },
  {
    name: "no thinking on in a loop whose thoughts were lost",
    model: BUDGET,
    request: { messages: loop("call_1"), tools: [weather], reasoning_effort: "low" },
    input: { inferenceConfig: { maxTokens: 8192 } },
    absent: ["additionalModelRequestFields"],
    dropped: ["reasoning_effort"],
  },
  {
    name: "thinking by effort",
    model: ADAPTIVE,
    request: { messages: [user("Hi")], reasoning_effort: "low" },
    input: {
      outputConfig: { effort: "low" },
      additionalModelRequestFields: { thinking: { type: "adaptive" } },
    },
  },
  {
    name: "thinking by effort, shown, of the models that hide it",
    model: ALWAYS,
    request: { messages: [user("Hi")], reasoning_effort: "minimal" },
    input: {
      outputConfig: { effort: "low" },
      additionalModelRequestFields: { thinking: { type: "adaptive", display: "summarized" } },
    },
  },
  {
    name: "no thinking",
    model: ADAPTIVE,
    request: { messages: [user("Hi")], reasoning_effort: "none" },
    input: { additionalModelRequestFields: { thinking: { type: "disabled" } } },
  },
  {
    name: "LiteLLM's thinking",
    model: BUDGET,
    request: more({ messages: [user("Hi")], thinking: { type: "enabled", budget_tokens: 1500 } }),
    input: {
      inferenceConfig: { maxTokens: 9692 },
      additionalModelRequestFields: { thinking: { type: "enabled", budget_tokens: 1500 } },
    },
  },
  {
    name: "JSON of a schema by a tool",
    request: { messages: [user("Hi")], ...jsonSchema(closed) },
    input: {
      toolConfig: {
        tools: [
          {
            toolSpec: {
              name: "thing",
              description: "Give the answer in this form.",
              inputSchema: { json: closed },
            },
          },
        ],
        toolChoice: { tool: { name: "thing" } },
      },
    },
  },
  {
    name: "JSON of a schema beside tools",
    request: { messages: [user("Hi")], tools: [weather], ...jsonSchema(closed) },
    input: {
      toolConfig: {
        tools: [
          { toolSpec },
          {
            toolSpec: {
              name: "thing",
              description: "Give the answer in this form.",
              inputSchema: { json: closed },
            },
          },
        ],
        toolChoice: { any: {} },
      },
    },
  },
  {
    name: "JSON of a schema by Bedrock itself",
    model: BUDGET,
    request: { messages: [user("Hi")], ...jsonSchema(closed) },
    input: {
      outputConfig: {
        textFormat: {
          type: "json_schema",
          structure: { jsonSchema: { name: "thing", schema: JSON.stringify(closed) } },
        },
      },
    },
    absent: ["toolConfig"],
  },
  {
    name: "JSON of an open schema, which Bedrock itself does not take",
    model: BUDGET,
    request: { messages: [user("Hi")], ...jsonSchema({ type: "object" }) },
    input: {
      toolConfig: {
        tools: [
          {
            toolSpec: {
              name: "thing",
              description: "Give the answer in this form.",
              inputSchema: { json: { type: "object" } },
            },
          },
        ],
        toolChoice: { tool: { name: "thing" } },
      },
    },
  },
  {
    name: "JSON of an open schema from a model that cannot be made to call",
    model: ALWAYS,
    request: { messages: [user("Hi")], ...jsonSchema({ type: "object" }) },
    input: {
      system: [
        {
          text: 'Answer with JSON of this schema and nothing else: no prose, no code fence.\n{"type":"object"}',
        },
      ],
    },
    absent: ["toolConfig"],
  },
  {
    name: "JSON without a schema",
    request: { messages: [user("Hi")], response_format: { type: "json_object" } },
    input: {
      system: [{ text: "Answer with one JSON object and nothing else: no prose, no code fence." }],
    },
  },
  {
    name: "cache marks",
    model: BUDGET,
    request: more({
      messages: [
        { role: "system", content: [{ type: "text", text: "A", cache_control: { type: "ephemeral" } }] },
        { role: "user", content: "Hi", cache_control: { type: "ephemeral", ttl: "1h" } },
      ],
      tools: [{ ...weather, cache_control: { type: "ephemeral" } }],
    }),
    input: {
      system: [{ text: "A" }, { cachePoint: { type: "default" } }],
      messages: [{ role: "user", content: [{ text: "Hi" }, { cachePoint: { type: "default", ttl: "1h" } }] }],
      toolConfig: { tools: [{ toolSpec }, { cachePoint: { type: "default" } }] },
    },
  },
  {
    name: "cache marks for a model without a cache",
    model: "claude-3-opus",
    request: more({
      messages: [
        { role: "user", content: [{ type: "text", text: "Hi", cache_control: { type: "ephemeral" } }] },
      ],
    }),
    input: { messages: hi },
  },
  {
    name: "metadata that Bedrock takes, and a tier",
    request: {
      messages: [user("Hi")],
      metadata: { team: "search", note: "ünfit" },
      service_tier: "priority",
    },
    input: { requestMetadata: { team: "search" }, serviceTier: { type: "priority" } },
  },
  {
    name: "hints and harmless values of what Bedrock has not",
    request: {
      messages: [user("Hi")],
      n: 1,
      logprobs: false,
      frequency_penalty: 0,
      logit_bias: {},
      modalities: ["text"],
      store: false,
      user: "u",
      prompt_cache_key: "k",
      service_tier: "auto",
      verbosity: "medium",
      seed: null,
    },
    input: { messages: hi },
    absent: ["additionalModelRequestFields", "serviceTier"],
  },
  {
    name: "what Bedrock cannot honour, by the switch",
    request: { messages: [user("Hi")], n: 3, seed: 1, logprobs: true, top_logprobs: 2, presence_penalty: 1 },
    dropParams: true,
    input: { messages: hi },
    dropped: ["n", "seed", "logprobs", "top_logprobs", "presence_penalty"],
  },
] satisfies Case[];

function translate(model: string, request: object, dropParams = false) {
  const ability = gateway.models.find(model)?.ability as ChatAbility;
  return chatToConverse({ model, ...request }, { ability, dropParams });
}

describe("what Bedrock gets", () => {
  it.each(CASES as Case[])(
    "$name",
    async ({ model = PLAIN, request, input, absent = [], dropped, dropParams }) => {
      const translation = translate(model, request, dropParams);
      if (!translation.ok) throw new Error(translation.error.message);
      expect(plainBytes(translation.input)).toMatchObject(plainBytes(input));
      for (const name of absent) expect(translation.input).not.toHaveProperty(name);
      expect(translation.dropped).toEqual(dropped ?? []);
      expect(translation.maxOutputTokens).toBe(translation.input.inferenceConfig?.maxTokens);
      const target = gateway.models.find(model)?.target as BedrockTarget;
      const answer = await gateway.client.converse(target, translation.input);
      expect(answer.output?.message?.content?.length).toBeGreaterThan(0);
    },
  );
});

const image = (url: string) => [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }];

describe("what is refused, and where", () => {
  it.each<[name: string, param: string | null, request: object, model?: string]>([
    ["no messages", "messages", { messages: [] }],
    ["no message of the user's", "messages", { messages: [{ role: "system", content: "A" }] }],
    ["an assistant first", "messages", { messages: [{ role: "assistant", content: "A" }, user("Hi")] }],
    ["an empty message", "messages[0].content", { messages: [user(" ")] }],
    ["an unknown role", "messages[0].role", { messages: [{ role: "robot", content: "A" }] }],
    [
      "a part of no kind",
      "messages[0].content[0].type",
      { messages: [{ role: "user", content: [{ type: "x" }] }] },
    ],
    [
      "an image by address",
      "messages[0].content[0].image_url",
      { messages: image("https://10.0.0.1/a.png") },
    ],
    [
      "an image of another kind",
      "messages[0].content[0].image_url",
      { messages: image("data:image/tiff;base64,AAAA") },
    ],
    [
      "an image that is no base64",
      "messages[0].content[0].image_url",
      { messages: image("data:image/png;base64,%%%") },
    ],
    ["audio", "messages[0].content[0]", { messages: [{ role: "user", content: [{ type: "input_audio" }] }] }],
    [
      "arguments that are no JSON",
      "messages[1].tool_calls[0].function.arguments",
      { messages: [user("Hi"), { role: "assistant", tool_calls: [call("a", "{city:")] }] },
    ],
    ["a tool of another kind", "tools[0].type", { tools: [{ type: "web_search" }] }],
    [
      "a tool's bad name",
      "tools[0].function.name",
      { tools: [{ type: "function", function: { name: "a b" } }] },
    ],
    ["a choice without tools", "tool_choice", { tool_choice: "required" }],
    [
      "a choice that is no tool",
      "tool_choice",
      { tools: [weather], tool_choice: { type: "function", function: { name: "nope" } } },
    ],
    [
      "a choice that a model cannot be held to",
      "tool_choice",
      { tools: [weather], tool_choice: "required" },
      ALWAYS,
    ],
    [
      "a choice while thinking",
      "tool_choice",
      { tools: [weather], tool_choice: "required", reasoning_effort: "low" },
      BUDGET,
    ],
    ["too high a limit", "max_tokens", { max_tokens: 9_000 }],
    ["a limit of none", "max_tokens", { max_tokens: 0 }],
    ["a temperature above Claude's", "temperature", { temperature: 1.5 }],
    ["a temperature beyond all", "temperature", { temperature: 3 }],
    ["a temperature where there is none", "temperature", { temperature: 0.3 }, ALWAYS],
    ["temperature and top_p together", "top_p", { temperature: 0.3, top_p: 0.3 }, BUDGET],
    ["a temperature while thinking", "temperature", { temperature: 0.3, reasoning_effort: "low" }, BUDGET],
    ["thinking of a model that does not", "reasoning_effort", { reasoning_effort: "low" }],
    ["no thinking of a model that always does", "reasoning_effort", { reasoning_effort: "none" }, ALWAYS],
    ["thinking without room", "reasoning_effort", { reasoning_effort: "low", max_tokens: 500 }, BUDGET],
    ["a blank stop", "stop", { stop: "\n" }],
    ["n", "n", { n: 2 }],
    ["seed", "seed", { seed: 1 }],
    ["logprobs", "logprobs", { logprobs: true }],
    ["logit_bias", "logit_bias", { logit_bias: { 1: 2 } }],
    ["frequency_penalty", "frequency_penalty", { frequency_penalty: 0.1 }],
    ["presence_penalty", "presence_penalty", { presence_penalty: 0.1 }],
    ["audio answers", "modalities", { modalities: ["text", "audio"] }],
    ["prediction", "prediction", { prediction: { type: "content", content: "A" } }],
    ["web search", "web_search_options", { web_search_options: {} }],
    ["functions", "functions", { functions: [{ name: "a" }] }],
    ["store", "store", { store: true }],
    ["another tier", "service_tier", { service_tier: "scale" }],
    ["what nobody knows", "colour", { colour: "red" }],
  ])("%s", (_, param, request, model = PLAIN) => {
    const translation = translate(model, { messages: [user("Hi")], ...request });
    expect(translation).toMatchObject({
      ok: false,
      error: { status: 400, type: "invalid_request_error", param },
    });
  });
});
