import { expect, test } from "vitest";
import { PiiAnswerStream } from "./pii-answer-stream.ts";
import { DEFAULT_POLICY, type PiiPolicy, tighten } from "./pii-policy.ts";
import { PiiStream } from "./pii-stream.ts";

type Json = Record<string, unknown>;
const CARD = "4111 1111 1111 1111";
const MASK: PiiPolicy = { ...DEFAULT_POLICY, CREDIT_CARD: "mask", IBAN: "mask", EMAIL: "mask" };

function cutsOf(text: string): [string, string][] {
  return Array.from({ length: text.length + 1 }, (_, cut) => [text.slice(0, cut), text.slice(cut)]);
}

function run(events: Json[], policy: PiiPolicy) {
  const stream = new PiiAnswerStream(policy);
  const sent: Json[] = [];
  for (const event of events) {
    const outcome = stream.push(event);
    sent.push(...outcome.events);
    if (outcome.outcome === "stop") return { sent, error: outcome.error, findings: stream.findings };
  }
  const end = stream.end();
  sent.push(...end.events);
  return { sent, error: end.outcome === "stop" ? end.error : null, findings: stream.findings };
}

const chunk = (index: number, delta: Json, finish: string | null = null) => ({
  id: "c",
  object: "chat.completion.chunk",
  choices: [{ index, delta, finish_reason: finish }],
});

/** What a client of OpenAI's puts together: by choice the content and by tool call the arguments. */
function assembled(events: Json[]): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const { index, delta } of events.flatMap(
    (event) => event.choices as { index: number; delta: Json }[],
  )) {
    if (typeof delta.content === "string") texts[index] = (texts[index] ?? "") + delta.content;
    for (const call of (delta.tool_calls as { index: number; function: { arguments: string } }[]) ?? []) {
      const name = `${index}/${call.index}`;
      texts[name] = (texts[name] ?? "") + call.function.arguments;
    }
  }
  return texts;
}

test("two choices and two tool calls that take turns: each text is masked at every cut", () => {
  const args = (index: number, text: string) => ({ tool_calls: [{ index, function: { arguments: text } }] });
  for (const [before, after] of cutsOf(CARD)) {
    const { sent, error, findings } = run(
      [
        chunk(0, { role: "assistant", content: `pay ${before}` }),
        chunk(1, { content: `mail jane@` }),
        chunk(0, { content: after }),
        chunk(1, args(0, '{"iban":"DE8937040044')),
        chunk(1, args(1, `{"card":"${before}`)),
        chunk(1, { content: "example.com" }),
        chunk(1, args(0, '0532013000"}')),
        chunk(1, args(1, `${after}"}`)),
        chunk(0, {}, "stop"),
        chunk(1, {}, "tool_calls"),
      ],
      MASK,
    );
    expect(error).toBeNull();
    expect(assembled(sent)).toEqual({
      "0": "pay [CREDIT_CARD]",
      "1": "mail [EMAIL]",
      "1/0": '{"iban":"[IBAN]"}',
      "1/1": '{"card":"[CREDIT_CARD]"}',
    });
    expect(findings).toEqual([
      { entity: "EMAIL", count: 1, action: "mask" },
      { entity: "CREDIT_CARD", count: 2, action: "mask" },
      { entity: "IBAN", count: 1, action: "mask" },
    ]);
    // What was held goes out no later than with the event that ends its choice.
    expect(sent).toHaveLength(10);
  }
});

test("block: the stream stops with an error that names the kind, and no digit of the value is sent", () => {
  for (const [before, after] of cutsOf(CARD)) {
    const { sent, error, findings } = run(
      [chunk(0, { content: `It is ${before}` }), chunk(0, { content: `${after} ok` }), chunk(0, {}, "stop")],
      DEFAULT_POLICY,
    );
    expect(error).toMatchObject({ status: 400, code: "pii_blocked" });
    expect(error?.message).toContain("CREDIT_CARD (1)");
    expect(JSON.stringify([error, findings])).not.toMatch(/4111|1111/);
    expect(Object.values(assembled(sent)).join("")).not.toMatch(/\d/);
  }
});

