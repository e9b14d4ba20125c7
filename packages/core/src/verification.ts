/**
 * Is the trail of a window as it was when its digests were signed? Checks the digests and their chain, reads every object that
 * they name, and holds the objects of each writer against each other. Names what was changed, deleted, added or reordered.
 * In memory are the window's digests, the parts that are being read, and some objects.
 */
import { digestChain, type Window } from "./digest-chain.ts";
import type { TrustedKeys } from "./digest-envelope.ts";
import { DigestLookup } from "./digest-lookup.ts";
import { type Finding, type FindingKind, Findings } from "./finding.ts";
import * as Parallel from "./parallel.ts";
import { type Compared, comparison } from "./trail-comparison.ts";
import { type Inspected, inspect } from "./trail-inspection.ts";
import type { TrailReader } from "./trail-store.ts";
import { WriterChains } from "./writer-chain.ts";

export interface VerifyOptions {
  trusted: TrustedKeys;
  /** Of the audit objects' keys. */
  prefix: string;
  window: Window;
  /** Null for a copy of a trail, which need not be up to date. */
  now: number | null;
  onProgress?: (seen: { objects: number; findings: number }) => void;
  signal?: AbortSignal;
}

export interface Verification {
  from: string;
  to: string;
  digests: number;
  /** Objects that are as they were digested. */
  objects: number;
  /** Objects that came after the last digest. */
  waiting: number;
  /** Objects whose digest cannot be believed: they may be as they were, and nothing proves it. */
  unproven: number;
  counts: Partial<Record<FindingKind, number>>;
  /** The first thousand. */
  findings: Finding[];
  untouched: boolean;
}

const WIDTH = 16;
const DAY_MS = 86_400_000;

/** @throws what the reader throws, and when `signal` ends it */
export async function verify(reader: TrailReader, options: VerifyOptions): Promise<Verification> {
  const { prefix, window, now, signal, trusted } = options;
  const findings = new Findings();
  const { digests, before, until } = await digestChain(reader, window, trusted, findings, now);
  const chains = new WriterChains(findings);
  for (const { writer, last, head } of before?.writers ?? []) chains.headBefore(writer, last, head);
  const lookup = new DigestLookup(reader, trusted);
  const seen = { objects: 0, waiting: 0, unproven: 0 };

  function judge({ key, verdict, detail, link }: Inspected): void {
    if (verdict === "as digested") seen.objects++;
    else if (verdict === "waiting" || verdict === "unproven") seen[verdict]++;
    else if (verdict !== "of another window") findings.add(verdict, key, detail);
    if (link) chains.add(link.writer, { key, ...link });
  }

  let batch: Compared[] = [];
  const settle = async () => {
    const look = (compared: Compared) => inspect(reader, compared, { lookup, window, until, now });
    for (const inspected of await Parallel.map(batch, WIDTH, look)) judge(inspected);
    batch = [];
    options.onProgress?.({ objects: seen.objects, findings: findings.listed.length });
  };
  for await (const compared of comparison(reader, digests, prefix, rangeOf(prefix, window), findings)) {
    signal?.throwIfAborted();
    batch.push(compared);
    if (batch.length >= 8 * WIDTH) await settle();
  }
  await settle();
  chains.end();
  return {
    from: new Date(window.from).toISOString(),
    to: new Date(window.to).toISOString(),
    digests: digests.length,
    ...seen,
    counts: findings.counts,
    findings: findings.listed,
    untouched: findings.untouched,
  };
}

/** Where objects of the window lie, also such as no digest names. */
function rangeOf(prefix: string, { from, to }: Window): { first: string; last: string } {
  const day = (time: number) => new Date(time).toISOString().slice(0, 10).replaceAll("-", "/");
  return {
    first: `${prefix}/${day(Math.max(0, from - 2 * DAY_MS))}/`,
    last: `${prefix}/${day(to + DAY_MS)}/\u{10ffff}`,
  };
}
