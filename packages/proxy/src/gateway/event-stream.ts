/**
 * Reads application/vnd.amazon.eventstream: frames of length, headers, payload, and two CRC-32s.
 * Source: https://smithy.io/2.0/aws/amazon-eventstream.html
 */
import { crc32 } from "node:zlib";

export interface StreamFrame {
  /** `:event-type`, or of an exception `:exception-type`. */
  type: string;
  exception: boolean;
  payload: unknown;
}

const PRELUDE = 12;
const CHECKSUM = 4;
/** Bedrock's events are small; a length beyond this is a broken stream. */
const MAX_FRAME = 32 * 1024 * 1024;

/** @throws when the stream is damaged or ends within a frame */
export async function* readEventStream(chunks: AsyncIterable<Buffer>): AsyncGenerator<StreamFrame> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    let offset = 0;
    while (held.length - offset >= PRELUDE) {
      const length = held.readUInt32BE(offset);
      if (length < PRELUDE + CHECKSUM || length > MAX_FRAME) throw damaged("length");
      if (held.length - offset < length) break;
      yield decode(held.subarray(offset, offset + length));
      offset += length;
    }
    held = held.subarray(offset);
  }
  if (held.length > 0) throw damaged("end");
}

function decode(frame: Buffer): StreamFrame {
  const headersLength = frame.readUInt32BE(4);
  if (crc32(frame.subarray(0, 8)) !== frame.readUInt32BE(8)) throw damaged("prelude");
  const end = frame.length - CHECKSUM;
  if (crc32(frame.subarray(0, end)) !== frame.readUInt32BE(end)) throw damaged("checksum");
  const headers = decodeHeaders(frame.subarray(PRELUDE, PRELUDE + headersLength));
  const text = frame.toString("utf8", PRELUDE + headersLength, end);
  const message = headers.get(":message-type");
  if (message === "error")
    return {
      type: headers.get(":error-code") ?? "UnknownError",
      exception: true,
      payload: { message: headers.get(":error-message") },
    };
  const exception = message === "exception";
  const type = headers.get(exception ? ":exception-type" : ":event-type") ?? "";
  return { type, exception, payload: JSON.parse(text || "{}") };
}

/** Bytes after the type's byte, by type; strings and byte arrays say their own length. */
const SIZES: Record<number, number> = { 0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16 };
const STRING = 7;
const BYTES = 6;

function decodeHeaders(bytes: Buffer): Map<string, string> {
  const headers = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const nameEnd = at + 1 + (bytes[at] ?? 0);
    const type = bytes[nameEnd] ?? -1;
    const counted = type === STRING || type === BYTES;
    const start = nameEnd + (counted ? 3 : 1);
    const size = counted ? bytes.readUInt16BE(nameEnd + 1) : SIZES[type];
    if (size === undefined) throw damaged("header");
    if (type === STRING)
      headers.set(bytes.toString("utf8", at + 1, nameEnd), bytes.toString("utf8", start, start + size));
    at = start + size;
  }
  return headers;
}

const damaged = (where: string) =>
  Object.assign(new Error(`The provider's stream is damaged (${where})`), { name: "DamagedStream" });
