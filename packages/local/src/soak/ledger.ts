/** The soak's ledger: what callers saw against what the audit holds, and which promises that breaks. */
import type { Report } from "@central-llm/core/reconcile-report";
import { chainProblems } from "@central-llm/proxy/testing/audit-trail";
import type { JournalEntry } from "./fault-schedule.ts";
import type { ProxyLife } from "./proxy-life.ts";
import type { ProxyWatch } from "./proxy-watch.ts";
import type { Entry, RequestBook } from "./request-book.ts";
import type { Settlement } from "./settlement.ts";
import type { AuditedRequest } from "./stored-trail.ts";

export interface Evidence {
  settings: { minutes: number; rate: number; seed: number };
  startedAt: number;
  endedAt: number;
  book: RequestBook;
  lives: ProxyLife[];
  journal: JournalEntry[];
  watch: ProxyWatch;
  objects: AuditedRequest[];
  rows: string[];
  reconciled: Report;
  settlement: Settlement;
  leftOverProcesses: number[];
}

export interface Ledger {
  missing: Entry[];
  /** Missing, of a proxy that was made to lose them, and named by reconcile. */
  lost: Entry[];
  duplicateObjects: number;
  duplicateRows: number;
  objectsWithoutRow: number;
  rowsWithoutObject: number;
  /** Objects of requests that nobody sent. */
  strangers: number;
  /** Objects that say another status or size than the caller saw. */
  contradictions: string[];
  interrupted: number;
  chainProblems: string[];
  /** Numbers in writers' sequences that reconcile named. */
  gaps: number;
  rssDrift: number;
  /** In words; empty when every promise was kept. */
  broken: string[];
}

/** Below it, memory has not settled and its slope says nothing. */
const SHORTEST_FOR_SLOPE_MS = 9 * 60_000;
const MAX_DRIFT = 0.1;

export function ledgerOf(evidence: Evidence): Ledger {
  const { book, objects, rows, reconciled, settlement, watch } = evidence;
  const byNumber = Map.groupBy(objects, ({ number }) => number);
  const missing: Entry[] = [];
  const lost: Entry[] = [];
  const contradictions: string[] = [];
  for (const entry of book.entries.values()) {
    const [object] = byNumber.get(entry.number) ?? [];
    if (object) contradictions.push(...contradictionsOf(entry, object));
    else if (mustBeAudited(entry)) (named(entry.life, reconciled) ? lost : missing).push(entry);
  }
  const objectKeys = new Set(objects.map(({ key }) => key));
  const rowKeys = new Set(rows);
  const losers = new Set(
    evidence.lives.filter(({ mayLose }) => mayLose !== null).map(({ writer }) => writer),
  );
  const lostDisks = new Set(
    evidence.lives.filter(({ mayLose }) => mayLose === "disk").map(({ writer }) => writer),
  );
  const problems = chainProblems(objects);
  const isGap = (problem: string) => problem.includes(" follows where ");
  const placeOf = (problem: string) => problem.split(" ", 2).join(" ");
  const gaps = new Set(problems.filter(isGap).map(placeOf));
  /** What found no room was never in the chain; what was on its way when the disk was lost was, and its successor names its hash. */
  const isOfLoss = (problem: string) => {
    const [writer = ""] = problem.split(":", 1);
    return isGap(problem) ? losers.has(writer) : lostDisks.has(writer) && gaps.has(placeOf(problem));
  };
  const ledger: Omit<Ledger, "broken"> = {
    missing,
    lost,
    duplicateObjects: [...byNumber].reduce(
      (sum, [number, list]) => sum + (number === null ? 0 : list.length - 1),
      0,
    ),
    duplicateRows: rows.length - rowKeys.size,
    objectsWithoutRow: without(objectKeys, rowKeys),
    rowsWithoutObject: without(rowKeys, objectKeys),
    strangers: objects.filter(({ number }) => number === null || !book.entries.has(number)).length,
    contradictions,
    interrupted: objects.filter(({ outcome }) => outcome === "interrupted").length,
    chainProblems: problems.filter((problem) => !isOfLoss(problem)),
    gaps: reconciled.gaps.reduce((sum, { first, last }) => sum + last - first + 1, 0),
    rssDrift: watch.drift("rssBytes", 1 / 3, 1),
  };
  const unnamed = [...reconciled.gaps, ...reconciled.silent].filter(({ writer }) => !losers.has(writer));
  const unaccounted = evidence.lives.reduce((sum, life) => sum + beyondNamed(life, lost, reconciled), 0);
  const files = {
    warm: watch.median("openFiles", 0.1, 0.3),
    end: watch.median("openFiles", 0.8, 1),
  };
  const long = evidence.endedAt - evidence.startedAt >= SHORTEST_FOR_SLOPE_MS;
  const broken = [
    count(missing.length, "requests are missing in the audit"),
    count(ledger.duplicateObjects, "requests have more than one object"),
    count(ledger.duplicateRows, "rows are there more than once"),
    count(ledger.objectsWithoutRow, "objects have no row"),
    count(ledger.rowsWithoutObject, "rows have no object"),
    count(ledger.strangers, "objects are of requests that nobody sent"),
    count(contradictions.length, "objects contradict what the caller saw"),
    count(ledger.chainProblems.length, "breaks in writers' chains"),
    count(book.count("unexplained"), "callers saw an error that the upstream did not cause"),
    count(
      reconciled.missingRows.count + reconciled.missingObjects.count,
      "rows or objects that reconcile misses",
    ),
    count(unnamed.length, "gaps or silences of writers that were not made to lose anything"),
    count(unaccounted, "lost requests beyond the numbers that reconcile names"),
    count(settlement.unsettled.ingest, "messages left in the ingest queue"),
    count(settlement.unsettled.deadLetters, "dead letters that a replay did not settle"),
    count(settlement.spoolLeftOver.length, "folders left in the spool"),
    count(settlement.complaints.length, "proxies that misbehaved"),
    count(evidence.leftOverProcesses.length, "processes left over"),
    long && Math.abs(ledger.rssDrift) > MAX_DRIFT ? `memory drifts by ${percent(ledger.rssDrift)}` : null,
    long && files.end > files.warm * 1.25 + 20 ? `open files grew from ${files.warm} to ${files.end}` : null,
  ];
  return { ...ledger, broken: broken.filter((one) => one !== null) };
}

