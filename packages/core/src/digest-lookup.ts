/** Which digest should name an object, and does it? For objects that the digests of a window do not name. */
import { type Digest, digestKey, HOUR_MS } from "./digest.ts";
import { open, type TrustedKeys } from "./digest-envelope.ts";
import { decode } from "./digest-part.ts";
import { byKey, type TrailReader } from "./trail-store.ts";

/** Digests kept in memory: objects that come late come in heaps, and from few hours. */
const KEPT = 16;

export class DigestLookup {
  readonly #reader: TrailReader;
  readonly #trusted: TrustedKeys;
  readonly #digests = new Map<string, Digest | null>();
  readonly #parts = new Map<string, Set<string> | null>();

  constructor(reader: TrailReader, trusted: TrustedKeys) {
    this.#reader = reader;
    this.#trusted = trusted;
  }

  /**
   * @param storedAt epoch milliseconds
   * @returns whether the digest of that time names the key; null when there is none that can be believed
   */
  async names(key: string, storedAt: number): Promise<boolean | null> {
    const first = await this.#digest(digestKey(0));
    const begin = first ? Date.parse(first.period.to) : 0;
    const digest = storedAt < begin ? first : await this.#digest(digestKey(storedAt - (storedAt % HOUR_MS)));
    if (digest === null) return null;
    for (const part of digest.parts) {
      if (byKey(part.first, key) > 0 || byKey(part.last, key) < 0) continue;
      const keys = await kept(this.#parts, part.key, async () => {
        const bytes = await this.#reader.read(part.key);
        const entries = bytes && decode(part, bytes);
        return entries && new Set(entries.map((entry) => entry.key));
      });
      return keys?.has(key) ?? null;
    }
    return false;
  }

  #digest(key: string): Promise<Digest | null> {
    return kept(this.#digests, key, async () => {
      const bytes = await this.#reader.read(key);
      const opened = bytes && open(key, bytes, this.#trusted);
      return opened?.fault === null ? opened.digest : null;
    });
  }
}

async function kept<T>(cache: Map<string, T>, key: string, make: () => Promise<T>): Promise<T> {
  const known = cache.get(key);
  if (known !== undefined) return known;
  const made = await make();
  if (cache.size >= KEPT) cache.clear();
  cache.set(key, made);
  return made;
}
