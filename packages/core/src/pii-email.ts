/** Mail addresses: found by their `@`, read to both sides within the bounds of RFC 5321 (64 and 253 characters). */
import { isAlphanumeric, isLatinExtended, isLetter } from "./pii-character.ts";
import type { PiiText } from "./pii-text.ts";

const LOCAL_MOST = 64;
const DOMAIN_MOST = 253;
/** `icon@2x.png` is a file. */
const FILE_ENDINGS = new Set(
  "png jpg jpeg gif svg webp bmp ico css js ts jsx tsx json html pdf avif".split(" "),
);

export function isLocalPart(unit: number): boolean {
  return (
    isAlphanumeric(unit) ||
    unit === 46 || // .
    unit === 95 || // _
    unit === 45 || // -
    unit === 43 || // +
    unit === 37 || // %
    unit === 39 || // '
    isLatinExtended(unit)
  );
}

/** Where the local part that ends before `end` begins; `end` itself when there is none or it is too long. */
export function localPartStart(text: PiiText, end: number, floor: number): number {
  let start = end;
  while (start > floor && isLocalPart(text.at(start - 1))) {
    if (end - start === LOCAL_MOST) return end;
    start--;
  }
  while (start < end && !isAlphanumeric(text.at(start)) && !isLatinExtended(text.at(start))) start++;
  return start;
}

/** @param at the `@`; `floor` is where the match before ended */
export function emailAt(text: PiiText, at: number, floor: number): number {
  const start = localPartStart(text, at, floor);
  text.start = start;
  if (start === at || text.at(at - 1) === 46) return -1;
  let end = -1;
  let label = at + 1;
  for (let index = label; index - at <= DOMAIN_MOST + 1; index++) {
    const unit = text.at(index);
    if (isAlphanumeric(unit) || unit === 45 || isLatinExtended(unit)) continue;
    if (index === label || text.at(label) === 45 || text.at(index - 1) === 45) break;
    if (label > at + 1 && isTopLevel(text.text.slice(label, index))) end = index;
    if (unit !== 46) break;
    label = index + 1;
  }
  if (end < 0) return -1;
  // git@github.com:owner/name is a repository.
  if (text.at(end) === 58 && text.text.slice(start, at) === "git" && isLetter(text.at(end + 1))) return -1;
  return end;
}

function isTopLevel(label: string): boolean {
  return /^(?:[a-z]{2,24}|xn--[a-z0-9-]{2,59})$/i.test(label) && !FILE_ENDINGS.has(label.toLowerCase());
}
