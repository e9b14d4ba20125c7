/** Streams of server-sent events: at once to the client, whole in the audit, with a usage that not every client sees. */
import { createHash } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { HEADERS, ProxyBench } from "./testing/proxy-bench.ts";
import { type RawClient, request } from "./testing/raw-client.ts";

let bench: ProxyBench;
beforeAll(async () => {
  bench = await ProxyBench.start();
});
afterAll(() => bench.stop());
afterEach(() => {
  expect(bench.upstream.problems).toEqual([]);
  bench.upstream.reset();
});

const event = (value: unknown) => `data: ${typeof value === "string" ? value : JSON.stringify(value)}\n\n`;
const chat = (delta: unknown, more = {}) =>
  event({
    id: "c1",
    object: "chat.completion.chunk",
    model: "demo",
    choices: [{ index: 0, delta, ...more }],
  });
const USAGE = event({
  id: "c1",
  object: "chat.completion.chunk",
  model: "demo",
  choices: [],
  usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 },
});
const DONE = event("[DONE]");
const HELLO = [
  chat({ role: "assistant", content: "" }),
  chat({ content: "Hel" }),
  chat({ content: "lo" }),
  chat({}, { finish_reason: "stop" }),
];
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** Posts and reads all of it. */
async function stream(events: string[], body: object, path = "/v1/chat/completions") {
  bench.upstream.script = (call) => {
    call.beginChunked();
    for (const one of events) call.chunk(one);
    call.endChunked();
  };
  const id = bench.newId();
  const response = await bench.post(body, { path, headers: { "x-request-id": id } });
  const text = await response.text();
  return {
    text,
    record: await bench.record(id),
    call: await bench.upstream.call(bench.upstream.calls.length - 1),
  };
}

describe("on the way", () => {
  test("head and every event pass at once", async () => {
    bench.upstream.script = () => {};
    const client = await bench.connect();
    client.send(
      request({ headers: "content-type: application/json\r\n", body: '{"model":"m","stream":true}' }),
    );
    const call = await bench.upstream.call();
    // The upstream sends the next piece only when the client has the one before.
    call.beginChunked();
    await client.until((text) => text.includes("\r\n\r\n"));
    for (const one of HELLO) {
      call.chunk(one);
      await client.until((text) => text.includes(one));
    }
    call.chunk(DONE);
    call.endChunked();
    const answer = await client.answer();
    expect(answer.body).toBe([...HELLO, DONE].join(""));
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    client.destroy();
  });

  test("usage is asked for and hidden; the rest of the request is not touched", async () => {
    const body = '{ "model":"m", "stream":true, "seed":12345678901234567890, "a":1, "a":2, "s":"\\ud800" }';
    bench.upstream.script = (call) => {
      call.beginChunked();
      for (const one of [...HELLO, USAGE, DONE]) call.chunk(one);
      call.endChunked();
    };
    const id = bench.newId();
    const text = await (await bench.post(body, { headers: { "x-request-id": id } })).text();
    expect(text).toBe([...HELLO, DONE].join(""));
    const call = await bench.upstream.call();
    expect(call.body.toString()).toBe(`{"stream_options":{"include_usage":true},${body.slice(1)}`);
    const record = await bench.record(id);
    expect(record.usage).toEqual({
      promptTokens: 12,
      completionTokens: 3,
      totalTokens: 15,
      source: "provider",
    });
    // Size and hash are those of what the client was sent.
    expect(record.response).toMatchObject({
      bytes: text.length,
      sha256: sha256(text),
      chunks: 6,
      complete: true,
    });
    expect(record.request.bytes).toBe(body.length);
    expect(record.http.stream).toBe(true);
    expect(record.timeToFirstTokenMs).toBeGreaterThan(0);
    expect(record.latencyMs).toBeGreaterThanOrEqual(record.timeToFirstTokenMs ?? 0);
  });

  test("usage is not hidden from a client that asked", async () => {
    const body = { model: "m", stream: true, stream_options: { include_usage: true } };
    const { text, record, call } = await stream([...HELLO, USAGE, DONE], body);
    expect(text).toBe([...HELLO, USAGE, DONE].join(""));
    expect(call.json).toEqual(body);
    expect(record.usage.totalTokens).toBe(15);
  });

  test.each([
    ['{"stream":true,"stream_options":null}', '{"stream":true,"stream_options":{"include_usage":true}}'],
    ['{"stream":true,"stream_options":{}}', '{"stream":true,"stream_options":{"include_usage":true}}'],
    [
      '{"stream_options" : {"include_usage":false, "x":1e400} , "stream":true,"n":1.0}',
      '{"stream_options" : {"include_usage":true, "x":1e400} , "stream":true,"n":1.0}',
    ],
    [
      '{"stream":true,"a":{"stream_options":1}}',
      '{"stream_options":{"include_usage":true},"stream":true,"a":{"stream_options":1}}',
    ],
    ['{"stream":true,"stream_options":"no"}', '{"stream":true,"stream_options":"no"}'],
    ['{"stream":false}', '{"stream":false}'],
  ])("%s is asked as %s", async (sent, asked) => {
    await (await bench.post(sent)).text();
    expect((await bench.upstream.call()).body.toString()).toBe(asked);
  });

  test("a stream of another API is not touched", async () => {
    const { text, call } = await stream([USAGE, DONE], { stream: true, model: "m" }, "/v1/other");
    expect(call.json).toEqual({ stream: true, model: "m" });
    expect(text).toBe(USAGE + DONE);
  });

  test("the usage chunk is found wherever the network cuts it", async () => {
    const wire = [...HELLO, USAGE, DONE].join("");
    const wanted = [...HELLO, DONE].join("");
    // Here at some places over the socket; usage-filter.test.ts tries every one.
    const from = wire.indexOf(USAGE);
    for (const cut of [from, from + 1, from + 7, from + USAGE.length - 1, from + USAGE.length]) {
      bench.upstream.script = () => {};
      bench.upstream.calls.length = 0;
      const client = await bench.connect();
      client.send(
        request({ headers: "content-type: application/json\r\n", body: '{"model":"m","stream":true}' }),
      );
      const call = await bench.upstream.call();
      call.beginChunked();
      call.chunk(wire.slice(0, cut));
      await client.until((text) => text.includes(HELLO[3] as string));
      call.chunk(wire.slice(cut));
      call.endChunked();
      expect((await client.answer()).body).toBe(wanted);
      client.destroy();
    }
  });
});

