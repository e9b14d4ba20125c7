/**
 * Requests added up: whole numbers only, so that the order in which rows come makes no difference and computing a sum again
 * gives the same one, and a histogram of latencies that sums like the rest. Percentiles come from it within 5 %.
 */

export interface Tally {
  requests: number;
  errors: number;
  promptTokens: number;
  completionTokens: number;
  /** 10⁻⁹ dollars. */
  costNano: number;
  /** Microseconds. */
  latencyMicros: number;
  /** Requests by latency: bucket `i` holds those from 1.1^i up to 1.1^(i+1) milliseconds. */
  latencies: Map<number, number>;
}

export interface Counted {
  statusCode?: number | undefined;
  outcome?: string | undefined;
  promptTokens?: number | undefined;
  completionTokens?: number | undefined;
  costUsd?: number | undefined;
  latencyMs?: number | undefined;
}

const RATIO = 1.1;
const LEAST_MS = 0.001;

export const bucketOf = (ms: number) => Math.floor(Math.log(Math.max(ms, LEAST_MS)) / Math.log(RATIO));
/** The middle of a bucket: no latency in it is further away than 4.9 %. */
const middleOf = (bucket: number) => RATIO ** (bucket + 0.5);

export const empty = (): Tally => ({
  requests: 0,
  errors: 0,
  promptTokens: 0,
  completionTokens: 0,
  costNano: 0,
  latencyMicros: 0,
  latencies: new Map(),
});

export const isError = ({ statusCode = 0, outcome }: Counted) =>
  statusCode >= 400 || (outcome !== undefined && outcome !== "completed");

export function add(tally: Tally, row: Counted): void {
  const { latencyMs = 0 } = row;
  tally.requests++;
  if (isError(row)) tally.errors++;
  tally.promptTokens += row.promptTokens ?? 0;
  tally.completionTokens += row.completionTokens ?? 0;
  tally.costNano += Math.round((row.costUsd ?? 0) * 1e9);
  tally.latencyMicros += Math.round(latencyMs * 1000);
  const bucket = bucketOf(latencyMs);
  tally.latencies.set(bucket, (tally.latencies.get(bucket) ?? 0) + 1);
}

export function merge(into: Tally, other: Tally): void {
  into.requests += other.requests;
  into.errors += other.errors;
  into.promptTokens += other.promptTokens;
  into.completionTokens += other.completionTokens;
  into.costNano += other.costNano;
  into.latencyMicros += other.latencyMicros;
  for (const [bucket, count] of other.latencies) {
    into.latencies.set(bucket, (into.latencies.get(bucket) ?? 0) + count);
  }
}

/** The sums, then the histogram as bucket, count, bucket, count … in the buckets' order. */
export type Packed = number[];
const SUMS = 6;

export function pack(tally: Tally): Packed {
  const { requests, errors, promptTokens, completionTokens, costNano, latencyMicros, latencies } = tally;
  const histogram = [...latencies].sort(([a], [b]) => a - b).flat();
  return [requests, errors, promptTokens, completionTokens, costNano, latencyMicros, ...histogram];
}

/** Adds a packed tally without making one of it: charts merge thousands. */
export function mergePacked(into: Tally, packed: Packed): void {
  into.requests += packed[0] ?? 0;
  into.errors += packed[1] ?? 0;
  into.promptTokens += packed[2] ?? 0;
  into.completionTokens += packed[3] ?? 0;
  into.costNano += packed[4] ?? 0;
  into.latencyMicros += packed[5] ?? 0;
  for (let at = SUMS; at + 1 < packed.length; at += 2) {
    const bucket = packed[at] as number;
    into.latencies.set(bucket, (into.latencies.get(bucket) ?? 0) + (packed[at + 1] as number));
  }
}

/** The latency that the share (0 to 1) of requests does not pass, in milliseconds; null without requests. */
export function percentile({ requests, latencies }: Tally, share: number): number | null {
  if (requests === 0) return null;
  let left = Math.max(Math.ceil(requests * share), 1);
  for (const [bucket, count] of [...latencies].sort(([a], [b]) => a - b)) {
    left -= count;
    if (left <= 0) return Math.round(middleOf(bucket) * 1000) / 1000;
  }
  return null;
}

export function figures(tally: Tally) {
  const { requests, errors, promptTokens, completionTokens, costNano, latencyMicros } = tally;
  return {
    requests,
    errors,
    promptTokens,
    completionTokens,
    costUsd: costNano / 1e9,
    meanMs: requests === 0 ? null : latencyMicros / 1000 / requests,
    p50Ms: percentile(tally, 0.5),
    p95Ms: percentile(tally, 0.95),
    p99Ms: percentile(tally, 0.99),
  };
}
export type Figures = ReturnType<typeof figures>;
