/** What the tests find in the trail: a day's calls of some teams, yesterday's, and records that wish the reader ill. */
import type { AuditRecord } from "@central-llm/core/audit-record";
import { sample } from "@central-llm/core/audit-record-sample";
import { HOSTILE } from "./hostile.ts";

const MINUTE = 60_000;
export const NOW = Date.now();
const iso = (time: number) => new Date(time).toISOString();

export const PROJECTS = ["knowledge-search", "support-bot", "contract-analysis"] as const;
export const USERS = ["jane.doe@example.com", "m.okafor@example.com", "svc-nightly"] as const;
export const MODELS = ["gpt-4o-mini", "ministral-8b-instruct", "gpt-4o"] as const;

/** Every third is a stream; the rarer kinds of ends and marks come at fixed places. */
function call(i: number): AuditRecord {
  const stream = i % 3 === 0;
  const latencyMs = 240 + ((i * 7919) % 4_000);
  // Fourteen minutes of five calls, over most of a day.
  const receivedAt = iso(NOW - 6 * MINUTE - Math.floor(i / 5) * 97 * MINUTE - (i % 5) * 3_000);
  const userId = USERS[i % 3] ?? "";
  const model = MODELS[(i * 5 + Math.floor(i / 3)) % 3] ?? "";
  const usual = sample();
  return sample({
    receivedAt,
    completedAt: iso(Date.parse(receivedAt) + latencyMs),
    projectId: PROJECTS[(i * 2 + Math.floor(i / 7)) % 3] ?? "",
    userId,
    latencyMs,
    timeToFirstTokenMs: stream ? 90 + (i % 40) : null,
    http: { ...usual.http, stream },
    model: { requested: model, served: model, provider: "vllm" },
    usage: {
      promptTokens: 200 + i * 31,
      completionTokens: 20 + ((i * 37) % 600),
      totalTokens: 0,
      source: "provider",
    },
    cost: { usd: 0.0004 * (1 + (i % 23)), priceTable: "2026-11" },
    identity: { ...usual.identity, assertedUser: userId, matches: true },
    ...KINDS.find(({ at }) => at === i)?.changes,
  });
}

/** One of each kind that the filters tell apart. */
export const KINDS: { at: number; changes: Partial<AuditRecord> }[] = [
  {
    at: 3,
    changes: {
      statusCode: 429,
      outcome: "rate_limited",
      error: { type: "rate_limit", message: "60 a minute" },
    },
  },
  {
    at: 6,
    changes: { statusCode: 502, outcome: "upstream_error", error: { type: "upstream", message: "refused" } },
  },
  {
    at: 9,
    changes: {
      statusCode: 499,
      outcome: "client_aborted",
      response: { ...sample().response, complete: false },
    },
  },
  { at: 11, changes: { statusCode: 400, outcome: "client_error", requestType: "embeddings" } },
  { at: 13, changes: { outcome: "interrupted", statusCode: 499 } },
  {
    at: 14,
    changes: {
      statusCode: 400,
      outcome: "blocked",
      profile: "gateway",
      policy: { hash: "ab".repeat(32), pii: [{ entity: "IBAN", count: 2, action: "block" }] },
    },
  },
  { at: 17, changes: { identity: { ...sample().identity, assertedUser: "somebody.else", matches: false } } },
  { at: 19, changes: { latencyMs: 61_000 } },
];

/** `gpt` calls of yesterday in one project, the slowest three among many others'. */
export const YESTERDAY = "contract-analysis";
export const SLOWEST = [
  { userId: "li.wei@example.com", latencyMs: 58_210 },
  { userId: "jane.doe@example.com", latencyMs: 44_120 },
  { userId: "svc-nightly", latencyMs: 31_075 },
];

