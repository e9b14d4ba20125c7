/** What is wrong with the trail, in sentences for people, the worst first. */
import type { Overview } from "./contract-overview.ts";

type Finding = Overview["health"]["findings"][number];

const MINUTE_MS = 60_000;
/** As the alarms of infra/: ingest behind by 15 minutes; reconcile and digest run every hour. */
const BEHIND_MS = 15 * MINUTE_MS;
const HOURLY_LATE_MS = 150 * MINUTE_MS;
const ROLLUPS_LATE_MS = 5 * MINUTE_MS;

const age = (ms: number) =>
  ms < 120 * MINUTE_MS ? `${Math.round(ms / MINUTE_MS)} minutes` : `${Math.round(ms / 3_600_000)} hours`;
const counted = (count: number, one: string, many: string) => `${count} ${count === 1 ? one : many}`;

export function findings(
  {
    ingest,
    deadLetters,
    trail,
    chain,
    asOf,
    chainFault,
  }: Pick<Overview, "ingest" | "deadLetters" | "trail" | "chain" | "asOf"> & { chainFault: string | null },
  now: number,
): Overview["health"] {
  const found: Finding[] = [];
  const say = (condition: boolean, finding: Finding) => {
    if (condition) found.push(finding);
  };
  say(trail.missing > 0, {
    code: "audit_missing",
    severity: "critical",
    message: `${counted(trail.missing, "record is", "records are")} missing from the last two days.`,
  });
  say(trail.silentWriters > 0, {
    code: "writers_silent",
    severity: "critical",
    message: `${counted(trail.silentWriters, "writer", "writers")} fell silent without an end: what they held is unknown.`,
  });
  say(chainFault !== null, {
    code: "chain_broken",
    severity: "critical",
    message: `The chain of digests cannot be followed: ${chainFault}.`,
  });
  say(ingest.waiting > 0 && (ingest.lagMs ?? 0) > BEHIND_MS, {
    code: "ingest_behind",
    severity: "critical",
    message: `${counted(ingest.waiting, "record waits", "records wait")}, and the newest listed is ${age(ingest.lagMs ?? 0)} old.`,
  });
  say(deadLetters.count > 0, {
    code: "dead_letters",
    severity: "warning",
    message: `${counted(deadLetters.count, "record", "records")} could not be listed and wait in the dead-letter queue.`,
  });
  const reconciled = trail.reconciledUntil === null ? null : now - Date.parse(trail.reconciledUntil);
  say(reconciled !== null && reconciled > HOURLY_LATE_MS, {
    code: "not_reconciled",
    severity: "warning",
    message: `Nothing was reconciled for ${age(reconciled ?? 0)}.`,
  });
  say(chain !== null && chain.ageMs > HOURLY_LATE_MS, {
    code: "chain_old",
    severity: "warning",
    message: `The last signed digest is ${age(chain?.ageMs ?? 0)} old.`,
  });
  const stale = asOf === null ? null : now - Date.parse(asOf);
  say(stale !== null && stale > ROLLUPS_LATE_MS, {
    code: "rollups_old",
    severity: "warning",
    message: `Charts and totals are ${age(stale ?? 0)} old.`,
  });
  const state = found.some(({ severity }) => severity === "critical")
    ? "critical"
    : found.length > 0
      ? "warning"
      : "ok";
  return { state, findings: found };
}
