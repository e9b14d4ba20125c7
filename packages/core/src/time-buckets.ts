/** The days and months (UTC) that a time range touches, newest first, each with its part of the range. */

export interface Bucket {
  /** `YYYY-MM-DD` or `YYYY-MM`. */
  name: string;
  /** ISO, inclusive. */
  lower: string;
  /** ISO or a position, exclusive. */
  upper: string;
}

/** @param from ISO @param upper ISO, or a position that begins with one; exclusive */
export const days = (from: string, upper: string) => buckets(from, upper, "YYYY-MM-DD".length);
export const months = (from: string, upper: string) => buckets(from, upper, "YYYY-MM".length);

function buckets(from: string, upper: string, nameLength: number): Bucket[] {
  const found: Bucket[] = [];
  let end = upper;
  while (end > from) {
    // A bucket that begins at the end itself holds nothing of the range, unless the end is a position within that instant.
    const at = end.length > from.length ? Date.parse(end.slice(0, from.length)) : Date.parse(end) - 1;
    const name = new Date(at).toISOString().slice(0, nameLength);
    const begin = new Date(name).toISOString();
    found.push({ name, lower: begin > from ? begin : from, upper: end });
    end = begin;
  }
  return found;
}