describe("put together for the audit", () => {
  test("a chat with parallel tool calls", async () => {
    const call = (index: number, rest: object) => chat({ tool_calls: [{ index, ...rest }] });
    const { record } = await stream(
      [
        chat({ role: "assistant", content: null }),
        call(0, { id: "t0", type: "function", function: { name: "weather", arguments: "" } }),
        call(1, { id: "t1", type: "function", function: { name: "time", arguments: "" } }),
        call(0, { function: { arguments: '{"city":' } }),
        call(1, { function: { arguments: '{"zone":"UTC"}' } }),
        call(0, { function: { arguments: '"Graz"}' } }),
        chat({}, { finish_reason: "tool_calls" }),
        USAGE,
        DONE,
      ],
      { model: "m", stream: true },
    );
    expect(record.response.body).toEqual({
      id: "c1",
      object: "chat.completion",
      model: "demo",
      usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 },
      choices: [
        {
          index: 0,
          finish_reason: "tool_calls",
          message: {
            role: "assistant",
            tool_calls: [
              {
                index: 0,
                id: "t0",
                type: "function",
                function: { name: "weather", arguments: '{"city":"Graz"}' },
              },
              {
                index: 1,
                id: "t1",
                type: "function",
                function: { name: "time", arguments: '{"zone":"UTC"}' },
              },
            ],
          },
        },
      ],
    });
  });

  test("several choices of a text completion", async () => {
    const piece = (index: number, text: string, finish_reason: string | null = null) =>
      event({ id: "t", object: "text_completion", model: "demo", choices: [{ index, text, finish_reason }] });
    const { record } = await stream(
      [piece(1, "B"), piece(0, "A"), piece(0, "a", "stop"), piece(1, "b", "length"), DONE],
      { model: "m", stream: true },
      "/v1/completions",
    );
    expect(record.response.body).toMatchObject({
      object: "text_completion",
      choices: [
        { index: 0, text: "Aa", finish_reason: "stop" },
        { index: 1, text: "Bb", finish_reason: "length" },
      ],
    });
  });

  test("the responses API", async () => {
    const named = (value: { type: string }) => `event: ${value.type}\n${event(value)}`;
    const done = {
      id: "r1",
      object: "response",
      status: "completed",
      model: "demo",
      output: [],
      usage: { input_tokens: 7, output_tokens: 8, total_tokens: 15 },
    };
    const { record, text } = await stream(
      [
        named({ type: "response.created", response: { id: "r1", status: "in_progress" } } as {
          type: string;
        }),
        named({ type: "response.output_text.delta", delta: "Hi" } as { type: string }),
        named({ type: "response.completed", response: done } as { type: string }),
      ],
      { model: "m", stream: true },
      "/v1/responses",
    );
    expect(text).toContain("response.created");
    expect(record.response.body).toEqual(done);
    expect(record.usage).toEqual({
      promptTokens: 7,
      completionTokens: 8,
      totalTokens: 15,
      source: "provider",
    });
  });

  test("an error in the middle, and a stream that the upstream cuts off", async () => {
    const { record } = await stream([HELLO[1] as string, event({ error: { message: "out of memory" } })], {
      model: "m",
      stream: true,
    });
    expect(record.response.body).toMatchObject({
      choices: [{ message: { content: "Hel" } }],
      error: { message: "out of memory" },
    });
    // Cut in the middle of an event: what was sent is what is hashed.
    bench.upstream.script = (call) => {
      call.beginChunked();
      call.chunk(`${HELLO[1]}data: {"half`);
      setTimeout(() => call.socket.destroy(), 20);
    };
    const id = bench.newId();
    const response = await bench.post({ model: "m", stream: true }, { headers: { "x-request-id": id } });
    await expect(response.text()).rejects.toThrow();
    const cut = await bench.record(id);
    expect(cut).toMatchObject({
      statusCode: 200,
      outcome: "upstream_error",
      error: { type: "upstream_error" },
    });
    expect(cut.response).toMatchObject({
      complete: false,
      bytes: HELLO[1]?.length,
      sha256: sha256(HELLO[1] as string),
    });
    expect(cut.response.body).toMatchObject({ choices: [{ message: { content: "Hel" } }] });
  });

  test("a stream longer than is kept: true size and hash, without the hidden chunk", async () => {
    const small = await bench.startProxy({
      AUDIT_MAX_BODY_BYTES: "1000",
      SPOOL_DIR: `${bench.settings.SPOOL_DIR}4`,
    });
    const events = Array.from({ length: 30 }, (_, index) => chat({ content: `word${index} ` }));
    bench.upstream.script = (call) => {
      call.beginChunked();
      for (const one of [...events, USAGE, DONE]) call.chunk(one);
      call.endChunked();
    };
    const id = bench.newId();
    const response = await fetch(`http://127.0.0.1:${small}/v1/chat/completions`, {
      method: "POST",
      headers: { ...HEADERS, "x-request-id": id },
      body: '{"stream":true}',
    });
    const text = await response.text();
    expect(text).toBe([...events, DONE].join(""));
    const record = await bench.record(id);
    expect(record.response).toMatchObject({
      truncated: true,
      bytes: text.length,
      sha256: sha256(text),
      complete: true,
    });
  });
});

