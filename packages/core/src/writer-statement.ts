/**
 * What writers say of themselves, beside their records: how many they have numbered so far, and that they have ended. A record
 * that is lost with its disk leaves no successor to show the gap; a statement with a higher number does, and so does a
 * writer that fell silent without an end.
 */
import { createHash } from "node:crypto";
import { z } from "zod";

/** Beside the audit's prefix, not below it: statements are no records and must not be ingested. */
export const STATEMENT_PREFIX = "writers";

/** A living writer speaks at least this often; one that is silent for longer is dead or cut off. */
export const MAX_SILENCE_MS = 15 * 60_000;

export const WriterStatement = z.object({
  schemaVersion: z.literal(1),
  writer: z.string().min(1),
  profile: z.string(),
  at: z.iso.datetime({ precision: 3 }),
  /** The highest sequence number given so far; 0 before the first. */
  sequence: z.int().nonnegative(),
  /** `closed`: no further number will be given, and all that were are in S3 or were reported as lost. */
  state: z.enum(["open", "closed"]),
});
export type WriterStatement = z.infer<typeof WriterStatement>;

/** `writers/YYYY/MM/DD/<writer>/<time>-<hash>.json`: one object a statement, never overwritten. */
export function statementKey(statement: WriterStatement): string {
  const hash = createHash("sha256").update(JSON.stringify(statement)).digest("hex").slice(0, 8);
  const day = statement.at.slice(0, 10).replaceAll("-", "/");
  return `${STATEMENT_PREFIX}/${day}/${statement.writer}/${Date.parse(statement.at)}-${hash}.json`;
}

/** The writer and the time (epoch milliseconds) in a statement's key. A day's keys are in the order of both. */
export function parseStatementKey(key: string): { writer: string; at: number } {
  const [name = "", writer = ""] = key.split("/").reverse();
  return { writer, at: Number.parseInt(name, 10) };
}
