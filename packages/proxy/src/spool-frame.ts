/**
 * Frames of the spool: what the proxy must not forget, in the order in which it happened.
 *
 * A segment file is a run of frames. A frame is a 20-byte head and a payload of three parts: meta (JSON), the request's
 * bytes and the response's bytes.
 *
 *   0  u32  length of the payload
 *   4  u32  crc32 of everything behind it (byte 8 to the payload's end)
 *   8  u8   kind
 *   9  u8   version
 *  10  u16  0
 *  12  u32  length of meta
 *  16  u32  length of the request
 */
import { crc32 } from "node:zlib";

export const KIND = { segment: 1, intent: 2, end: 3 } as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

export const HEAD_BYTES = 20;
const VERSION = 1;
/** Nothing that we write is larger; a greater length is damage. */
const MAX_PAYLOAD_BYTES = 256 * 1024 * 1024;

export interface Frame {
  kind: Kind;
  meta: string;
  request: Buffer;
  response: Buffer;
  /** Bytes of the whole frame. */
  bytes: number;
}

/** The size of a frame, never less than it turns out to be: `meta` may take up to three bytes a character. */
export function frameBound(meta: string, request: Buffer | null, response: readonly Buffer[]): number {
  let bytes = HEAD_BYTES + meta.length * 3 + (request?.length ?? 0);
  for (const chunk of response) bytes += chunk.length;
  return bytes;
}

/** Writes a frame into `target` at `offset`, which has `frameBound` bytes to spare. @returns the offset behind it */
export function writeFrame(
  target: Buffer,
  offset: number,
  kind: Kind,
  meta: string,
  request: Buffer | null,
  response: readonly Buffer[],
): number {
  let at = offset + HEAD_BYTES;
  const metaLength = target.write(meta, at, "utf8");
  at += metaLength;
  if (request !== null) {
    target.set(request, at);
    at += request.length;
  }
  for (const chunk of response) {
    target.set(chunk, at);
    at += chunk.length;
  }
  target.writeUInt32LE(at - offset - HEAD_BYTES, offset);
  target[offset + 8] = kind;
  target[offset + 9] = VERSION;
  target.writeUInt16LE(0, offset + 10);
  target.writeUInt32LE(metaLength, offset + 12);
  target.writeUInt32LE(request?.length ?? 0, offset + 16);
  target.writeUInt32LE(crc32(target.subarray(offset + 8, at)), offset + 4);
  return at;
}

/**
 * The frame at `offset`. @returns the frame; "short" when the buffer ends inside it; "damaged" when its bytes are not
 * what was written
 */
export function readFrame(source: Buffer, offset: number): Frame | "short" | "damaged" {
  if (source.length - offset < HEAD_BYTES) return "short";
  const length = source.readUInt32LE(offset);
  const metaLength = source.readUInt32LE(offset + 12);
  const requestLength = source.readUInt32LE(offset + 16);
  const kind = source[offset + 8];
  if (
    length > MAX_PAYLOAD_BYTES ||
    metaLength + requestLength > length ||
    source[offset + 9] !== VERSION ||
    (kind !== KIND.segment && kind !== KIND.intent && kind !== KIND.end)
  ) {
    return "damaged";
  }
  const end = offset + HEAD_BYTES + length;
  if (end > source.length) return "short";
  if (crc32(source.subarray(offset + 8, end)) !== source.readUInt32LE(offset + 4)) return "damaged";
  const request = offset + HEAD_BYTES + metaLength;
  return {
    kind,
    meta: source.toString("utf8", offset + HEAD_BYTES, request),
    request: source.subarray(request, request + requestLength),
    response: source.subarray(request + requestLength, end),
    bytes: HEAD_BYTES + length,
  };
}
