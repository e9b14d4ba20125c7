/** One object of the trail: is it what its digest says, and where does it stand in its writer's chain? */
import { createHash } from "node:crypto";
import { z } from "zod";
import { parseObjectKey } from "./audit-key.ts";
import { AuditRecord } from "./audit-record.ts";
import type { Window } from "./digest-chain.ts";
import type { DigestLookup } from "./digest-lookup.ts";
import type { DigestEntry } from "./digest-part.ts";
import { requestIdTime } from "./request-id.ts";
import type { Compared } from "./trail-comparison.ts";
import type { TrailReader } from "./trail-store.ts";
import type { Link } from "./writer-chain.ts";

export interface Inspected {
  key: string;
  verdict: "as digested" | "waiting" | "unproven" | "of another window" | "changed" | "deleted" | "added";
  detail: string;
  /** What the writer's chain is to be checked with; null when the object has no place in one. */
  link: (Omit<Link, "key"> & { writer: string }) | null;
}

export interface InspectionContext {
  lookup: DigestLookup;
  window: Window;
  /** Where the last digest ends, epoch milliseconds. */
  until: number;
  /** Null for a copy. */
  now: number | null;
}

/** An object that is older than this ought to be in a digest. */
const DIGESTED_AFTER_MS = 4 * 3_600_000;

const Place = z.object({
  requestId: z.string(),
  completedAt: AuditRecord.shape.completedAt,
  chain: AuditRecord.shape.chain,
});

export async function inspect(
  reader: TrailReader,
  compared: Compared,
  context: InspectionContext,
): Promise<Inspected> {
  const { key, entries } = compared;
  if (isElsewhere(compared, context.window))
    return { key, verdict: "of another window", detail: "", link: null };
  const bytes = await reader.read(key);
  const [entry] = entries;
  if (entry === undefined) return unnamed(compared, bytes, context);
  // Its own contents are not to be believed any more; the digest still says its hash.
  const link =
    entry.writer !== undefined && entry.sequence !== undefined
      ? {
          writer: entry.writer,
          sequence: entry.sequence,
          sha256: entry.sha256,
          previousHash: undefined,
          settled: true,
        }
      : null;
  const was = `stored ${entry.storedAt}${entry.versionId ? `, version ${entry.versionId}` : ""}`;
  if (bytes === null) return { key, verdict: "deleted", detail: was, link };
  const hash = sha256(bytes);
  const again = entries.find(({ sha256 }) => sha256 !== entry.sha256);
  if (hash !== entry.sha256 || again) {
    const detail = `${was}; ${again ? `stored again ${again.storedAt}` : differently(key, bytes, entry)}`;
    return { key, verdict: "changed", detail, link };
  }
  const place = placeOf(bytes);
  return {
    key,
    verdict: "as digested",
    detail: "",
    link: place && { ...place.chain, sha256: hash, settled: true },
  };
}

/** Of other hours by both its times: not worth reading. One that came late is, its writer's others may be in the window. */
function isElsewhere({ key, entries, listed }: Compared, { from, to }: Window): boolean {
  const storedAt = listed?.storedAt ?? null;
  if (entries.length > 0 || storedAt === null) return false;
  const named = requestIdTime(parseObjectKey(key)?.requestId ?? "");
  return storedAt < from || (storedAt >= to && named !== null && named >= to);
}

async function unnamed(
  { key, listed }: Compared,
  bytes: Uint8Array | null,
  { lookup, until, now }: InspectionContext,
): Promise<Inspected> {
  const place = bytes && placeOf(bytes);
  const link = bytes && place && { ...place.chain, sha256: sha256(bytes), settled: false };
  const plain = { key, link: null };
  // A copy's files have no time of their own: they cannot have been stored before they were complete.
  const storedAt = listed?.storedAt ?? Date.parse(place?.completedAt ?? "1970-01-01T00:00:00.000Z");
  const time = new Date(storedAt).toISOString();
  if (storedAt >= until) {
    if (now === null || storedAt > now - DIGESTED_AFTER_MS || until > 0)
      return { key, link, verdict: "waiting", detail: "" };
    return { ...plain, verdict: "added", detail: `stored ${time}; there is no digest at all` };
  }
  const named = await lookup.names(key, storedAt);
  if (named === null) return { key, link, verdict: "unproven", detail: "" };
  if (named) return { key, link, verdict: "of another window", detail: "" };
  const detail =
    now === null
      ? `complete ${time}; no digest of the copy names it`
      : `stored ${time}; that hour's digest does not name it`;
  return { ...plain, verdict: "added", detail };
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

function placeOf(bytes: Uint8Array): z.infer<typeof Place> | null {
  try {
    return Place.safeParse(JSON.parse(Buffer.from(bytes).toString("utf8"))).data ?? null;
  } catch {
    return null; // Older writers' objects, or not ours at all: the digest vouches for their bytes alone.
  }
}

function differently(key: string, bytes: Uint8Array, entry: DigestEntry): string {
  const other = placeOf(bytes)?.requestId;
  const own = parseObjectKey(key)?.requestId;
  return other !== undefined && other !== own
    ? `it holds the record of ${other} now`
    : `it was ${entry.bytes} bytes and is ${bytes.byteLength}, or has other contents`;
}
