/** The filter over a stream's bytes: whatever the chunks, whatever the line ends. */
import { DEFAULT_POLICY } from "@central-llm/core/pii-policy";
import { describe, expect, it } from "vitest";
import { CheckedStream } from "./checked-stream.ts";
import { doorOf } from "./door.ts";

const door = doorOf("POST", "/v1/chat/completions");
const event = (content: string) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}`;

/** The stream in pieces of so many bytes. */
function passed(stream: Buffer, size: number, policy = DEFAULT_POLICY): { text: string; stopped: boolean } {
  if (door === null) throw new Error("no door");
  const checked = new CheckedStream(door, policy, false);
  const out: Buffer[] = [];
  for (let at = 0; at < stream.length; at += size) {
    const { bytes, stop } = checked.push(stream.subarray(at, at + size));
    out.push(...bytes);
    if (stop) return { text: Buffer.concat(out).toString(), stopped: true };
  }
  const { bytes, stop } = checked.end();
  out.push(...bytes);
  return { text: Buffer.concat(out).toString(), stopped: stop !== null };
}

describe.each([
  ["LF", "\n"],
  ["CRLF", "\r\n"],
  ["CR", "\r"],
])("with %s", (_name, end) => {
  const events = (...list: string[]) => Buffer.from(list.map((one) => one + end + end).join(""));

  it("is the same bytes at every size of its chunks, with comments, names and text in any script", () => {
    const stream = events(
      ": ping",
      event("Grüße 🙂 to"),
      `event: x${end}id: 7${end}${event(" me, 12")}`,
      event("34 times"),
      "data: [DONE]",
    );
    for (let size = 1; size <= stream.length; size++) {
      const { text, stopped } = passed(stream, size);
      expect(text).toBe(stream.toString());
      expect(stopped).toBe(false);
    }
  });

  it("lets no card through, however it is cut", () => {
    const stream = events(event("It is 4111 11"), event("11 1111 1"), event("111."), "data: [DONE]");
    for (let size = 1; size <= stream.length; size++) {
      const { text, stopped } = passed(stream, size);
      expect(stopped).toBe(true);
      expect(text).not.toMatch(/4111|1111/);
      expect(text).toContain("pii_blocked");
    }
  });

  it("masks what is to be masked, and the rest is there", () => {
    const stream = events(event("Write to ada@exam"), event("ple.org, please"), "data: [DONE]");
    for (let size = 1; size <= stream.length; size++) {
      const { text } = passed(stream, size, { ...DEFAULT_POLICY, EMAIL: "mask" });
      const contents = [...text.matchAll(/"content":"([^"]*)"/g)].map((match) => match[1]);
      expect(contents.join("")).toBe("Write to [EMAIL], please");
    }
  });
});

it("does not wait for ever: text that is decided goes on while a long number is not", () => {
  if (door === null) throw new Error("no door");
  const checked = new CheckedStream(door, DEFAULT_POLICY, false);
  let sent = "";
  for (let at = 0; at < 40; at++) {
    const { bytes } = checked.push(Buffer.from(`${event(`word ${at} 4`)}\n\n`));
    sent += Buffer.concat(bytes).toString();
  }
  expect(sent).toContain("word 5");
});

it("refuses an event that never ends", () => {
  if (door === null) throw new Error("no door");
  const checked = new CheckedStream(door, DEFAULT_POLICY, false);
  const piece = Buffer.alloc(1024 * 1024, "a");
  let stop = null;
  for (let at = 0; at < 20 && stop === null; at++) ({ stop } = checked.push(piece));
  expect(stop).toMatchObject({ error: { code: "pii_filter_unavailable" } });
});
