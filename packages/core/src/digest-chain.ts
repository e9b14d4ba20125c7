/** Are the digests of a window all there, signed, and each chained to the one before? */
import { createHash } from "node:crypto";
import { type Digest, digestKey, HOUR_MS, HOURS_PREFIX, parseDigestKey, SETTLED_MS } from "./digest.ts";
import { open, type TrustedKeys } from "./digest-envelope.ts";
import type { Findings } from "./finding.ts";
import type { TrailReader } from "./trail-store.ts";

export interface Window {
  /** Epoch milliseconds, `to` excluded. */
  from: number;
  to: number;
}

export interface BelievedDigests {
  /** Signed and of the window, in the order of time. */
  digests: Digest[];
  /** The one before them, when it is there and signed. */
  before: Digest | null;
  /** Where the last digest of all ends (epoch milliseconds); 0 when there is none. */
  until: number;
}

/** How long after its hour is settled a digest may take. */
const MAX_DELAY_MS = 2 * HOUR_MS;
const MAX_NAMED = 1_000;

interface Read {
  key: string;
  from: number;
  /** The end of its period, epoch milliseconds. */
  to: number;
  sha256: string;
  digest: Digest | null;
  fault: string | null;
}

/** @param now null for a copy, whose end nobody knows: then digests that are missing at the end are not named */
export async function digestChain(
  reader: TrailReader,
  window: Window,
  trusted: TrustedKeys,
  findings: Findings,
  now: number | null,
): Promise<BelievedDigests> {
  const believed: BelievedDigests = { digests: [], before: null, until: 0 };
  let earlier: string | null = null;
  let last: Read | null = null;
  for await (const { key } of reader.list(HOURS_PREFIX)) {
    const from = parseDigestKey(key);
    if (from === null) {
      findings.add("digest_invalid", key, "has a name that no digest has");
      continue;
    }
    if (from >= window.to) {
      believed.until = from + HOUR_MS;
      continue;
    }
    if (from > 0 && from + HOUR_MS <= window.from) {
      earlier = key;
      believed.until = from + HOUR_MS;
      continue;
    }
    if (earlier !== null) {
      last = await read(reader, earlier, trusted);
      earlier = null;
    }
    const current = await read(reader, key, trusted);
    believed.until = current.to;
    if (current.to <= window.from) {
      last = current;
      continue;
    }
    if (believed.digests.length === 0 && last?.fault === null) believed.before = last.digest;
    if (current.fault !== null) findings.add("digest_invalid", key, current.fault);
    else if (current.digest) believed.digests.push(current.digest);
    compare(last, current, window, findings);
    last = current;
  }
  // Where there is none at all, the objects that wait for one say so.
  if (now !== null && believed.until > 0) {
    const due = Math.min(window.to, now - SETTLED_MS - MAX_DELAY_MS);
    nameMissing(Math.max(believed.until, hourOf(window.from)), due, findings);
  }
  return believed;
}

const hourOf = (time: number) => time - (time % HOUR_MS);

async function read(reader: TrailReader, key: string, trusted: TrustedKeys): Promise<Read> {
  const bytes = (await reader.read(key)) ?? new Uint8Array();
  const from = parseDigestKey(key) ?? 0;
  const { digest, fault } = open(key, bytes, trusted);
  return {
    key,
    from,
    to: from === 0 && digest ? Date.parse(digest.period.to) : from + HOUR_MS,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    digest,
    fault,
  };
}

/** Is `current` the one that follows `last`? What is named already is not named again. */
function compare(last: Read | null, current: Read, window: Window, findings: Findings): void {
  const { key, digest, fault, from } = current;
  if (!digest || fault !== null) {
    // Of what nobody signed only the time is of use: are there digests between the two?
    if (last !== null && last.to < from) nameMissing(last.to, from, findings);
    return;
  }
  if (digest.previous === null) {
    if (last !== null || digest.number !== 1)
      findings.add("digest_invalid", key, "says that it is the first, and is not");
    return;
  }
  if (last === null || last.to < from) {
    const missingFrom = last?.to ?? parseDigestKey(digest.previous.key) ?? from - HOUR_MS;
    nameMissing(missingFrom, from, findings);
    return;
  }
  if (digest.previous.key !== last.key || digest.previous.sha256 !== last.sha256) {
    const named = last.fault !== null && last.to > window.from;
    if (!named)
      findings.add("digest_invalid", last.key, `is not the one that ${key} follows: it was replaced`);
  } else if (last.digest && digest.number !== last.digest.number + 1) {
    findings.add("digest_invalid", key, `has number ${digest.number} after ${last.digest.number}`);
  }
}

function nameMissing(from: number, to: number, findings: Findings): void {
  // 1970: the first digest of all, which is one for all hours before it.
  if (from === 0 && to > 0) {
    findings.add("digest_missing", digestKey(0), "the first digest is not there");
    return;
  }
  for (let hour = from, named = 0; hour + HOUR_MS <= to && named < MAX_NAMED; hour += HOUR_MS, named++)
    findings.add("digest_missing", digestKey(hour), "its hour is over and it is not there");
}
