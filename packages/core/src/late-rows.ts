/** Rows that come after their minute was counted: the minute is marked, so that charts count it again. */
import type { AuditRow } from "./audit-row.ts";
import type { AuditTable } from "./audit-table.ts";
import * as RollupMark from "./rollup-mark.ts";
import * as RollupRun from "./rollup-run.ts";

/** A row that expires within this may be gone when its minute is counted again: its minute is left as it is. */
const EXPIRES_SOON_SECONDS = 86_400;
const MARKS = 25;

/**
 * Has charts count the minutes of late rows again; those of timely rows are counted anyway. After the rows are stored, since
 * the count may begin at once.
 * @returns the rows whose minute could not be marked: their events must come again
 */
export async function mark(table: AuditTable, rows: AuditRow[]): Promise<Map<AuditRow, Error>> {
  const now = Date.now();
  const unmarked = new Map<AuditRow, Error>();
  const late = rows.filter(
    ({ createdAt, profile, expiresAt = Number.POSITIVE_INFINITY }) =>
      profile !== "console" &&
      expiresAt > now / 1000 + EXPIRES_SOON_SECONDS &&
      RollupRun.isLate(createdAt.split("#", 1)[0] ?? "", now),
  );
  const minutes = Map.groupBy(late, ({ createdAt }) =>
    RollupRun.minuteOf(Date.parse(createdAt.split("#", 1)[0] ?? "")),
  );
  const all = [...minutes.keys()];
  for (let at = 0; at < all.length; at += MARKS) {
    const batch = all.slice(at, at + MARKS);
    try {
      await RollupMark.mark(table, batch);
    } catch (error) {
      for (const row of batch.flatMap((minute) => minutes.get(minute) ?? []))
        unmarked.set(row, error as Error);
    }
  }
  return unmarked;
}
