/** The verdict on a window: from what `reconcile` saw and what the writers say of themselves. */
import type { State } from "./reconcile.ts";
import { SequenceSet } from "./sequence-set.ts";
import { MAX_SILENCE_MS, type WriterStatement } from "./writer-statement.ts";

export interface Report {
  from: string;
  to: string;
  objects: number;
  rows: number;
  missingRows: { count: number; keys: string[] };
  missingObjects: { count: number; requestIds: string[] };
  requeued: number;
  /** Numbers that a writer gave and no row has. */
  gaps: { writer: string; first: number; last: number }[];
  /** Writers that fell silent without closing: what they held on their disk is unknown. */
  silent: { writer: string; since: string; sequence: number }[];
  missing: number;
  complete: boolean;
}

export interface Said {
  /** The highest number said before the window, in it, and the last statement of all. */
  before: number | null;
  within: number | null;
  last: WriterStatement;
}

export interface Writer {
  seen: SequenceSet;
  first: number | null;
  last: number | null;
}

export function report(
  state: State,
  writers: Map<string, Writer>,
  said: Map<string, Said>,
  now: number,
): Report {
  const gaps: Report["gaps"] = [];
  const silent: Report["silent"] = [];
  for (const writer of new Set([...writers.keys(), ...said.keys()])) {
    const rows = writers.get(writer);
    const statements = said.get(writer);
    const last = Math.max(rows?.last ?? 0, statements?.within ?? 0);
    // A writer that was first heard of in the window began in it, at 1.
    const known = statements?.before ?? (statements?.within === null || statements === undefined ? null : 0);
    const first = Math.min(
      rows?.first ?? Number.POSITIVE_INFINITY,
      known === null ? Number.POSITIVE_INFINITY : known + 1,
    );
    if (Number.isFinite(first)) {
      for (const [from, to] of (rows?.seen ?? new SequenceSet()).missing(first, last)) {
        gaps.push({ writer, first: from, last: to });
      }
    }
    if (!statements || statements.last.state === "closed") continue;
    const since = Date.parse(statements.last.at);
    const fellSilent =
      since >= state.from - MAX_SILENCE_MS && since < state.to && now - since > MAX_SILENCE_MS;
    if (fellSilent) silent.push({ writer, since: statements.last.at, sequence: statements.last.sequence });
  }
  const inGaps = gaps.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const missing = state.missingRows.count + state.missingObjects.count + inGaps;
  return {
    from: new Date(state.from).toISOString(),
    to: new Date(state.to).toISOString(),
    objects: state.objects,
    rows: state.rows,
    missingRows: state.missingRows,
    missingObjects: state.missingObjects,
    requeued: state.requeued,
    gaps,
    silent,
    missing,
    complete: missing === 0 && silent.length === 0,
  };
}

/** `complete`, or what is missing, in one line. */
export function verdict(report: Report): string {
  if (report.complete) return "complete";
  const counted = (count: number, one: string, many: string) =>
    count === 0 ? null : `${count} ${count === 1 ? one : many}`;
  const inGaps = report.missing - report.missingRows.count - report.missingObjects.count;
  const parts = [
    counted(report.missingRows.count, "row", "rows"),
    counted(report.missingObjects.count, "object", "objects"),
    counted(inGaps, "number in a writer's sequence", "numbers in writers' sequences"),
  ].filter((part) => part !== null);
  const silent = counted(
    report.silent.length,
    "writer fell silent without closing",
    "writers fell silent without closing",
  );
  return [report.missing > 0 ? `${report.missing} missing (${parts.join(", ")})` : null, silent]
    .filter((part) => part !== null)
    .join("; ");
}
