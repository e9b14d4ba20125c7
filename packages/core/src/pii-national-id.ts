/** US Social Security numbers, UK National Insurance numbers, and passport-like numbers that a word announces. */
import { digitOf, isAlphanumeric, isDigit, isLetter, isUpper, isWord } from "./pii-character.ts";
import { digitsEnd, isOtherNumber, mayBegin, mayEnd } from "./pii-number.ts";
import { folded, type PiiText } from "./pii-text.ts";

const SSN_WORDS = /(?:\bssn|social.?security|seguro.?social|tax.?id)[^\d]{0,24}$/;

/** `ddd-dd-dddd`; with spaces or without separators only after a word that announces it. Ranges: SSA POMS RM 10201.030. */
export function ssnAt(text: PiiText, at: number): number {
  text.start = at;
  if (!mayBegin(text, at)) return -1;
  const first = digitsEnd(text, at, 10);
  if (first - at === 9) {
    return isSsn(text.text.slice(at, first)) && mayEnd(text, first) && SSN_WORDS.test(text.before(at))
      ? first
      : -1;
  }
  const separator = first - at === 3 ? text.at(first) : -1;
  if (separator !== 45 && separator !== 32) return -1;
  const second = digitsEnd(text, at + 4, 3);
  if (second !== at + 6 || text.at(second) !== separator) return -1;
  const end = digitsEnd(text, at + 7, 5);
  if (end !== at + 11 || !mayEnd(text, end)) return -1;
  if (!isSsn(text.text.slice(at, end).replace(/\D/g, ""))) return -1;
  if (separator === 32 ? !SSN_WORDS.test(text.before(at)) : isOtherNumber(text, at)) return -1;
  return end;
}

function isSsn(digits: string): boolean {
  return !/^(?:000|666|9)/.test(digits) && digits.slice(3, 5) !== "00" && digits.slice(5) !== "0000";
}

const NINO_WORDS = /(?:\bnino|\bni\b|national.?insurance)[^\d]{0,24}$/;

/** Whether two letters can begin a number here. Prefix letters: HMRC manual NIM39110; QQ is HMRC's own sample prefix. Lower case only after a word that announces it. */
export function mayBeginNino(text: PiiText, at: number): boolean {
  if (isWord(text.at(at - 1)) || !isLetter(text.at(at)) || !isLetter(text.at(at + 1))) return false;
  const pair = text.text.slice(at, at + 2);
  const upper = pair.toUpperCase();
  if (!/^(?!BG|GB|KN|NK|NT|TN|ZZ)(?:[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]|QQ)/.test(upper)) return false;
  return pair === upper || NINO_WORDS.test(text.before(at));
}

export function ninoAt(text: PiiText, at: number): number {
  text.start = at;
  if (!mayBeginNino(text, at)) return -1;
  let index = at + 2;
  for (let pair = 0; pair < 3; pair++) {
    if (isSeparator(text.at(index))) index++;
    if (!isDigit(text.at(index)) || !isDigit(text.at(index + 1))) return -1;
    index += 2;
  }
  if (isSeparator(text.at(index))) index++;
  const suffix = text.at(index);
  const isSuffix = (suffix >= 65 && suffix <= 68) || (suffix >= 97 && suffix <= 100 && !isUpper(text.at(at)));
  return isSuffix && !isAlphanumeric(text.at(index + 1)) ? index + 1 : -1;
}

const isSeparator = (unit: number): boolean => unit === 32 || unit === 45;

const PASSPORT_WORDS = new RegExp(
  folded(
    "(?:passport|passeport|reisepass|pass-?nummer|passnr|pasaporte|passaporto|paspoort|passaporte|paszport|паспорт|护照|護照|旅券|여권)[^\\d]{0,24}$",
  ).toLowerCase(),
);

/** @param at the first character of a token that holds a digit within its first four characters */
export function passportAt(text: PiiText, at: number): number {
  text.start = at;
  if (isWord(text.at(at - 1))) return -1;
  let end = at;
  let digits = 0;
  while (end - at < 44 && (isUpper(text.at(end)) || isDigit(text.at(end)) || text.at(end) === 60)) {
    if (isDigit(text.at(end))) digits++;
    end++;
  }
  if (end - at === 44) return isMachineReadable(text.text.slice(at, end)) ? end : -1;
  // Russia writes series and number apart.
  if (end - at === 4 && digits === 4 && text.at(end) === 32 && digitsEnd(text, end + 1, 7) === end + 7)
    end += 7;
  else if (end - at < 6 || end - at > 9 || digits < (end - at > 7 ? 3 : 5)) return -1;
  return !isWord(text.at(end)) && PASSPORT_WORDS.test(text.before(at)) ? end : -1;
}

/** The second line of a passport's machine-readable zone (ICAO 9303-4, TD3) by three of its check digits. */
function isMachineReadable(line: string): boolean {
  return (
    hasCheckDigit(line.slice(0, 10)) && hasCheckDigit(line.slice(13, 20)) && hasCheckDigit(line.slice(21, 28))
  );
}

function hasCheckDigit(field: string): boolean {
  let sum = 0;
  for (let at = 0; at < field.length - 1; at++) {
    const unit = field.charCodeAt(at);
    const value = unit === 60 ? 0 : unit < 58 ? digitOf(unit) : unit - 55;
    sum += value * (at % 3 === 0 ? 7 : at % 3 === 1 ? 3 : 1);
  }
  return sum % 10 === digitOf(field.charCodeAt(field.length - 1));
}
