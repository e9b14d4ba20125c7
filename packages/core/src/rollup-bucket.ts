/** The tallies of one bucket of time and one scope (all projects, or one), by each dimension; and its form in DynamoDB. */
import { gunzipSync, gzipSync } from "node:zlib";
import type { ListedRow } from "./listed-row.ts";
import * as Tally from "./rollup-tally.ts";

export const DIMENSIONS = [
  "project",
  "user",
  "model",
  "status",
  "outcome",
  "profile",
  "requestType",
] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** Values that did not fit: counted together under a name that none has. */
export const OTHER = "";

export interface Bucket {
  total: Tally.Tally;
  by: Record<Dimension, Map<string, Tally.Tally>>;
}

export const empty = (): Bucket => ({
  total: Tally.empty(),
  by: Object.fromEntries(DIMENSIONS.map((name) => [name, new Map()])) as unknown as Bucket["by"],
});

const nameIn: Record<Dimension, (row: ListedRow) => string> = {
  project: ({ projectId }) => projectId,
  user: ({ userId }) => userId || "unknown",
  model: ({ model }) => model || "unknown",
  status: ({ statusCode }) => String(statusCode ?? 0),
  outcome: ({ outcome }) => outcome || "unknown",
  profile: ({ profile }) => profile || "unknown",
  requestType: ({ requestType }) => requestType || "unknown",
};

export function tallyOf(values: Map<string, Tally.Tally>, value: string): Tally.Tally {
  let tally = values.get(value);
  if (tally === undefined) {
    tally = Tally.empty();
    values.set(value, tally);
  }
  return tally;
}

/** @param scope within one project the dimension of projects says nothing */
export function add(bucket: Bucket, row: ListedRow, scope: "all" | "project"): void {
  Tally.add(bucket.total, row);
  for (const name of DIMENSIONS) {
    if (name === "project" && scope === "project") continue;
    Tally.add(tallyOf(bucket.by[name], nameIn[name](row)), row);
  }
}

export function merge(into: Bucket, other: Bucket): void {
  Tally.merge(into.total, other.total);
  for (const name of DIMENSIONS) {
    for (const [value, tally] of other.by[name]) Tally.merge(tallyOf(into.by[name], value), tally);
  }
}

/** In three attributes, since most readers need only the first or second: decoding is what a chart costs. */
export interface StoredBucket {
  /** JSON of the packed total. */
  total: string;
  /** Gzipped JSON: dimension → value → packed tally. Users, who may be many, apart. */
  dimensions: Uint8Array;
  users: Uint8Array;
}

/** An item holds 400 KB; the attributes besides users are small unless somebody makes up names. */
const MAX_DIMENSIONS_BYTES = 120_000;
const MAX_USERS_BYTES = 230_000;
const MAX_VALUES = 5_000;

type PackedValues = Record<string, Tally.Packed>;
const byName = ([a]: [string, unknown], [b]: [string, unknown]) => (a < b ? -1 : a > b ? 1 : 0);

/** The most frequent values, the rest as one; in the order of their names, so that equal tallies give equal bytes. */
function packed(values: Map<string, Tally.Tally>, max: number): PackedValues {
  const named = [...values].filter(([value]) => value !== OTHER);
  const ranked =
    named.length <= max ? named : named.sort((a, b) => b[1].requests - a[1].requests || byName(a, b));
  const kept: [string, Tally.Packed][] = ranked
    .slice(0, max)
    .map(([value, tally]) => [value, Tally.pack(tally)]);
  const rest = Tally.empty();
  for (const tally of [...ranked.slice(max).map(([, tally]) => tally), values.get(OTHER) ?? Tally.empty()]) {
    Tally.merge(rest, tally);
  }
  if (rest.requests > 0) kept.push([OTHER, Tally.pack(rest)]);
  return Object.fromEntries(kept.sort(byName));
}

/** Fewer values until it fits: only then are some counted as others. */
function fitted(make: (max: number) => unknown, maxBytes: number): Uint8Array {
  for (let max = MAX_VALUES; ; max = Math.floor(max / 2)) {
    const bytes = gzipSync(JSON.stringify(make(max)), { level: 6 });
    if (bytes.length <= maxBytes || max === 0) return bytes;
  }
}

export function store({ total, by }: Bucket): StoredBucket {
  const small = DIMENSIONS.filter((name) => name !== "user");
  return {
    total: JSON.stringify(Tally.pack(total)),
    dimensions: fitted(
      (max) => Object.fromEntries(small.map((name) => [name, packed(by[name], max)])),
      MAX_DIMENSIONS_BYTES,
    ),
    users: fitted((max) => packed(by.user, max), MAX_USERS_BYTES),
  };
}

const json = (bytes: Uint8Array) => JSON.parse(gunzipSync(bytes).toString());

export const readTotal = ({ total }: Pick<StoredBucket, "total">): Tally.Packed => JSON.parse(total);

/** What is there of it, by dimension. */
export function decode(stored: Partial<StoredBucket>): Partial<Record<Dimension, PackedValues>> {
  return {
    ...(stored.dimensions && json(stored.dimensions)),
    ...(stored.users && { user: json(stored.users) }),
  };
}

export function mergeStored(into: Bucket, stored: StoredBucket): void {
  Tally.mergePacked(into.total, readTotal(stored));
  const all = decode(stored);
  for (const name of DIMENSIONS) {
    for (const [value, tally] of Object.entries(all[name] ?? {})) {
      Tally.mergePacked(tallyOf(into.by[name], value), tally);
    }
  }
}
