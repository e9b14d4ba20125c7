/** Parsers of the command line's values; commander turns their errors into a usage message. */
import { InvalidArgumentError } from "commander";

const UNITS: Record<string, number> = { s: 1e3, m: 60e3, h: 3_600e3, d: 86_400e3, w: 604_800e3 };

/** `24h` (ago), `now`, `2026-11-21`, `2026-11-21T10:00:00Z`; without a zone it is UTC. Returns ISO 8601 in UTC. */
export function instant(text: string, now = Date.now()): string {
  const ago = /^(\d{1,6})([smhdw])$/.exec(text);
  if (text === "now") return new Date(now).toISOString();
  if (ago) return new Date(now - Number(ago[1]) * (UNITS[ago[2] ?? ""] ?? 0)).toISOString();
  const zoned = /^\d{4}-\d{2}-\d{2}T[\d:.]+$/.test(text) ? `${text}Z` : text;
  const time = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(zoned) : Number.NaN;
  if (Number.isNaN(time)) {
    throw new InvalidArgumentError("Use e.g. 24h, 7d, now, 2026-11-21 or 2026-11-21T10:00:00Z.");
  }
  return new Date(time).toISOString();
}

/** `404`, or `4xx` for the class. */
export function status(text: string): { statusCode: number } | { statusClass: number } {
  const range = /^([1-5])xx$/i.exec(text);
  if (range) return { statusClass: Number(range[1]) };
  if (/^\d{1,3}$/.test(text)) return { statusCode: Number(text) };
  throw new InvalidArgumentError("Use a status such as 404, or a class such as 4xx.");
}

export const count =
  (most: number) =>
  (text: string): number => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= 1 && value <= most)) throw new InvalidArgumentError(`Use a number from 1 to ${most}.`);
    return value;
  };

/** `1s`, `500ms` in milliseconds. */
export function duration(text: string): number {
  const match = /^(\d{1,6})(ms|[smh])$/.exec(text);
  if (!match) throw new InvalidArgumentError("Use e.g. 500ms, 1s or 5m.");
  return Number(match[1]) * (match[2] === "ms" ? 1 : (UNITS[match[2] ?? ""] ?? 0));
}
