/** A week of rows for `bench/console`: ten projects of different sizes, 2,000 users, failures among the successes. */
import { requestIdAt, sample } from "@central-llm/core/audit-record-sample";
import * as AuditRow from "@central-llm/core/audit-row";
import * as AuditTable from "@central-llm/core/audit-table";

export const DAYS = 7;
const DAY_MS = 86_400_000;
const CHUNK = 1_000;
const STATUSES = [400, 403, 429, 500, 502, 503] as const;
const MODELS = ["ministral-8b-instruct", "claude-3-5-sonnet", "gpt-4o-mini", "gpt-4o"];

/** The same index gives the same row, so that a table can be filled in two goes. */
function row(index: number, count: number, end: number): AuditRow.AuditRow {
  const time = end - Math.floor(((count - index) / count) * DAYS * DAY_MS);
  const mixed = Math.imul(index + 1, 2654435761) >>> 0;
  const failed = mixed % 50 === 0;
  const statusCode = failed ? (STATUSES[(mixed >>> 8) % STATUSES.length] ?? 500) : 200;
  const record = sample({
    requestId: requestIdAt(time),
    receivedAt: new Date(time).toISOString(),
    // project-0 has half of the rows, project-1 a quarter …
    projectId: `project-${Math.min(Math.clz32(mixed << 4 || 1), 9)}`,
    userId: `user-${(mixed >>> 5) % 2_000}`,
    statusCode,
    outcome: failed ? "upstream_error" : "completed",
    model: { requested: null, served: MODELS[(mixed >>> 12) % MODELS.length] ?? null, provider: "vllm" },
    latencyMs: 50 + ((mixed >>> 3) % 40_000) ** 2 / 40_000,
    chain: { writer: "bench", sequence: index + 1, previousHash: null },
  });
  const key = `logs/${record.receivedAt.slice(0, 10).replaceAll("-", "/")}/${record.requestId}.json`;
  const place = { bucket: "central-llm-audit", key };
  return AuditRow.fromStored({ ...record, legacy: false }, place, { maxPreviewChars: 2048 });
}

/** @param end epoch milliseconds: the newest row's time @throws Error when rows cannot be stored */
export async function fill(
  table: AuditTable.AuditTable,
  { from, count, end }: { from: number; count: number; end: number },
  onProgress: (rows: number) => void,
): Promise<void> {
  for (let at = from; at < count; at += CHUNK) {
    const rows = Array.from({ length: Math.min(CHUNK, count - at) }, (_, i) => row(at + i, count, end));
    const failures = await AuditTable.writeRows(table, rows);
    if (failures.size > 0) throw new Error(`${failures.size} rows were not stored`);
    onProgress(at + rows.length);
  }
}
