/**
 * Token usage of streams. OpenAI's wire gives it only on request (`stream_options.include_usage`), as one extra chunk with
 * empty `choices` before `[DONE]`. The audit needs it always; a client that did not ask must not see it.
 */

import { memberValue, withMember } from "./json-splice.ts";

const USAGE_PATHS = new Set(["/v1/chat/completions", "/v1/completions"]);

type Json = Record<string, unknown>;

/**
 * The body that asks for usage, when the client's does not.
 * @param original the request's bytes, valid JSON whose parsed form is `parsed`
 * @returns null when nothing needs to change
 */
export function askForUsage(path: string, original: Buffer, parsed: Json): Buffer | null {
  if (parsed.stream !== true || !USAGE_PATHS.has(path)) return null;
  const options = parsed.stream_options;
  if (options === undefined || options === null) return withMember(original, "stream_options", ASK);
  // Options of another type are the upstream's to refuse.
  if (typeof options !== "object" || Array.isArray(options)) return null;
  if ((options as Json).include_usage === true) return null;
  const span = memberValue(original, "stream_options");
  if (span === null) return null; // Its name is written with escapes: nobody does, and the stream is served all the same.
  const asking = withMember(original.subarray(span.from, span.to), "include_usage", TRUE);
  return Buffer.concat([original.subarray(0, span.from), asking, original.subarray(span.to)]);
}

const TRUE = Buffer.from("true");
const ASK = Buffer.from('{"include_usage":true}');

/** More than this without an event's end is passed on unread: a usage chunk is a few hundred bytes. */
const MAX_HELD = 64 * 1024;
const NOTHING = Buffer.alloc(0);
const LF = 10;
/** As bytes: a needle that is text is turned into bytes at every search. */
const USAGE = Buffer.from('"usage"');
const CHOICES = Buffer.from('"choices"');

/** Takes the usage chunk out of a stream of server-sent events; everything else passes byte by byte. */
export class UsageFilter {
  #held: Buffer = NOTHING;
  #passing = false;

  /** @returns what may go to the client now; an event that is not complete yet is held back */
  push(chunk: Buffer): Buffer {
    const data = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    this.#held = NOTHING;
    const end = lastEventEnd(data);
    if (end < data.length) {
      if (this.#passing || data.length - end > MAX_HELD) {
        this.#passing = true;
        return end === 0 ? data : Buffer.concat([withoutUsage(data.subarray(0, end)), data.subarray(end)]);
      }
      this.#held = data.subarray(end);
    }
    this.#passing = false;
    return withoutUsage(data.subarray(0, end));
  }

  /** What is left when the stream ends. */
  flush(): Buffer {
    const rest = this.#held;
    this.#held = NOTHING;
    return isUsageEvent(rest) ? NOTHING : rest;
  }
}

/** Server-sent events end with an empty line; LF and CRLF both occur. @returns the offset behind the last one */
function lastEventEnd(data: Buffer): number {
  // Nearly every chunk is whole events.
  const { length } = data;
  if (length >= 2 && data[length - 1] === LF && data[length - 2] === LF) return length;
  const lf = data.lastIndexOf("\n\n");
  const crlf = data.lastIndexOf("\r\n\r\n");
  return Math.max(lf < 0 ? 0 : lf + 2, crlf < 0 ? 0 : crlf + 4);
}

function withoutUsage(events: Buffer): Buffer {
  if (!events.includes(USAGE)) return events;
  const kept: Buffer[] = [];
  let start = 0;
  while (start < events.length) {
    const next = eventEnd(events, start);
    const event = events.subarray(start, next);
    if (!isUsageEvent(event)) kept.push(event);
    start = next;
  }
  return kept.length === 1 && kept[0] !== undefined ? kept[0] : Buffer.concat(kept);
}

function eventEnd(data: Buffer, from: number): number {
  const lf = data.indexOf("\n\n", from);
  const crlf = data.indexOf("\r\n\r\n", from);
  if (lf < 0 && crlf < 0) return data.length;
  if (crlf < 0 || (lf >= 0 && lf < crlf)) return lf + 2;
  return crlf + 4;
}

function isUsageEvent(event: Buffer): boolean {
  if (!event.includes(CHOICES) || !event.includes(USAGE)) return false;
  const text = event.toString("utf8");
  if (!/"choices"\s*:\s*\[\s*\]/.test(text)) return false;
  const data = text
    .split(/\r?\n/)
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(5))
    .join("\n");
  try {
    const value = JSON.parse(data) as { choices?: unknown[]; usage?: unknown };
    return value.choices?.length === 0 && typeof value.usage === "object" && value.usage !== null;
  } catch {
    return false; // Not an event of this protocol; the client shall see it as it is.
  }
}