function yesterday(): AuditRecord[] {
  const midnight = new Date(NOW);
  midnight.setUTCHours(0, 0, 0, 0);
  const noon = midnight.getTime() - 12 * 60 * MINUTE;
  const at = (i: number) => ({
    receivedAt: iso(noon + i * MINUTE),
    completedAt: iso(noon + (i + 2) * MINUTE),
  });
  const gpt = { requested: "gpt-4o", served: "gpt-4o", provider: "litellm" };
  const other = { requested: "ministral-8b-instruct", served: "ministral-8b-instruct", provider: "vllm" };
  return [
    ...SLOWEST.map((slow, i) => sample({ ...at(i), ...slow, projectId: YESTERDAY, model: gpt })),
    ...[5_200, 1_900, 800].map((latencyMs, i) =>
      sample({ ...at(10 + i), latencyMs, projectId: YESTERDAY, model: gpt, userId: "m.okafor@example.com" }),
    ),
    // Slower, but another model's and another project's.
    sample({ ...at(20), latencyMs: 90_000, projectId: YESTERDAY, model: other }),
    sample({ ...at(21), latencyMs: 95_000, projectId: "support-bot", model: gpt }),
  ];
}

export const CONVERSATION_ID = "conversation-with-tools";
/** A conversation with everything that a reader must tell apart. */
export const conversation = (): AuditRecord =>
  sample({
    requestId: CONVERSATION_ID,
    receivedAt: iso(NOW - 4 * MINUTE),
    projectId: "knowledge-search",
    userId: "jane.doe@example.com",
    queueTimeMs: 18,
    timeToFirstTokenMs: 210,
    latencyMs: 1_830,
    request: {
      headers: { "content-type": "application/json", "x-llm-source": "knowledge-search" },
      bytes: 2_912,
      body: {
        model: "gpt-4o",
        messages: [
          { role: "system", content: "You answer questions about our contracts. Quote the clause." },
          {
            role: "user",
            content: [
              { type: "text", text: "How long is the notice period? This is the page." },
              { type: "image_url", image_url: { url: `data:image/png;base64,${"iVBOR".repeat(240)}` } },
            ],
          },
          {
            role: "assistant",
            content: null,
            tool_calls: [
              {
                id: "call_1",
                type: "function",
                function: { name: "find_clause", arguments: '{"about":"notice"}' },
              },
            ],
          },
          {
            role: "tool",
            tool_call_id: "call_1",
            content: "7.2 Either party may end this contract with 30 days' notice.",
          },
        ],
        tools: [{ type: "function", function: { name: "find_clause", parameters: {} } }],
      },
    },
    response: {
      headers: { "content-type": "application/json" },
      bytes: 640,
      chunks: 31,
      complete: true,
      body: {
        choices: [
          {
            index: 0,
            finish_reason: "stop",
            message: {
              role: "assistant",
              content: "The notice period is **30 days** (clause 7.2).\n\n- Either party may give it.",
            },
          },
        ],
      },
    },
  });

export const HOSTILE_PROJECT = "hostile";
/** One holds all of them in its conversation; each has one as its user's name, model, type and headers. */
const hostile = () =>
  HOSTILE.map((text, i) =>
    sample({
      requestId: `hostile-${String(i).padStart(2, "0")}`,
      // Not among the last day's, which the screenshots show.
      receivedAt: iso(NOW - 3 * 24 * 60 * MINUTE - i * 1_000),
      projectId: HOSTILE_PROJECT,
      // As an earlier writer left it.
      queueTimeMs: undefined,
      userId: text,
      requestType: text,
      model: { requested: text, served: text, provider: "vllm" },
      http: { ...sample().http, userAgent: text, path: `/v1/chat/completions?${text}` },
      identity: { ...sample().identity, keyAlias: text, assertedUser: text },
      error: { type: "hostile", message: text },
      request: {
        headers: { "user-agent": text, "x-llm-user": text },
        bytes: 100,
        body: {
          model: text,
          messages: (i === 0 ? HOSTILE : [text]).map((text) => ({ role: text, name: text, content: text })),
          tools: [{ function: { name: text } }],
        },
      },
      response: {
        headers: {},
        bytes: 100,
        chunks: 0,
        complete: true,
        body: { choices: [{ message: { role: "assistant", content: text }, finish_reason: text }] },
      },
    }),
  );

/** Stored broken at first: a dead letter, until this takes its place and it is replayed. */
export const repaired = (): AuditRecord =>
  sample({ requestId: "repaired-later", projectId: "repairs", receivedAt: iso(NOW - MINUTE) });
export const BROKEN = '{"requestId": "repaired-later", ';

export const TODAY = 70;
export const records = (): AuditRecord[] => [
  ...Array.from({ length: TODAY }, (_, i) => call(i)),
  conversation(),
  ...yesterday(),
  ...hostile(),
];
