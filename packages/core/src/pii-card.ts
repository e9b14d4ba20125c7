/** Payment cards: a known issuer's prefix and length, Luhn's check digit (ISO/IEC 7812-1), a card's grouping. */
import { isDigit } from "./pii-character.ts";
import { digitsEnd, isOtherNumber, mayBegin, mayEnd } from "./pii-number.ts";
import type { PiiText } from "./pii-text.ts";

/** First digits (from, to) and lengths, from the networks' published ranges. Visa's 13 digits are long retired. */
const ISSUERS: [string, string, readonly number[]][] = [
  ["4", "4", [16, 19]], // Visa
  ["51", "55", [16]],
  ["2221", "2720", [16]], // Mastercard
  ["34", "34", [15]],
  ["37", "37", [15]], // American Express
  ["6011", "6011", [16, 19]],
  ["644", "649", [16, 19]],
  ["65", "65", [16, 19]], // Discover, RuPay
  ["3528", "3589", [16, 17, 18, 19]], // JCB
  ["300", "305", [14]],
  ["3095", "3095", [14]],
  ["36", "36", [14]],
  ["38", "39", [14]], // Diners Club
  ["62", "62", [16, 17, 18, 19]], // UnionPay
  ["2200", "2204", [16, 17, 18, 19]], // Mir
  ["9792", "9792", [16]], // Troy
  ["606282", "606282", [16]], // Hipercard
  ["5067", "5067", [16]],
  ["636297", "636368", [16]], // Elo
  ["60", "60", [16]],
  ["81", "82", [16]],
  ["508", "508", [16]], // RuPay
  ...["5018", "5020", "5038", "5893", "6304", "6759", "6761", "6762", "6763", "6799"].map(
    (prefix): [string, string, readonly number[]] => [prefix, prefix, [12, 13, 14, 15, 16, 17, 18, 19]],
  ), // Maestro
];

export function cardAt(text: PiiText, at: number): number {
  text.start = at;
  if (!mayBegin(text, at)) return -1;
  const end = digitsEnd(text, at, 20);
  if (end - at === 4) return groupedCard(text, at);
  if (end - at < 12 || end - at > 19 || !mayEnd(text, end)) return -1;
  return isCard(text.text.slice(at, end)) && !isOtherNumber(text, at) ? end : -1;
}

const GROUPINGS = [
  [4, 4, 4, 4, 3],
  [4, 4, 4, 4],
  [4, 6, 5],
  [4, 6, 4],
];

function groupedCard(text: PiiText, at: number): number {
  const separator = text.at(at + 4);
  if (separator !== 32 && separator !== 45 && separator !== 46) return -1;
  for (const lengths of GROUPINGS) {
    const end = groupsEnd(text, at, separator, lengths);
    if (end < 0 || !mayEnd(text, end)) continue;
    if (isCard(text.text.slice(at, end).replace(/\D/g, ""))) return end;
  }
  return -1;
}

function groupsEnd(text: PiiText, from: number, separator: number, lengths: number[]): number {
  let at = from;
  for (const [place, length] of lengths.entries()) {
    if (place > 0 && text.at(at++) !== separator) return -1;
    for (let count = 0; count < length; count++) if (!isDigit(text.at(at++))) return -1;
    if (isDigit(text.at(at))) return -1;
  }
  return at;
}

export function isCard(digits: string): boolean {
  if (/^(\d)\1+$/.test(digits) || !passesLuhn(digits)) return false;
  return ISSUERS.some(([from, to, lengths]) => {
    const prefix = digits.slice(0, from.length);
    return prefix >= from && prefix <= to && lengths.includes(digits.length);
  });
}

function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let at = digits.length - 1, double = false; at >= 0; at--, double = !double) {
    const digit = digits.charCodeAt(at) - 48;
    sum += double ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit;
  }
  return sum % 10 === 0;
}
