/** Rows as lines of an export: CSV whose cells no spreadsheet takes for formulas, or JSON. */
import { LIST_ATTRIBUTES } from "@central-llm/core/audit-table-definition";
import type { ListedRow } from "@central-llm/core/listed-row";
import { stringify } from "csv-stringify/sync";

export const COLUMNS = [
  "receivedAt",
  "requestId",
  "projectId",
  ...LIST_ATTRIBUTES,
  "promptPreview",
  "responsePreview",
] as const;

const values = (row: ListedRow) =>
  COLUMNS.map((name) => {
    const value = row[name];
    return Array.isArray(value) ? value.join(" ") : value;
  });

/** @param row null: what stands before the rows */
export function exportLine(format: "csv" | "jsonl", row: ListedRow | null): string {
  if (format === "csv") {
    // Excel and its kin take a cell that begins with = + - @, a tab or a line break for a formula (OWASP, CSV injection).
    return stringify([row === null ? [...COLUMNS] : values(row)], {
      escape_formulas: true,
      record_delimiter: "windows",
      // RFC 4180: a cell with a line break of either kind is quoted. The package looks for its own record delimiter alone.
      quoted_match: /[\r\n]/,
      cast: { boolean: String },
    });
  }
  if (row === null) return "";
  return `${JSON.stringify(Object.fromEntries(COLUMNS.map((name) => [name, row[name] ?? null])))}\n`;
}
