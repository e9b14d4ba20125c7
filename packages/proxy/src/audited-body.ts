/** One side's body as the audit keeps it: JSON as it was sent, else text, else base64; cut where it is too long. */
import { isUtf8 } from "node:buffer";
import { createHash, hash } from "node:crypto";
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from "node:zlib";
import type { Held } from "./spool-record.ts";
import { assembleStream, isObject } from "./stream-assembly.ts";
import { UsageFilter } from "./stream-usage.ts";

export interface AuditedBody {
  /** JSON text, to be put into the record as it is. */
  json: Buffer | string;
  encoding: "json" | "text" | "base64";
  sha256: string | null;
  truncated: boolean;
  /** The parsed body, where it is a JSON object. */
  parsed: Record<string, unknown> | null;
}

/** JSON nested deeper is kept as text: many readers (Python's, for one) give up at a thousand levels. */
const MAX_DEPTH = 500;
/** What a compressed body may unpack to: a bomb is kept packed. */
const MAX_UNPACKED_BYTES = 16 * 1024 * 1024;

const sha256 = (bytes: Buffer) => hash("sha256", bytes, "hex");

/** @param bytes all of it, or its beginning when `wholeSha256` is given, or what stands for it when `held` is */
export function auditedBody(
  bytes: Buffer,
  options: { wholeSha256?: string | undefined; held?: Held | undefined; json: boolean },
): AuditedBody {
  const { held } = options;
  const truncated = held ? held.truncated : options.wholeSha256 !== undefined;
  const digest = held ? held.sha256 : (options.wholeSha256 ?? (bytes.length > 0 ? sha256(bytes) : null));
  if (bytes.length === 0) return { json: "null", encoding: "json", sha256: digest, truncated, parsed: null };
  if (options.json && !truncated) {
    const parsed = parse(bytes);
    if (parsed !== undefined && !nestsDeeper(bytes, MAX_DEPTH)) {
      return {
        json: bytes,
        encoding: "json",
        sha256: digest,
        truncated,
        parsed: isObject(parsed) ? parsed : null,
      };
    }
  }
  return { ...asText(bytes, truncated), sha256: digest, truncated, parsed: null };
}

/** A stream's body is the completion that it makes up. */
export function auditedStream(
  bytes: Buffer,
  options: { wholeSha256?: string | undefined; usageHidden: boolean; complete: boolean },
): AuditedBody {
  const truncated = options.wholeSha256 !== undefined;
  const digest = options.wholeSha256 ?? (bytes.length > 0 ? sentHash(bytes, options) : null);
  const assembled = assembledJson(bytes.toString("utf8"));
  if (assembled === null) return { ...asText(bytes, truncated), sha256: digest, truncated, parsed: null };
  return { ...assembled, encoding: "json", sha256: digest, truncated };
}

function assembledJson(text: string): Pick<AuditedBody, "json" | "parsed"> | null {
  try {
    const parsed = assembleStream(text);
    if (parsed === null || deeperThan(parsed, MAX_DEPTH)) return null;
    return { json: Buffer.from(JSON.stringify(parsed)), parsed };
  } catch (error) {
    // Nested too deep to be put together. The stream is kept as its text: every byte of it, if not as handy.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/**
 * The hash of what the client was sent: the captured stream without the usage chunk that it had not asked for, and without an
 * event that was still held back when the stream broke off.
 */
function sentHash(
  bytes: Buffer,
  { usageHidden, complete }: { usageHidden: boolean; complete: boolean },
): string {
  if (!usageHidden) return sha256(bytes);
  const filter = new UsageFilter();
  const hashed = createHash("sha256").update(filter.push(bytes));
  if (complete) hashed.update(filter.flush());
  return hashed.digest("hex");
}

/** Undoes a content coding. @returns null when it is unknown, damaged, cut or a bomb */
export function unpack(bytes: Buffer, coding: string): Buffer | null {
  const options = { maxOutputLength: MAX_UNPACKED_BYTES };
  try {
    switch (coding.trim().toLowerCase()) {
      case "gzip":
      case "x-gzip":
        return gunzipSync(bytes, options);
      case "deflate":
        return inflateSync(bytes, options);
      case "br":
        return brotliDecompressSync(bytes, options);
      case "zstd":
        return zstdDecompressSync(bytes, options);
      case "identity":
        return bytes;
      default:
        return null;
    }
  } catch {
    return null; // Kept as it came: the record still holds every byte.
  }
}

function asText(bytes: Buffer, truncated: boolean): Pick<AuditedBody, "json" | "encoding"> {
  const text = truncated ? withoutCutCharacter(bytes) : bytes;
  if (isUtf8(text)) return { json: JSON.stringify(text.toString("utf8")), encoding: "text" };
  return { json: `"${bytes.toString("base64")}"`, encoding: "base64" };
}

/** Drops a character that the cut left incomplete at the end. */
function withoutCutCharacter(bytes: Buffer): Buffer {
  for (let back = 1; back <= 4 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return bytes;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return back < length ? bytes.subarray(0, bytes.length - back) : bytes;
    }
  }
  return bytes;
}

function parse(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) return undefined;
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined; // Claimed to be JSON and is not: kept as text.
  }
}

/**
 * Of valid JSON, whether it nests deeper than `limit`. In the text, not in the parsed value: of a member that is there twice, the
 * first is gone there, and the record keeps both.
 */
function nestsDeeper(json: Buffer, limit: number): boolean {
  if (json.length <= limit * 2) return false;
  let depth = 0;
  for (let index = 0; index < json.length; index++) {
    const byte = json[index];
    if (byte === 0x22) index = endOfString(json, index);
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > limit) return true;
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return false;
}

/** @param start of the opening quote. @returns the closing one's offset */
function endOfString(json: Buffer, start: number): number {
  for (let end = json.indexOf(0x22, start + 1); ; end = json.indexOf(0x22, end + 1)) {
    if (end < 0) return json.length;
    let slashes = 0;
    while (json[end - 1 - slashes] === 0x5c) slashes++;
    if (slashes % 2 === 0) return end;
  }
}

/** Whether it nests deeper than `limit`. */
function deeperThan(value: unknown, limit: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (limit === 0) return true;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === "object" && deeperThan(item, limit - 1)) return true;
    return false;
  }
  for (const name in value) {
    const item = (value as Record<string, unknown>)[name];
    if (typeof item === "object" && deeperThan(item, limit - 1)) return true;
  }
  return false;
}
