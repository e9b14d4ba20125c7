/**
 * The digest of an hour: which objects S3 stored in it, with their sha256, chained to the digest before and signed. An
 * object belongs to the hour of its `LastModified`, S3's own clock, so a late upload lands in a later digest and no digest
 * is ever written again. See docs/decisions/digests.md.
 */
import { z } from "zod";

/** Beside the audit's prefix, not below it: digests are no records and must not be ingested. */
export const DIGEST_PREFIX = "digests";
export const HOUR_MS = 3_600_000;
/** An hour is digested when S3 has had time to show all that it stored in it. */
export const SETTLED_MS = 15 * 60_000;

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const Time = z.iso.datetime({ precision: 3 });
const Count = z.int().nonnegative();

/** A list of up to some thousand objects, in its own S3 object whose name and hash the digest holds. */
export const DigestPart = z.object({
  key: z.string().min(1),
  /** Of the part's bytes as they are stored. */
  sha256: Sha256,
  objects: z.int().positive(),
  /** The least and greatest key in it. */
  first: z.string().min(1),
  last: z.string().min(1),
});
export type DigestPart = z.infer<typeof DigestPart>;

/** What a digest knows of one writer: the numbers stored in its hour and the head of the chain. */
export const WriterHead = z.object({
  writer: z.string().min(1),
  objects: z.int().positive(),
  first: z.int().positive(),
  last: z.int().positive(),
  /** sha256 of the object numbered `last`. */
  head: Sha256,
});
export type WriterHead = z.infer<typeof WriterHead>;

export const Digest = z.object({
  schemaVersion: z.literal(1),
  bucket: z.string().min(1),
  /** Of the audit objects. */
  prefix: z.string().min(1),
  /** `to` is excluded. The first digest of all begins in 1970 and takes everything that is there. */
  period: z.object({ from: Time, to: Time }),
  madeAt: Time,
  /** 1, 2, 3 … */
  number: z.int().positive(),
  /** The digest before: its name and the sha256 of its stored bytes; null for the first. */
  previous: z.object({ key: z.string().min(1), sha256: Sha256 }).nullable(),
  objects: Count,
  bytes: Count,
  /** In the order of their keys, which do not overlap. */
  parts: z.array(DigestPart),
  writers: z.array(WriterHead),
});
export type Digest = z.infer<typeof Digest>;

const HOURS = `${DIGEST_PREFIX}/hours/`;
export const HOURS_PREFIX = HOURS;
export const KEYS_PREFIX = `${DIGEST_PREFIX}/keys/`;

const hourPath = (time: number) => new Date(time).toISOString().slice(0, 13).replaceAll(/[-T]/g, "/");

/** `digests/hours/YYYY/MM/DD/HH.json` @param from epoch milliseconds: the begin of the digest's period */
export const digestKey = (from: number) => `${HOURS}${hourPath(from)}.json`;
/** `digests/parts/YYYY/MM/DD/HH/<sha256>.jsonl.gz` */
export const partKey = (from: number, sha256: string) =>
  `${DIGEST_PREFIX}/parts/${hourPath(from)}/${sha256}.jsonl.gz`;
export const progressFolder = (from: number) => `${DIGEST_PREFIX}/progress/${hourPath(from)}/`;
/** Where the public key of that fingerprint is published. */
export const publicKeyKey = (keyId: string) => `${KEYS_PREFIX}${keyId}.pem`;

/** Where the period of a digest's name begins (epoch milliseconds); null when it is no such name. */
export function parseDigestKey(key: string): number | null {
  const match = /^(\d{4})\/(\d{2})\/(\d{2})\/(\d{2})\.json$/.exec(
    key.startsWith(HOURS) ? key.slice(HOURS.length) : "",
  );
  const time = match ? Date.parse(`${match[1]}-${match[2]}-${match[3]}T${match[4]}:00:00.000Z`) : Number.NaN;
  return Number.isNaN(time) ? null : time;
}
