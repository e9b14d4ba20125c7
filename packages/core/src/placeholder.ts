/**
 * Values that say "there is nothing here" count as absent (seed 001 §3.2): clients fill mandatory headers with them.
 */
export const UNKNOWN = "unknown";

const PLACEHOLDERS = new Set([
  "",
  "-",
  "--",
  "_",
  "?",
  ".",
  "unknown",
  "null",
  "nil",
  "none",
  "undefined",
  "n/a",
  "na",
  "nan",
  "tbd",
  "todo",
  "test-placeholder",
  "placeholder",
  "string",
  "anonymous",
  "(none)",
  "(null)",
  "[object object]",
  "not set",
  "not available",
  "not applicable",
]);

/** The trimmed value, or null when it is missing or stands for nothing. */
export function present(value: unknown): string | null {
  if (typeof value !== "string") return null;
  const trimmed = value.trim();
  return PLACEHOLDERS.has(trimmed.toLowerCase()) ? null : trimmed;
}

/** The trimmed value, or `unknown`. */
export function presentOrUnknown(value: unknown): string {
  return present(value) ?? UNKNOWN;
}
