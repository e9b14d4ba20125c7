/** Rounds to medians, medians to tables and targets, all of it to a JSON file. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { fileURLToPath } from "node:url";

const RESULTS = fileURLToPath(new URL("../.local/bench/", import.meta.url));

export interface Target {
  what: string;
  value: number;
  /** The value must be at least, or at most, this. */
  bound: number;
  sense: ">=" | "<=";
  unit: string;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length === 0) return Number.NaN;
  if (sorted.length % 2 === 1) return sorted[Math.floor(middle)] ?? Number.NaN;
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** Three digits that matter. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(3)));
}

export function printTable(title: string, columns: readonly string[], rows: readonly string[][]): void {
  const all = [columns, ...rows];
  const widths = columns.map((_, index) => Math.max(...all.map((row) => row[index]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0)))
      .join("  ");
  console.log(`\n${title}\n${line(columns)}\n${widths.map((width) => "─".repeat(width)).join("  ")}`);
  for (const row of rows) console.log(line(row));
}

export function printTargets(targets: readonly Target[]): void {
  printTable(
    "Targets (medians)",
    ["", "measured", "target", ""],
    targets.map(({ what, value, bound, sense, unit }) => [
      what,
      `${figure(value)} ${unit}`,
      `${sense === ">=" ? "≥" : "≤"} ${figure(bound)} ${unit}`,
      (sense === ">=" ? value >= bound : value <= bound) ? "met" : "MISSED",
    ]),
  );
}

/** @returns the file's path, below `.local/bench/` */
export function writeResults(name: string, results: Record<string, unknown>): string {
  mkdirSync(RESULTS, { recursive: true });
  const file = `${RESULTS}${name}.json`;
  const machine = {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    node: process.version,
    loadAverage: loadavg(),
  };
  const commit = execFileSync("git", ["describe", "--always", "--dirty"], { encoding: "utf8" }).trim();
  writeFileSync(
    file,
    `${JSON.stringify({ at: new Date().toISOString(), commit, machine, ...results }, null, 2)}\n`,
  );
  return file;
}
