/** The objects of a trail beside those that digests name, in one pass over both in the order of their keys. */
import type { Digest, DigestPart } from "./digest.ts";
import { type DigestEntry, decode } from "./digest-part.ts";
import type { Findings } from "./finding.ts";
import { byKey, type ListedObject, type TrailReader } from "./trail-store.ts";

/** At least one side is there. */
export interface Compared {
  key: string;
  /** Each digest that names it, oldest first: more than one when it was stored again. */
  entries: DigestEntry[];
  listed: ListedObject | null;
}

/**
 * @param range of keys to list beyond those that the digests name, both included
 */
export async function* comparison(
  reader: TrailReader,
  digests: readonly Digest[],
  prefix: string,
  range: { first: string; last: string } | null,
  findings: Findings,
): AsyncGenerator<Compared> {
  const parts = digests.flatMap((digest) => digest.parts).sort((a, b) => byKey(a.first, b.first));
  const firsts = [range?.first, ...parts.map(({ first }) => first)].filter((key) => key !== undefined);
  const lasts = [range?.last, ...parts.map(({ last }) => last)].filter((key) => key !== undefined);
  const first = firsts.reduce<string | undefined>(
    (a, b) => (a === undefined || byKey(b, a) < 0 ? b : a),
    undefined,
  );
  const last = lasts.reduce<string | undefined>(
    (a, b) => (a === undefined || byKey(b, a) > 0 ? b : a),
    undefined,
  );
  if (first === undefined || last === undefined) return;

  const entries = named(reader, parts, findings)[Symbol.asyncIterator]();
  let entry = await entries.next();
  async function* upTo(key: string | null): AsyncGenerator<Compared> {
    while (!entry.done && (key === null || byKey(entry.value.key, key) < 0)) {
      const together = [entry.value];
      entry = await entries.next();
      while (!entry.done && entry.value.key === together[0]?.key) {
        together.push(entry.value);
        entry = await entries.next();
      }
      yield { key: together[0]?.key ?? "", entries: together, listed: null };
    }
  }
  // The first key itself is wanted too: listing begins behind the text before it.
  for await (const listed of reader.list(`${prefix}/`, before(first))) {
    if (byKey(listed.key, last) > 0) break;
    yield* upTo(listed.key);
    const together: DigestEntry[] = [];
    while (!entry.done && entry.value.key === listed.key) {
      together.push(entry.value);
      entry = await entries.next();
    }
    yield { key: listed.key, entries: together, listed };
  }
  yield* upTo(null);
}

/** A text that lies before the key and after every key that is not as long; keys have no control characters at their ends. */
const before = (key: string) => key.slice(0, -1);

/** All entries in the order of their keys; parts are read when their first key is reached and forgotten at their last. */
async function* named(
  reader: TrailReader,
  parts: readonly DigestPart[],
  findings: Findings,
): AsyncGenerator<DigestEntry> {
  const open: { entries: DigestEntry[]; at: number }[] = [];
  const key = ({ entries, at }: (typeof open)[number]) => entries[at]?.key ?? "";
  let next = 0;
  for (;;) {
    let least = open.reduce<(typeof open)[number] | null>(
      (a, b) => (a === null || byKey(key(b), key(a)) < 0 ? b : a),
      null,
    );
    const part = parts[next];
    if (part !== undefined && (least === null || byKey(part.first, key(least)) <= 0)) {
      next++;
      const entries = await readPart(reader, part, findings);
      if (entries.length > 0) open.push({ entries, at: 0 });
      continue;
    }
    if (least === null) return;
    yield least.entries[least.at] as DigestEntry;
    least.at++;
    if (least.at === least.entries.length) open.splice(open.indexOf(least), 1);
    least = null;
  }
}

async function readPart(reader: TrailReader, part: DigestPart, findings: Findings): Promise<DigestEntry[]> {
  const bytes = await reader.read(part.key);
  if (bytes === null) {
    findings.add("part_missing", part.key, `it names ${part.objects} objects, ${part.first} to ${part.last}`);
    return [];
  }
  const entries = decode(part, bytes);
  if (entries === null)
    findings.add("part_changed", part.key, `it named ${part.objects} objects, ${part.first} to ${part.last}`);
  return entries ?? [];
}
