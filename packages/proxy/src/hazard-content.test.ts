/** Content that breaks parsers, stores and readers. It passes as it was sent or is refused; the audit takes it either way. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { Capture } from "./capture.ts";
import { UsageFilter } from "./stream-usage.ts";
import { eventually, ProxyBench } from "./testing/proxy-bench.ts";
import { request } from "./testing/raw-client.ts";

let bench: ProxyBench;
beforeAll(async () => {
  bench = await ProxyBench.start();
});
afterAll(() => bench.stop());
afterEach(() => {
  vi.restoreAllMocks();
  bench.upstream.reset();
});

const DEPTH = 100_000;
const DEEP = "[".repeat(DEPTH) + "]".repeat(DEPTH);

async function send(body: string | Buffer, type = "application/json") {
  const id = bench.newId();
  const client = await bench.connect();
  const bytes = Buffer.from(body as string);
  client.send(
    request({ headers: `x-request-id: ${id}\r\ncontent-type: ${type}\r\n`, body: bytes.toString("latin1") }),
  );
  const answer = await client.answer();
  client.destroy();
  const stored = await bench.stored(id);
  return { answer, record: stored.record, raw: await bench.trail.text(stored.key), bytes };
}

describe("JSON that passes byte by byte", () => {
  test.each<[string, string]>([
    ["duplicate keys", '{"a":1,"a":2,"model":"x","model":"y"}'],
    ["huge numbers", '{"n":123456789012345678901234567890,"e":1e999,"m":-0.0,"p":1.00000000000000000001}'],
    ["lone surrogates", '{"s":"\\ud800","t":"\\udc00\\ud800"}'],
    ["escaped nulls", '{"s":"a\\u0000b"}'],
    [
      "__proto__ and constructor",
      '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
    ],
    ["odd white space", '\r\n\t {\n"a" :\t[ 1 , 2 ] }\r\n '],
    ["a number", "12"],
    ["separators of lines in JavaScript", '{"s":"\u2028\u2029"}'],
    ["bidi and zero-width characters", '{"s":"\u202e\u200b\ufeff"}'],
    ["4,000 members", `{${Array.from({ length: 4000 }, (_, index) => `"k${index}":${index}`).join(",")}}`],
  ])("%s", async (_name, body) => {
    bench.upstream.script = (call) => call.answer(200, { "content-type": "application/json" }, call.body);
    const { answer, raw, record, bytes } = await send(body);
    expect(answer.status).toBe(200);
    expect((await bench.upstream.call()).body).toEqual(bytes);
    expect(Buffer.from(answer.body, "latin1")).toEqual(bytes);
    expect(raw.split(`"body":${body}`).length).toBe(3);
    expect(record.request).toMatchObject({ encoding: "json", bytes: bytes.length });
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test("100,000 levels deep: passes; kept as text, for many readers give up on it", async () => {
    bench.upstream.script = (call) => call.answer(200, { "content-type": "application/json" }, call.body);
    const { answer, record } = await send(DEEP);
    expect(answer.body).toBe(DEEP);
    for (const side of [record.request, record.response])
      expect(side).toMatchObject({ encoding: "text", body: DEEP });
  });

  test("deep JSON behind a repeated key, and brackets in strings", async () => {
    bench.upstream.script = (call) => call.answer(200, { "content-type": "application/json" }, call.body);
    const hidden = `{"a":${"[".repeat(600)}${"]".repeat(600)},"a":1}`;
    expect((await send(hidden)).record.request).toMatchObject({ encoding: "text", body: hidden });
    const harmless = JSON.stringify({ a: '[{\\"['.repeat(600), b: "\\", c: "{" });
    expect((await send(harmless)).record.request).toMatchObject({
      encoding: "json",
      body: JSON.parse(harmless),
    });
  });

  test("100,000 levels deep beside a stream's options", async () => {
    for (const options of ["{}", "null", '{"include_usage":false}', `{"x":${DEEP}}`]) {
      bench.upstream.calls.length = 0;
      const { answer } = await send(`{"stream":true,"stream_options":${options},"deep":${DEEP}}`);
      expect(answer.status).toBe(200);
      expect((await bench.upstream.call()).body.toString()).toContain('"include_usage":true');
    }
  });
});

describe("what claims to be JSON and is not: 400, recorded as it came", () => {
  test.each<[string, string | Buffer, "text" | "base64"]>([
    ["invalid UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), "base64"],
    ["overlong UTF-8", Buffer.from([0x22, 0xc0, 0xaf, 0x22]), "base64"],
    ["surrogates in UTF-8", Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), "base64"],
    ["a raw null in a string", '{"a":"b\0c"}', "text"],
    ["nulls alone", "\0\0\0", "text"],
    ["a byte-order mark", "\ufeff{}", "text"],
    ["UTF-16", Buffer.from("{}", "utf16le"), "text"],
    ["two values", "{}{}", "text"],
    ["a comma too many", '{"a":1,}', "text"],
    ["a single quote", "{'a':1}", "text"],
    ["half of it", '{"a":', "text"],
    ["100,000 levels that do not close", "[".repeat(DEPTH), "text"],
    ["NaN", '{"a":NaN}', "text"],
  ])("%s", async (_name, body, encoding) => {
    const { answer, record, bytes } = await send(body);
    expect([answer.status, JSON.parse(answer.body).error.code]).toEqual([400, "invalid_json"]);
    expect(bench.upstream.calls).toEqual([]);
    expect(record).toMatchObject({ statusCode: 400, outcome: "client_error" });
    const kept = bytes.subarray(0, 64 * 1024);
    expect(record.request).toMatchObject({
      encoding,
      body: kept.toString(encoding === "text" ? "utf8" : "base64"),
      bytes: bytes.length,
    });
  });
});

test("bytes that are no text pass where they do not claim to be JSON", async () => {
  const { answer, record } = await send(Buffer.from([0, 255, 254, 13, 10]), "application/octet-stream");
  expect(answer.status).toBe(200);
  expect((await bench.upstream.call()).body).toEqual(Buffer.from([0, 255, 254, 13, 10]));
  expect(record.request).toMatchObject({ encoding: "base64", bytes: 5 });
});

test("headers in bytes that are no UTF-8 are kept as they are read", async () => {
  const client = await bench.connect();
  const id = bench.newId();
  client.send(
    `GET /v1/models HTTP/1.1\r\nhost: p\r\nx-llm-source: caf\xe9\r\nx-llm-user: u\r\nx-llm-request-type: chat\r\nx-request-id: ${id}\r\nuser-agent: \xff\xfe\r\n\r\n`,
  );
  expect((await client.answer()).status).toBe(200);
  client.destroy();
  expect(await bench.record(id)).toMatchObject({ projectId: "café", http: { userAgent: "ÿþ" } });
});

describe("a stream", () => {
  const stream = async (events: string[]) => {
    bench.upstream.script = (call) => {
      call.beginChunked();
      for (const one of events) call.chunk(`data: ${one}\n\n`);
      call.endChunked();
    };
    return send('{"stream":true}');
  };
  const delta = (json: string) =>
    `{"object":"chat.completion.chunk","choices":[{"index":0,"delta":${json}}]}`;

  test("with __proto__ in its chunks reaches no prototype", async () => {
    const { record, raw } = await stream([
      '{"choices":[],"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
      delta('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"content":"a"}'),
      delta('{"__proto__":{"polluted":2},"content":"b"}'),
    ]);
    expect(record.response.body).toMatchObject({ choices: [{ message: { content: "ab" } }] });
    expect(raw).toContain('"__proto__":{"polluted":2}');
    // The uploader's thread made it; had its prototypes been reached, the next record would show it.
    bench.upstream.reset();
    const { raw: next } = await send("{}");
    expect(next).not.toContain("polluted");
  });

  test("nested 100,000 levels does not stop the audit", async () => {
    const deep = `${'{"a":'.repeat(DEPTH)}1${"}".repeat(DEPTH)}`;
    const { record } = await stream([delta(`{"content":"x","deep":${deep}}`), delta(`{"deep":${deep}}`)]);
    expect(record.response.encoding).toBe("text");
    expect(await send("{}")).toMatchObject({ answer: { status: 200 } });
  });

  test.each(["1e300", "-5", "1.5", '"7"', "9007199254740993", "null"])(
    "counting %s tokens gives a valid record",
    async (number) => {
      const { record } = await stream([
        `{"choices":[],"usage":{"prompt_tokens":${number},"completion_tokens":1,"total_tokens":${number}}}`,
      ]);
      expect(record.usage.promptTokens).toBe(0);
      expect(record.usage.completionTokens).toBe(1);
    },
  );

  test("of things that are no events is kept as its text", async () => {
    const { record } = await stream(["not json", "[1,2]", "", '"s"']);
    expect(record.response).toMatchObject({ encoding: "text" });
  });
});

describe("a fault of ours", () => {
  const ask = async () => {
    const id = bench.newId();
    const client = await bench.connect();
    client.send(
      request({
        headers: `x-request-id: ${id}\r\ncontent-type: application/json\r\n`,
        body: '{"stream":true}',
      }),
    );
    return { client, id };
  };

  test("before the answer: 500 internal, recorded; the next request is served", async () => {
    for (const method of ["begin", "whenProtected"] as const) {
      vi.spyOn(Capture.prototype, method).mockImplementationOnce(() => {
        throw new TypeError("a secret detail");
      });
      const { client, id } = await ask();
      const answer = await client.answer();
      expect(answer.status).toBe(500);
      expect(JSON.parse(answer.body)).toEqual({
        error: {
          type: "internal_error",
          code: "internal",
          param: null,
          message: expect.not.stringContaining("secret"),
        },
      });
      expect(await bench.record(id)).toMatchObject({
        statusCode: 500,
        outcome: "interrupted",
        error: { type: "internal_error" },
      });
      client.destroy();
      expect((await bench.post({})).status).toBe(200);
    }
  });

  test("in the middle of the answer: the connection ends, the upstream is let go, it is recorded", async () => {
    bench.upstream.script = (call) => {
      call.beginChunked();
      call.chunk("data: 1\n\n");
    };
    const { client, id } = await ask();
    await client.until((text) => text.includes("data: 1"));
    vi.spyOn(UsageFilter.prototype, "push").mockImplementationOnce(() => {
      throw new TypeError("broken filter");
    });
    const call = await bench.upstream.call();
    call.chunk("data: 2\n\n");
    await client.closed;
    await call.closed();
    expect(await bench.record(id)).toMatchObject({
      statusCode: 200,
      outcome: "interrupted",
      response: { complete: false },
    });
    bench.upstream.reset();
    expect((await bench.post({})).status).toBe(200);
  });

  test("in recording: the client has its answer, and the loss is counted", async () => {
    vi.spyOn(Capture.prototype, "end").mockImplementationOnce(() => {
      throw new TypeError("no record");
    });
    expect((await bench.post({})).status).toBe(200);
    await eventually(
      async () => (await bench.metric("audit_records_lost_total")) === 1,
      "the loss is counted",
    );
    expect(await bench.metric("llm_requests_in_flight")).toBe(0);
  });
});