const without = (some: Set<string>, others: Set<string>) =>
  [...some].filter((key) => !others.has(key)).length;
const count = (number: number, what: string) => (number === 0 ? null : `${number} ${what}`);
export const percent = (share: number) => `${(share * 100).toFixed(1)} %`;

/** The platform had it and it came to an end that somebody saw. A killed proxy may not have read it yet. */
function mustBeAudited({ ending, status }: Entry): boolean {
  return ending === "answered" || ending === "upstream" || (ending === "left" && status !== null);
}

/** Whether reconcile says that this writer lost something. */
function named({ mayLose, writer }: ProxyLife, { gaps, silent }: Report): boolean {
  return mayLose !== null && [...gaps, ...silent].some((finding) => finding.writer === writer);
}

/** Lost requests of a writer that has no number missing for them; one that fell silent has named all that came after. */
function beyondNamed({ writer }: ProxyLife, lost: Entry[], { gaps, silent }: Report): number {
  if (silent.some((finding) => finding.writer === writer)) return 0;
  const numbers = gaps.reduce((sum, gap) => sum + (gap.writer === writer ? gap.last - gap.first + 1 : 0), 0);
  return Math.max(0, lost.filter(({ life }) => life.writer === writer).length - numbers);
}

function contradictionsOf(
  entry: Entry,
  { key, outcome, statusCode, responseBytes }: AuditedRequest,
): string[] {
  if (entry.ending !== "answered") return [];
  if (outcome === "interrupted") {
    // The end of an answer that had gone may die with its proxy; its question is there.
    return entry.life.killedAt === null ? [`${key}: interrupted, though its proxy was not killed`] : [];
  }
  return [
    statusCode === entry.status ? null : `${key}: status ${statusCode}, the caller saw ${entry.status}`,
    responseBytes === entry.bytes ? null : `${key}: ${responseBytes} bytes, the caller saw ${entry.bytes}`,
  ].filter((one) => one !== null);
}
