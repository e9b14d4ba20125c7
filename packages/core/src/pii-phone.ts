/** Telephone numbers: E.164 with `+` or `00`, and the national ways of writing that stand out, or that a word announces. */
import { isAlphanumeric, isDigit } from "./pii-character.ts";
import { isOtherNumber, mayBegin } from "./pii-number.ts";
import { folded, type PiiText } from "./pii-text.ts";

const ANNOUNCED = new RegExp(
  folded(
    "(?:phone|telef|telephone|\\btel\\b|tél|\\bcell|mobil|handy|natel|\\bcall|\\bring|text me|whatsapp|\\bfax|\\bsms|m[oó]vil|celular|cellulare|appel|llam|llám|\\bliga|\\bbel\\b|kontakt|contact|my number|тел|звон|电话|電話|手机|携帯|전화|휴대폰|טלפון|هاتف|फ़ोन)[^\\d]{0,24}$",
  ).toLowerCase(),
);

/** Digits in all, by country code (ITU-T E.164 national plans); codes that are not here: 8 to 15. */
const LENGTHS: Record<string, [number, number]> = {
  "1": [11, 11],
  "7": [11, 11],
  "31": [11, 11],
  "33": [11, 11],
  "34": [11, 11],
  "39": [8, 13],
  "41": [11, 11],
  "43": [8, 15],
  "44": [11, 12],
  "45": [10, 10],
  "46": [9, 12],
  "47": [10, 10],
  "48": [11, 11],
  "49": [7, 14],
  "52": [12, 13],
  "54": [12, 13],
  "55": [12, 13],
  "61": [11, 11],
  "65": [10, 10],
  "81": [11, 12],
  "82": [10, 12],
  "86": [11, 13],
  "90": [12, 12],
  "91": [12, 12],
};
/** Country codes of one and two digits; every other first digit pair opens a code of three. */
const TWO_DIGIT_CODES = /^(?:2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])/;
const THREE_DIGIT_CODES = /^(?:2[1-689]\d|35\d|37\d|38\d|42\d|50\d|59\d|6[789]\d|8[05789]\d|9[679]\d)/;

/** @param at a digit, `+` or `(` */
export function phoneAt(text: PiiText, at: number): number {
  text.start = at;
  const first = text.at(at);
  if (first === 43 ? isAlphanumeric(text.at(at - 1)) || text.at(at - 1) === 43 : !mayBegin(text, at))
    return -1;
  if (first !== 43 && text.at(at - 1) === 47 && isDigit(text.at(at - 2))) return -1; // the middle of a date
  if (!hasDigits(text, at, LEAST_DIGITS)) return -1;
  // A list of small numbers.
  if (
    first !== 43 &&
    first !== 40 &&
    !isDigit(text.at(at + 1)) &&
    isDigit(text.at(at + 2)) &&
    !isDigit(text.at(at + 3))
  ) {
    return -1;
  }
  const announced = ANNOUNCED.test(text.before(at));
  // What stands out by itself begins with 0, +, a bracket, or a group of one or three digits.
  const groupOfThree = isDigit(text.at(at + 2)) && !isDigit(text.at(at + 3));
  if (first > 48 && !announced && !groupOfThree && isDigit(text.at(at + 1))) return -1;
  const groups: string[] = [];
  const ends: number[] = [];
  const separators: string[] = [];
  readGroups(text, first === 43 ? at + 1 : at, groups, separators, ends);
  // The longest run of groups that makes a number: "415-555-0132 2024" ends after the third.
  for (let count = groups.length; count > 0; count--) {
    const end = ends[count - 1] as number;
    if (!endsHere(text, end)) continue;
    if (isPhone(text, at, announced, groups.slice(0, count), separators.slice(0, count))) return end;
  }
  return -1;
}

const LEAST_DIGITS = 7;
const MOST_DIGITS = 17;
const MOST_GROUPS = 7;

/** A glance without garbage: nearly everything that is not a number fails here. */
function hasDigits(text: PiiText, at: number, least: number): boolean {
  let count = 0;
  for (let index = at; index - at < 3 * least && count < least; index++) {
    const unit = text.at(index);
    if (isDigit(unit)) count++;
    else if (!isSeparator(unit) && unit !== 43) return false;
  }
  return count >= least;
}

