/**
 * Engine "local": finds personal and secret data by form and check digits.
 * Out of its reach: values that are spelled out, encoded (base64, percent) or spread over several texts.
 */
import type { Match } from "./pii-entity.ts";
import { Scan } from "./pii-scan.ts";
import { foldText, plainText } from "./pii-text.ts";

/** @returns the values in a text from left to right; they do not overlap */
export function detect(raw: string): Match[] {
  const scan = new Scan(plainText(raw), 0, 0, null);
  if (!scan.needsFolding) return scan.matches;
  const text = foldText(raw);
  return new Scan(text, 0, 0, null).matches.map(({ entity, start, end }) => ({
    entity,
    start: text.rawIndex(start),
    end: text.rawEnd(end, raw),
  }));
}
