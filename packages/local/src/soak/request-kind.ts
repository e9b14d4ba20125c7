/** The soak's mix of requests: what callers send, and what a healthy platform makes of it. */
import type { SeededRandom } from "./seeded-random.ts";

/** Larger bodies are refused with 413. */
export const MAX_BODY_BYTES = 3 * 1024 * 1024;

export interface PlannedRequest {
  kind: string;
  path: string;
  headers: Record<string, string>;
  body: string;
  /** `whole`: with one of `statuses`; `cut`: the upstream breaks off; `abort`: we leave. */
  ending: "whole" | "cut" | "abort";
  statuses: readonly number[];
  /** Of the answer: it must end with `[DONE]`. */
  stream: boolean;
  /** When we leave: milliseconds after sending, or after the first byte of the answer. */
  abort?: { afterMs: number } | "first-byte";
}

type Draft = Partial<Omit<PlannedRequest, "body">> & { body: object | string };

interface Kind {
  name: string;
  /** In a thousand requests. */
  weight: number;
  draft(random: SeededRandom, text: string): Draft;
}

const chat = (model: string, text: string, more: object = {}) => ({
  model,
  messages: [{ role: "user", content: text }],
  ...more,
});
const status = (code: number) => (_: SeededRandom, text: string) => ({
  body: chat(`demo-status-${code}`, text),
  statuses: [code],
});
const streamed = (model: string) => (_: SeededRandom, text: string) => ({
  body: chat(model, text, { stream: true }),
  stream: true,
});

const KINDS: Kind[] = [
  { name: "chat", weight: 440, draft: (_, text) => ({ body: chat("demo", text) }) },
  {
    name: "slow chat",
    weight: 50,
    draft: (random, text) => ({ body: chat(`demo-delay-${Math.round(random.between(50, 900))}`, text) }),
  },
  { name: "stream", weight: 230, draft: streamed("demo") },
  { name: "slow stream", weight: 60, draft: streamed("demo-chunk-60") },
  {
    name: "stream with usage",
    weight: 20,
    draft: (_, text) => ({
      body: chat("demo", text, { stream: true, stream_options: { include_usage: true } }),
      stream: true,
    }),
  },
  {
    name: "embedding",
    weight: 30,
    draft: (_, text) => ({ path: "/v1/embeddings", body: { model: "demo", input: text } }),
  },
  {
    name: "large request",
    weight: 5,
    draft: (random, text) => ({ body: chat("demo", text + "x".repeat(random.between(1e5, 2e6))) }),
  },
  { name: "large answer", weight: 5, draft: (_, text) => ({ body: chat("demo-words-20000", text) }) },
  {
    name: "too large",
    weight: 2,
    draft: (_, text) => ({ body: chat("demo", text + "x".repeat(MAX_BODY_BYTES)), statuses: [413] }),
  },
  {
    name: "no user header",
    weight: 20,
    draft: (_, text) => ({ body: chat("demo", text), statuses: [400], headers: { "x-llm-user": "" } }),
  },
  { name: "not JSON", weight: 10, draft: (_, text) => ({ body: `{"model": ${text}`, statuses: [400] }) },
  { name: "upstream 429", weight: 15, draft: status(429) },
  { name: "upstream 500", weight: 10, draft: status(500) },
  { name: "upstream 503", weight: 10, draft: status(503) },
  { name: "unknown model", weight: 10, draft: (_, text) => ({ body: chat("gpt-x", text), statuses: [404] }) },
  {
    name: "cut stream",
    weight: 10,
    draft: (_, text) => ({ body: chat("demo-cut-5", text, { stream: true }), ending: "cut" }),
  },
  { name: "cut answer", weight: 8, draft: (_, text) => ({ body: chat("demo-cut-1", text), ending: "cut" }) },
  {
    name: "hung upstream",
    weight: 5,
    draft: (_, text) => ({ body: chat("demo-hang-head", text), statuses: [504] }),
  },
  {
    name: "left in a stream",
    weight: 30,
    draft: (_, text) => ({
      body: chat("demo-chunk-60", text, { stream: true }),
      ending: "abort",
      abort: "first-byte",
    }),
  },
  {
    name: "left before the answer",
    weight: 30,
    draft: (random, text) => ({
      body: chat("demo-delay-1500", text),
      ending: "abort",
      abort: { afterMs: random.between(1, 900) },
    }),
  },
];

const TOTAL = KINDS.reduce((sum, { weight }) => sum + weight, 0);
const PROJECTS = ["search", "support", "billing", "research"];

function drawn(random: SeededRandom): Kind {
  let left = random.next() * TOTAL;
  for (const kind of KINDS) {
    left -= kind.weight;
    if (left < 0) return kind;
  }
  return KINDS[0] as Kind;
}

/** @param number names the request in its `user-agent`, which the audit keeps whatever becomes of it */
export function planRequest(random: SeededRandom, number: number): PlannedRequest {
  const kind = drawn(random);
  const { body, headers = {}, ...rest } = kind.draft(random, `Question ${number} about ${kind.name}`);
  const all: Record<string, string> = {
    "content-type": "application/json",
    "user-agent": `soak/${number}`,
    "x-llm-source": random.pick(PROJECTS),
    "x-llm-user": `user-${Math.floor(random.next() * 50)}`,
    "x-llm-request-type": rest.path === undefined ? "chat" : "embedding",
    ...(random.chance(0.5) && { "x-request-id": ownId(random, number) }),
    ...headers,
  };
  return {
    kind: kind.name,
    path: "/v1/chat/completions",
    ending: "whole",
    statuses: [200],
    stream: false,
    ...rest,
    headers: Object.fromEntries(Object.entries(all).filter(([, value]) => value !== "")),
    body: typeof body === "string" ? body : JSON.stringify(body),
  };
}

/** One in twenty is an id that was used before, one in forty no name for an object. */
function ownId(random: SeededRandom, number: number): string {
  if (random.chance(0.05)) return `own-${Math.floor(random.next() * number)}`;
  return random.chance(0.025) ? `no/name/${number}` : `own-${number}`;
}

/** The request's number in an audited `user-agent`; null when it is none of the soak's. */
export function numberOf(userAgent: string | null): number | null {
  const match = /^soak\/(\d+)$/.exec(userAgent ?? "");
  return match ? Number(match[1]) : null;
}