/** Reads groups of digits with what stands before each: at most one separator and brackets. */
function readGroups(
  text: PiiText,
  from: number,
  groups: string[],
  separators: string[],
  ends: number[],
): void {
  let index = from;
  let digits = 0;
  while (digits <= MOST_DIGITS && groups.length < MOST_GROUPS) {
    let separator = "";
    while (separator.length < 3 && isSeparator(text.at(index))) separator += text.text[index++];
    if (!/^\)?[ ./-]?\(?$/.test(separator)) return;
    const begin = index;
    while (isDigit(text.at(index)) && index - begin <= MOST_DIGITS) index++;
    // One digit alone is a trunk prefix or a mobile marker, and comes early: a list of small numbers is no number.
    if (index === begin) return;
    if (index - begin === 1 && groups.length > 1 && groups.at(-1) !== "0") return;
    digits += index - begin;
    groups.push(text.text.slice(begin, index));
    separators.push(separator);
    ends.push(index);
  }
}

const isSeparator = (unit: number): boolean =>
  unit === 32 || unit === 45 || unit === 46 || unit === 47 || unit === 40 || unit === 41;

function endsHere(text: PiiText, end: number): boolean {
  const next = text.at(end);
  if (isAlphanumeric(next) || next === 95 || next === 64) return false;
  // The rest of a time, a decimal or a longer number is no end; a space is.
  return !(
    (next === 58 || next === 46 || next === 44 || next === 45 || next === 47) &&
    isDigit(text.at(end + 1))
  );
}

function isPhone(
  text: PiiText,
  at: number,
  announced: boolean,
  groups: string[],
  separators: string[],
): boolean {
  const digits = groups.join("");
  if (digits.length < LEAST_DIGITS || digits.length > MOST_DIGITS) return false;
  if (text.at(at) === 43) return isInternational(digits, groups, separators);
  if (digits.startsWith("00")) {
    const rest = digits.slice(2);
    return (groups.length > 2 || announced) && isInternational(rest, groups, separators);
  }
  if (isOtherNumber(text, at)) return false;
  return groups.length === 1
    ? isContiguous(digits, announced)
    : isGrouped(digits, groups, separators, announced);
}

function isInternational(digits: string, groups: string[], separators: string[]): boolean {
  // +51.507351 is a latitude.
  if (groups.length === 2 && separators[1] === ".") return false;
  const code = /^[17]/.test(digits)
    ? digits.charAt(0)
    : (TWO_DIGIT_CODES.exec(digits)?.[0] ?? THREE_DIGIT_CODES.exec(digits)?.[0]);
  if (code === undefined) return false;
  const [least, most] = LENGTHS[code] ?? [8, 15];
  const trunk = groups.includes("0") ? 1 : 0; // +44 (0)20 …
  const length = digits.length - trunk;
  return length >= least && length <= most && (code !== "1" || isNorthAmerican(digits.slice(1)));
}

const isNorthAmerican = (digits: string): boolean => /^[2-9]\d{2}[2-9]\d{6}$/.test(digits);

function isContiguous(digits: string, announced: boolean): boolean {
  // Mobile numbers of the UK, France and Germany stand out by their first digits and length.
  if (/^(?:07[1-57-9]\d{8}|0[67]\d{8}|01[567]\d{8,9})$/.test(digits)) return true;
  return announced && digits.length >= 8 && digits.length <= 12;
}

function isGrouped(digits: string, groups: string[], separators: string[], announced: boolean): boolean {
  const lengths = groups.map((group) => group.length).join(" ");
  const bracketed = separators[0] === "(" || separators[1]?.endsWith("(") === true;
  const spaced = separators.slice(1).some((separator) => separator === " ");
  if (/^(?:1 )?3 3 4$/.test(lengths) && isNorthAmerican(digits.replace(/^1(?=\d{10})/, ""))) {
    return bracketed || announced || !spaced;
  }
  if (/^[78]/.test(digits) && lengths === "1 3 3 2 2") return true; // Russia's trunk prefix
  if (bracketed && /^2 [45] 4$/.test(lengths)) return true; // Brazil
  if (/^0[1-9]/.test(digits) && digits.length >= 9 && digits.length <= 12) {
    return groups.every((group) => group.length > 1) && (groups[0]?.length ?? 0) <= 5;
  }
  return announced && digits.length <= 12 && groups.every((group) => group.length > 1);
}