test("a stream that ends without its last chunk still gives what was held", () => {
  const { sent } = run([chunk(0, { content: "the number 41" })], DEFAULT_POLICY);
  expect(assembled(sent)).toEqual({ "0": "the number 41" });
  expect(sent.at(-1)).toMatchObject({ id: "c", choices: [{ index: 0, finish_reason: null }] });
});

test("text completions, and log probabilities that would spell the text out", () => {
  const piece = (text: string, finish: string | null = null) => ({
    object: "text_completion",
    choices: [{ index: 0, text, logprobs: { tokens: [text] }, finish_reason: finish }],
  });
  const { sent } = run([piece("I am jane@exam"), piece("ple.com", "stop")], MASK);
  const choices = sent.flatMap((event) => event.choices as { text: string }[]);
  expect(choices.map(({ text }) => text).join("")).toBe("I am [EMAIL]");
  expect(JSON.stringify(sent)).not.toContain("exam");
});

test("Anthropic's events: text, tool input and thinking, at every cut", () => {
  const delta = (index: number, type: string, member: string, text: string) => ({
    type: "content_block_delta",
    index,
    delta: { type, [member]: text },
  });
  for (const [before, after] of cutsOf(CARD)) {
    const { sent } = run(
      [
        { type: "message_start", message: { id: "m", role: "assistant", content: [] } },
        { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "" } },
        delta(0, "thinking_delta", "thinking", `card ${before}`),
        delta(0, "thinking_delta", "thinking", after),
        {
          type: "content_block_delta",
          index: 0,
          delta: { type: "signature_delta", signature: "4111111111111111" },
        },
        { type: "content_block_stop", index: 0 },
        {
          type: "content_block_start",
          index: 1,
          content_block: { type: "tool_use", id: "t", name: "f", input: {} },
        },
        delta(1, "input_json_delta", "partial_json", `{"c":"${before}`),
        delta(1, "input_json_delta", "partial_json", `${after}"}`),
        { type: "content_block_stop", index: 1 },
        { type: "content_block_start", index: 2, content_block: { type: "text", text: "" } },
        delta(2, "text_delta", "text", `ends with ${before}`),
        delta(2, "text_delta", "text", after),
        { type: "content_block_stop", index: 2 },
        { type: "message_stop" },
      ],
      MASK,
    );
    const texts = ["", "", ""];
    let stopped = -1;
    for (const event of sent) {
      if (event.type === "content_block_stop") stopped = event.index as number;
      if (event.type !== "content_block_delta") continue;
      const { text, partial_json, thinking } = event.delta as Record<string, string>;
      const index = event.index as number;
      expect(index, "no delta after its block's end").toBeGreaterThan(stopped);
      texts[index] += text ?? partial_json ?? thinking ?? "";
    }
    expect(texts).toEqual(["card [CREDIT_CARD]", '{"c":"[CREDIT_CARD]"}', "ends with [CREDIT_CARD]"]);
    expect(JSON.stringify(sent)).toContain('"signature":"4111111111111111"');
  }
});

test("fails closed: an error within the filter ends the stream, and later calls say the same", () => {
  const policy = new Proxy(tighten(DEFAULT_POLICY), {
    get() {
      throw new TypeError("policy store went away with 4111 1111 1111 1111");
    },
  });
  const stream = new PiiStream(policy);
  const first = stream.push("a", `card ${CARD} `);
  expect(first).toMatchObject({ outcome: "failed", text: "", cause: "TypeError", error: { status: 503 } });
  expect(stream.push("b", "harmless")).toEqual(first);
  expect(stream.end("b")).toEqual(first);
  expect(JSON.stringify(first)).not.toContain("4111");
  const events = new PiiAnswerStream(policy).push(chunk(0, { content: CARD }));
  expect(events).toMatchObject({ outcome: "stop", events: [], error: { code: "pii_filter_unavailable" } });
});
