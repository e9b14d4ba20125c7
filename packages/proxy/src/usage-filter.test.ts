import { expect, test } from "vitest";
import { memberValue, withMember } from "./json-splice.ts";
import { UsageFilter } from "./stream-usage.ts";

const event = (value: unknown, end = "\n") => `data: ${JSON.stringify(value)}${end}${end}`;
const CONTENT = { choices: [{ index: 0, delta: { content: 'a "usage" in words' } }], usage: null };
const USAGE = { choices: [], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } };

test.each(["\n", "\r\n"])("the usage chunk goes wherever the stream is cut (line end %j)", (end) => {
  const wanted = Buffer.from(`${event(CONTENT, end)}data: [DONE]${end}${end}`);
  const wire = Buffer.from(`${event(CONTENT, end)}${event(USAGE, end)}data: [DONE]${end}${end}`);
  for (let first = 0; first <= wire.length; first++) {
    for (const second of [first, first + 1, first + 2, first + 10]) {
      const filter = new UsageFilter();
      const parts = [wire.subarray(0, first), wire.subarray(first, second), wire.subarray(second)];
      const out = Buffer.concat([...parts.map((part) => filter.push(part)), filter.flush()]);
      expect(out.equals(wanted), `cut at ${first} and ${second}`).toBe(true);
    }
  }
});

test("a usage chunk that the stream's end cuts off does not show; anything else that is left does", () => {
  const filter = new UsageFilter();
  expect(filter.push(Buffer.from(event(USAGE).trimEnd())).length).toBe(0);
  expect(filter.flush().length).toBe(0);
  expect(filter.push(Buffer.from("data: half")).length).toBe(0);
  expect(filter.flush().toString()).toBe("data: half");
});

test("an event without end is not held for ever", () => {
  const filter = new UsageFilter();
  let out = 0;
  for (let count = 0; count < 100; count++) out += filter.push(Buffer.alloc(4096, "x")).length;
  expect(out).toBeGreaterThan(300 * 1024);
});

test("a member is found and set in its bytes alone", () => {
  const json = Buffer.from('{ "a\\"}" : [{"b":1}, "}"] , "b" : {"c":[1,2,{"d":"]"}]}\n,"b":2.50 , "e":[] }');
  const span = memberValue(json, "b");
  expect(span && json.subarray(span.from, span.to).toString()).toBe("2.50");
  expect(memberValue(json, "c")).toBeNull();
  expect(withMember(json, "b", Buffer.from("true")).toString()).toBe(json.toString().replace("2.50", "true"));
  expect(withMember(Buffer.from(" { } "), "n", Buffer.from("1")).toString()).toBe(' {"n":1 } ');
  expect(withMember(Buffer.from('{"a":1}'), "n", Buffer.from("1")).toString()).toBe('{"n":1,"a":1}');
});
