/** What the signed digests say of one object: the digest of the hour in which S3 stored it has its hash. */
import { type Digest, digestKey, HOUR_MS, KEYS_PREFIX } from "./digest.ts";
import { open, type TrustedKeys, trustedKeys } from "./digest-envelope.ts";
import { decode } from "./digest-part.ts";
import { byKey, type TrailReader } from "./trail-store.ts";

export interface Seal {
  /** The digest's name. */
  key: string;
  /** The begin of its period, ISO. */
  hour: string;
  /** Whether its signature fits one of the keys. */
  signed: boolean;
  /** Of the object as it was digested; null when the digest does not name it. */
  sha256: string | null;
}

/**
 * The keys that are published beside the digests. Who may write there may publish a key of their own: they serve for
 * showing, `central-llm verify` takes keys from elsewhere.
 */
export async function publishedKeys(reader: TrailReader): Promise<TrustedKeys> {
  const pems: string[] = [];
  for await (const { key } of reader.list(KEYS_PREFIX)) {
    const bytes = await reader.read(key);
    if (bytes) pems.push(Buffer.from(bytes).toString("utf8"));
  }
  return trustedKeys(pems);
}

/**
 * @param storedAt epoch milliseconds, S3's `LastModified`
 * @returns null when there is no digest of that time yet
 */
export async function sealOf(
  reader: TrailReader,
  trusted: TrustedKeys,
  key: string,
  storedAt: number,
): Promise<Seal | null> {
  for (const name of [digestKey(storedAt - (storedAt % HOUR_MS)), digestKey(0)]) {
    const bytes = await reader.read(name);
    if (bytes === null) continue;
    const { digest, fault } = open(name, bytes, trusted);
    // The first digest takes everything before its end.
    if (!digest || storedAt >= Date.parse(digest.period.to)) continue;
    const { from } = digest.period;
    return { key: name, hour: from, signed: fault === null, sha256: await hashIn(reader, digest, key) };
  }
  return null;
}

async function hashIn(reader: TrailReader, digest: Digest, key: string): Promise<string | null> {
  const part = digest.parts.find(({ first, last }) => byKey(first, key) <= 0 && byKey(last, key) >= 0);
  const bytes = part && (await reader.read(part.key));
  const entries = part && bytes ? decode(part, bytes) : null;
  return entries?.find((entry) => entry.key === key)?.sha256 ?? null;
}
