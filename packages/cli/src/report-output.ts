/** Rows of the gateway's administration: as a table for people, whole as JSON, JSON lines or CSV. */
import { type Command, Option } from "commander";
import * as Output from "./output.ts";

export type Row = Record<string, unknown>;

export interface Field {
  /** In the row, and CSV's heading. */
  name: string;
  /** A table's heading. */
  title: string;
  /** A table's text of the value; the value as it is when absent. */
  text?(value: unknown, row: Row): string;
  align?: "left" | "right";
}

export interface FormatOptions {
  format: Output.Format;
  json?: boolean;
}

export const withFormat = (command: Command): Command =>
  command
    .addOption(new Option("-f, --format <format>", "output").choices(Output.FORMATS).default("table"))
    .option("--json", "the same as --format json");

export const plain = (value: unknown): string => {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? Output.json(value) : String(value);
};
export const count = (value: unknown) =>
  value === null || value === undefined ? "" : Number(value).toLocaleString("en-US");
/** Dollars, with as many digits as small sums need. */
export const dollars = (value: unknown) =>
  value === null || value === undefined
    ? ""
    : Number(value).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 6 });
/** A moment, to the second, in UTC. */
export const moment = (value: unknown) =>
  typeof value === "string" ? value.slice(0, 19).replace("T", " ") : "";

/** @param none what a table says when there are no rows */
export function text(rows: Row[], fields: Field[], { format, json }: FormatOptions, none: string): string {
  if (json || format === "json") return `${Output.json(rows, 2)}\n`;
  if (format === "jsonl") return rows.map((row) => `${Output.json(row)}\n`).join("");
  if (format === "csv") {
    const cell = (value: unknown) =>
      typeof value === "object" && value !== null && !Array.isArray(value) ? Output.json(value) : value;
    return Output.csv([
      fields.map(({ name }) => name),
      ...rows.map((row) => fields.map(({ name }) => cell(row[name]))),
    ]);
  }
  if (rows.length === 0) return `${none}\n`;
  const columns = fields.map(({ name, title, text: shown = plain, align = "left" as const }) => ({
    title,
    align,
    text: (row: Row) => shown(row[name], row),
  }));
  return `${Output.table(columns, rows)}\n`;
}

export const write = (...given: Parameters<typeof text>): void => void process.stdout.write(text(...given));

/** One thing, a line a field that says something. */
export function card(row: Row, fields: Field[]): string {
  const lines = fields.flatMap(({ name, title, text: shown = plain }) => {
    const value = Output.printable(shown(row[name], row));
    return value === "" ? [] : [`${`${title.toLowerCase()}:`.padEnd(18)}${value}`];
  });
  return `${lines.join("\n")}\n`;
}
