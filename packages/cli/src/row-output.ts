/** Audit rows on the command line. */
import { LIST_ATTRIBUTES } from "@central-llm/core/audit-table-definition";
import type { ListedRow } from "@central-llm/core/listed-row";
import * as Output from "./output.ts";

const number = (value: number | undefined, digits = 0) =>
  value === undefined
    ? ""
    : value.toLocaleString("en-US", { maximumFractionDigits: digits, minimumFractionDigits: digits });

const COLUMNS: Output.Column<ListedRow>[] = [
  { title: "TIME (UTC)", text: ({ receivedAt }) => receivedAt.replace("T", " ").replace("Z", "") },
  { title: "STATUS", text: ({ statusCode }) => (statusCode ? String(statusCode) : "?") },
  { title: "LATENCY MS", text: ({ latencyMs }) => number(latencyMs), align: "right" },
  { title: "PROJECT", text: ({ projectId }) => projectId },
  { title: "USER", text: ({ userId }) => userId ?? "" },
  { title: "MODEL", text: ({ model }) => model ?? "" },
  {
    title: "TOKENS",
    text: ({ promptTokens, completionTokens }) =>
      promptTokens === undefined ? "" : `${number(promptTokens)}+${number(completionTokens)}`,
    align: "right",
  },
  { title: "USD", text: ({ costUsd }) => number(costUsd, 4), align: "right" },
  {
    title: "OUTCOME",
    text: ({ outcome, stream, flags = [] }) =>
      [outcome ?? "", ...(stream ? ["stream"] : []), ...flags].join(" "),
  },
  { title: "REQUEST", text: ({ requestId }) => requestId },
];

const CSV_COLUMNS = [
  "receivedAt",
  "requestId",
  "projectId",
  ...LIST_ATTRIBUTES,
  "promptPreview",
  "responsePreview",
] as const;

/** Writes rows as pages come: CSV and JSON lines at once, a table and JSON when all are there. */
export function writer(format: Output.Format, write: (text: string) => void) {
  const kept: ListedRow[] = [];
  if (format === "csv") write(Output.csv([[...CSV_COLUMNS]]));
  return {
    rows(rows: ListedRow[]): void {
      if (format === "jsonl") for (const row of rows) write(`${Output.json(withoutKeys(row))}\n`);
      else if (format === "csv") write(Output.csv(rows.map((row) => CSV_COLUMNS.map((name) => row[name]))));
      else kept.push(...rows);
    },
    end(rest: { cursor: string | null; searchedUntil: string | null }): void {
      if (format === "json") write(`${Output.json({ rows: kept.map(withoutKeys), ...rest }, 2)}\n`);
      if (format === "table") write(kept.length > 0 ? `${Output.table(COLUMNS, kept)}\n` : "no rows\n");
    },
  };
}

export const tableLine = (rows: ListedRow[]) => Output.table(COLUMNS, rows);

/** The table's keys say nothing that the other fields do not. */
function withoutKeys({ id: _, createdAt: __, ...row }: ListedRow) {
  return row;
}
