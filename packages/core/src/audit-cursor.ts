/**
 * Where a list goes on: an opaque text for callers. It holds the position of the last row (a time or latency, and a
 * request id, which the caller has seen) and a hash of the query, so that it cannot be used with another one by mistake.
 * It is no secret and grants nothing: whoever uses it must be allowed the query itself.
 */
import { hash } from "node:crypto";
import { z } from "zod";

const Cursor = z.strictObject({
  v: z.literal(1),
  /** The query it belongs to. */
  q: z.string().length(16),
  /** Go on below this: a time or a latency and a time, and mostly a request id. */
  p: z
    .string()
    .max(400)
    .regex(/^(\d{9}\.\d{3}#)?\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}[\x21-\x7e]*$/)
    .refine((position) => !Number.isNaN(Date.parse(position.replace(/^\d{9}\.\d{3}#/, "").slice(0, 19)))),
});

export class CursorError extends Error {
  override name = "CursorError";
}

const MAX_LENGTH = 800;

/** @param query JSON-serialisable, normalised */
const queryHash = (query: unknown) => hash("sha256", JSON.stringify(query)).slice(0, 16);

export function encode(query: unknown, position: string): string {
  const cursor: z.infer<typeof Cursor> = { v: 1, q: queryHash(query), p: position };
  return Buffer.from(JSON.stringify(cursor)).toString("base64url");
}

/** @throws {CursorError} when it is no cursor of ours, or one of another query */
export function decode(query: unknown, cursor: string): string {
  if (cursor.length > MAX_LENGTH || !/^[A-Za-z0-9_-]+$/.test(cursor)) throw unreadable();
  const parsed = Cursor.safeParse(parseJson(Buffer.from(cursor, "base64url").toString()));
  if (!parsed.success) throw unreadable();
  if (parsed.data.q !== queryHash(query)) {
    throw new CursorError(
      "The cursor belongs to another query: repeat the query that gave it, with the same from and to.",
    );
  }
  return parsed.data.p;
}

const unreadable = () =>
  new CursorError("The cursor cannot be read: pass it on exactly as a page gave it, or leave it out.");

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // The schema refuses it.
  }
}