describe("a client that goes away", () => {
  const gone = async (client: RawClient, id: string) => {
    const call = await bench.upstream.call();
    const before = performance.now();
    client.destroy();
    await call.closed();
    // Not by a time-out: those are minutes.
    expect(performance.now() - before).toBeLessThan(20_000);
    return bench.record(id);
  };

  test("before the answer: the upstream hears of it at once", async () => {
    bench.upstream.script = () => {};
    const id = bench.newId();
    const client = await bench.connect();
    client.send(request({ headers: `x-request-id: ${id}\r\n`, body: "{}" }));
    await bench.upstream.call();
    expect(await gone(client, id)).toMatchObject({
      statusCode: 499,
      outcome: "client_aborted",
      error: { type: "client_aborted" },
      request: { body: {} },
      response: { body: null, bytes: 0, complete: false },
    });
  });

  test("in mid-stream: the upstream hears of it at once, and the audit has what was sent", async () => {
    bench.upstream.script = (call) => {
      call.beginChunked();
      call.chunk(HELLO[0] as string);
      call.chunk(HELLO[1] as string);
    };
    const id = bench.newId();
    const client = await bench.connect();
    client.send(request({ headers: `x-request-id: ${id}\r\n`, body: '{"stream":true}' }));
    await client.until((text) => text.includes("Hel"));
    expect(await gone(client, id)).toMatchObject({
      statusCode: 200,
      outcome: "client_aborted",
      response: { complete: false, body: { choices: [{ message: { content: "Hel" } }] } },
    });
  });
});
