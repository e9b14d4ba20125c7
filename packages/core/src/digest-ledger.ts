/** The digests in their bucket: the newest, how far an unfinished one is, and the public key beside them. */
import { createHash } from "node:crypto";
import { z } from "zod";
import {
  type Digest,
  DigestPart,
  digestKey,
  HOUR_MS,
  HOURS_PREFIX,
  parseDigestKey,
  progressFolder,
  publicKeyKey,
  WriterHead,
} from "./digest.ts";
import { fingerprint, open, type Signer, seal } from "./digest-envelope.ts";
import type { TrailStore } from "./trail-store.ts";

/** How far the digest of a period is: plain JSON, stored after each part. */
export const Progress = z.object({
  schemaVersion: z.literal(1),
  from: z.int().nonnegative(),
  to: z.int().positive(),
  /** All keys up to this one are looked at; empty at the begin. */
  after: z.string(),
  objects: z.int().nonnegative(),
  bytes: z.int().nonnegative(),
  parts: z.array(DigestPart),
  writers: z.array(WriterHead),
});
export type Progress = z.infer<typeof Progress>;

export interface StoredDigest {
  key: string;
  /** Of the stored bytes. */
  sha256: string;
  digest: Digest;
}

/** The digest whose period is the last that begins at `now` or before; null when there is none. */
export async function latest(store: TrailStore, now: number): Promise<StoredDigest | null> {
  const recent = digestKey(now - RECENT_MS);
  const key = (await lastKey(store, now, recent)) ?? (await lastKey(store, now));
  if (key === null) return null;
  const bytes = await store.read(key);
  if (bytes === null) throw new Error(`${key} was listed and is gone`);
  const { digest } = open(key, bytes, new Map());
  if (!digest || !fits(key, digest))
    throw new Error(`${key} is not the digest of its hour: it must be looked at before the chain can go on`);
  return { key, sha256: createHash("sha256").update(bytes).digest("hex"), digest };
}

/** One hour, or the first digest with all hours before it. Else a forged one could send the chain anywhere. */
function fits(key: string, { period }: Digest): boolean {
  const [from, to] = [Date.parse(period.from), Date.parse(period.to)];
  return from === parseDigestKey(key) && to % HOUR_MS === 0 && (from === 0 ? to > 0 : to === from + HOUR_MS);
}

/** Digests are looked for from here; behind it in all that there are. */
const RECENT_MS = 40 * 24 * 3_600_000;

/** A name in the future, which nobody but a forger gives, does not count. */
async function lastKey(store: TrailStore, now: number, after?: string): Promise<string | null> {
  let last: string | null = null;
  for await (const { key } of store.list(HOURS_PREFIX, after)) {
    const from = parseDigestKey(key);
    if (from !== null && from <= now) last = key;
  }
  return last;
}

/** @returns whether it is this one that is stored now: of two runs at the same time one is first */
export async function store(trail: TrailStore, digest: Digest, signer: Signer): Promise<boolean> {
  const pem = await signer.publicKey();
  await trail.add(publicKeyKey(fingerprint(pem)), Buffer.from(pem), "application/x-pem-file");
  const from = Date.parse(digest.period.from);
  return trail.add(digestKey(from), await seal(digest, signer), "application/json");
}

export async function progressOf(trail: TrailStore, from: number): Promise<Progress | null> {
  let last: string | undefined;
  for await (const { key } of trail.list(progressFolder(from))) last = key;
  const bytes = last === undefined ? null : await trail.read(last);
  return bytes === null ? null : Progress.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
}

/** Names are in the order of how far they are. */
export async function saveProgress(trail: TrailStore, progress: Progress): Promise<void> {
  const name = `${String(progress.parts.length).padStart(8, "0")}-${Date.now()}.json`;
  await trail.add(
    `${progressFolder(progress.from)}${name}`,
    Buffer.from(JSON.stringify(progress)),
    "application/json",
  );
}
