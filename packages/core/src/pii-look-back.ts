/** The starts of values whose telling character (`@`, a digit, `-`) has yet to come: what a stream must not release. */
import { isHex, isLetter, isWord } from "./pii-character.ts";
import { localPartStart } from "./pii-email.ts";
import type { Entity } from "./pii-entity.ts";
import { beginsPrefix, PREFIX_MOST } from "./pii-key-format.ts";
import { mayBeginNino } from "./pii-national-id.ts";
import type { PiiText } from "./pii-text.ts";

/**
 * @param floor where the last match ended
 * @param changes whether the policy would change the text for an entity
 * @returns the text's length when its end can begin nothing
 */
export function lookBackStart(text: PiiText, floor: number, changes: (entity: Entity) => boolean): number {
  const { length } = text;
  const starts = [length];
  if (changes("EMAIL")) starts.push(localPartStart(text, length, floor));
  const letters = runBefore(text, 4, floor, isLetter);
  const word = runBefore(text, PREFIX_MOST, floor, isWord);
  const most = changes("PASSPORT") ? 3 : changes("IBAN") || changes("UK_NINO") ? 2 : 0;
  if (length - letters <= most && letters === word) starts.push(letters);
  if (changes("UK_NINO") && isPairBefore(text, length, floor)) starts.push(length - 3);
  if (changes("API_KEY") && word < length && beginsPrefix(text.text.slice(word))) starts.push(word);
  if (changes("IP_ADDRESS")) {
    const hex = runBefore(text, 5, floor, isHex);
    if (length - hex <= 4) starts.push(hex);
  }
  text.ranOff = false;
  return Math.min(...starts);
}

/** `AB 12 34 56 C`: two letters that can begin a National Insurance number, and a separator. */
export function isPairBefore(text: PiiText, at: number, floor: number): boolean {
  const separator = text.at(at - 1);
  if ((separator !== 32 && separator !== 45) || at - 3 < floor) return false;
  return isLetter(text.at(at - 2)) && mayBeginNino(text, at - 3);
}

function runBefore(text: PiiText, most: number, floor: number, belongs: (unit: number) => boolean): number {
  let start = text.length;
  while (start > floor && text.length - start < most && belongs(text.at(start - 1))) start--;
  return start;
}
