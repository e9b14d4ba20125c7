/** The objects that a digest names: lists of JSON lines, compressed, in the order of their keys. */
import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { z } from "zod";
import { type DigestPart, partKey } from "./digest.ts";

export const DigestEntry = z.object({
  key: z.string().min(1),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.int().nonnegative(),
  storedAt: z.iso.datetime({ precision: 3 }),
  /** S3's, by which the digested bytes can be had again. */
  versionId: z.string().optional(),
  /** As the writer stored it; absent with older writers' objects. */
  writer: z.string().optional(),
  sequence: z.int().positive().optional(),
});
export type DigestEntry = z.infer<typeof DigestEntry>;

/** Entries in a part: some 100 KB compressed, and what a verifier holds in memory of it. */
export const PART_ENTRIES = 2_000;
/** Far more than {@link PART_ENTRIES} entries are, so that a forged part cannot fill the memory. */
const MAX_PART_BYTES = 16 * 1024 * 1024;

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** @param entries at least one, in the order of their keys; the same entries give the same bytes and name */
export function encode(
  periodFrom: number,
  entries: readonly DigestEntry[],
): { part: DigestPart; bytes: Buffer } {
  const bytes = gzipSync(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""), { level: 6 });
  const hash = sha256(bytes);
  const [first, last] = [entries[0]?.key ?? "", entries.at(-1)?.key ?? ""];
  return {
    part: { key: partKey(periodFrom, hash), sha256: hash, objects: entries.length, first, last },
    bytes,
  };
}

/** @returns the entries, or null when the bytes are not the part's */
export function decode(part: DigestPart, bytes: Uint8Array): DigestEntry[] | null {
  if (sha256(bytes) !== part.sha256) return null;
  return gunzipSync(bytes, { maxOutputLength: MAX_PART_BYTES })
    .toString("utf8")
    .trimEnd()
    .split("\n")
    .map((line) => DigestEntry.parse(JSON.parse(line)));
}
