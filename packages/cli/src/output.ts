/**
 * Rows as a table, JSON, JSON lines or CSV. Audit data is written by strangers: a table and JSON carry no control
 * characters to the terminal, and a CSV cell no formula to a spreadsheet.
 */
import Table from "cli-table3";
import { stringify } from "csv-stringify/sync";

export const FORMATS = ["table", "json", "jsonl", "csv"] as const;
export type Format = (typeof FORMATS)[number];

export interface Column<T> {
  title: string;
  /** A table's text, and for CSV when `raw` is absent. */
  text(row: T): string;
  align?: "left" | "right";
}

/** Terminals obey C0, DEL and C1; bidirectional marks can make a line read as another one. */
const HOSTILE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

export const printable = (text: string) => text.replace(HOSTILE, "·");

/** JSON escapes C0 itself; the rest is escaped here, which changes no value. */
export const json = (value: unknown, indent?: number) =>
  JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f\p{Bidi_Control}\u2028\u2029]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

const NO_BORDER = Object.fromEntries(
  [
    "top",
    "top-mid",
    "top-left",
    "top-right",
    "bottom",
    "bottom-mid",
    "bottom-left",
    "bottom-right",
    "left",
    "left-mid",
    "mid",
    "mid-mid",
    "right",
    "right-mid",
  ].map((name) => [name, ""]),
);

export function table<T>(columns: Column<T>[], rows: T[]): string {
  const made = new Table({
    head: columns.map(({ title }) => title),
    colAligns: columns.map(({ align = "left" }) => align),
    chars: { ...NO_BORDER, middle: "  " },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  made.push(...rows.map((row) => columns.map(({ text }) => printable(text(row)))));
  return made
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

/** @param cells one value a column; lists are joined with a space */
export function csv(cells: unknown[][]): string {
  const flat = cells.map((row) => row.map((cell) => (Array.isArray(cell) ? cell.join(" ") : (cell ?? ""))));
  // A leading = + - @ would make a spreadsheet run the cell.
  return stringify(flat, { escape_formulas: true, cast: { boolean: String } });
}
