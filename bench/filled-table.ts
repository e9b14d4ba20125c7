/** Grows the audit table to a size, with rows like those of production: thirty days, twenty projects, mostly 200. */
import { requestIdAt, sample } from "@central-llm/core/audit-record-sample";
import * as AuditRow from "@central-llm/core/audit-row";
import * as AuditTable from "@central-llm/core/audit-table";

const CHUNK = 1_000;
const DAY = 86_400_000;
const STATUSES = [200, 200, 200, 200, 200, 200, 200, 200, 400, 429];

function row(index: number): AuditRow.AuditRow {
  const time = Date.now() - (index % 30) * DAY - (index % 86_400) * 1_000;
  const record = sample({
    requestId: requestIdAt(time),
    receivedAt: new Date(time).toISOString(),
    projectId: `project-${index % 20}`,
    userId: `user-${index % 500}`,
    statusCode: STATUSES[index % STATUSES.length] ?? 200,
    latencyMs: index % 5_000,
  });
  const key = `logs/${record.receivedAt.slice(0, 10).replaceAll("-", "/")}/${record.requestId}.json`;
  const place = { bucket: "central-llm-audit", key };
  return AuditRow.fromStored({ ...record, legacy: false }, place, { maxPreviewChars: 2048 });
}

/** @throws Error when rows cannot be stored */
export async function fill(table: AuditTable.AuditTable, from: number, to: number): Promise<void> {
  let shown = Date.now();
  for (let at = from; at < to; at += CHUNK) {
    const rows = Array.from({ length: Math.min(CHUNK, to - at) }, (_, i) => row(at + i));
    const failures = await AuditTable.writeRows(table, rows);
    if (failures.size > 0) throw new Error(`${failures.size} rows were not stored`);
    if (Date.now() - shown > 5_000) {
      console.error(`[bench] filling the table: ${at + rows.length} of ${to} rows`);
      shown = Date.now();
    }
  }
}
