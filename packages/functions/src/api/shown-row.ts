/** A row as the console shows it to a person: what they may not see is null. */
import type { ListedRow } from "@central-llm/core/listed-row";
import type { Row } from "./contract-audit.ts";
import { may, type Person } from "./permission.ts";

/** The fields of a row that `preview.read` opens. */
export const PREVIEWS = ["promptPreview", "responsePreview"] as const;

export function shownRow(row: ListedRow, person: Person): Row {
  const previews = may(person, "preview.read");
  return {
    requestId: row.requestId,
    receivedAt: row.receivedAt,
    projectId: row.projectId,
    userId: row.userId ?? "",
    statusCode: row.statusCode ?? 0,
    outcome: row.outcome ?? "completed",
    profile: row.profile ?? null,
    model: row.model ?? null,
    requestType: row.requestType ?? null,
    stream: row.stream ?? false,
    latencyMs: row.latencyMs ?? 0,
    timeToFirstTokenMs: row.timeToFirstTokenMs ?? null,
    promptTokens: row.promptTokens ?? null,
    completionTokens: row.completionTokens ?? null,
    costUsd: row.costUsd ?? null,
    flags: row.flags ?? [],
    promptPreview: previews ? (row.promptPreview ?? null) : null,
    responsePreview: previews ? (row.responsePreview ?? null) : null,
  };
}
