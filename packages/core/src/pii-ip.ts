/** IP addresses of both versions. Version numbers, section numbers and addresses that name nobody do not count. */
import { isIPv6 } from "node:net";
import { isAlphanumeric, isDigit, isHex, isLetter, isWord } from "./pii-character.ts";
import { digitsEnd, mayBegin } from "./pii-number.ts";
import { folded, type PiiText } from "./pii-text.ts";

const VERSION_WORDS = new RegExp(
  folded(
    "(?:versi[oó]ne?|versão|ver|release|build|firmware|revision|rev|upgrade to|section|chapter|clause|paragraph|appendix|abschnitt|kapitel|§|oid|версия|版本|バージョン)[\\s:=.\"'v]{0,4}$",
  ).toLowerCase(),
);

export function ipv4At(text: PiiText, at: number): number {
  text.start = at;
  if (!mayBegin(text, at)) return -1;
  let index = at;
  for (let part = 0; part < 4; part++) {
    if (part > 0 && text.at(index++) !== 46) return -1;
    const end = digitsEnd(text, index, 4);
    const length = end - index;
    if (length < 1 || length > 3 || (length > 1 && text.at(index) === 48)) return -1;
    if (Number(text.text.slice(index, end)) > 255) return -1;
    index = end;
  }
  const next = text.at(index);
  if (isWord(next) || (next === 46 && isDigit(text.at(index + 1)))) return -1;
  if (next === 45 && isLetter(text.at(index + 1))) return -1; // 1.2.3.4-beta
  // Loopback, "any" and netmasks.
  const first = text.text.slice(at, text.text.indexOf(".", at));
  if (first === "127" || first === "0" || first === "255") return -1;
  // Chrome/120.0.0.0
  if (text.at(at - 1) === 47 && isAlphanumeric(text.at(at - 2))) return -1;
  return VERSION_WORDS.test(text.before(at)) ? -1 : index;
}

/** @param colon the address's first colon; `floor` is where the match before ended */
export function ipv6At(text: PiiText, colon: number, floor: number): number {
  let start = colon;
  while (start > floor && colon - start < 5 && isHex(text.at(start - 1))) start--;
  text.start = start;
  const previous = text.at(start - 1);
  if (colon - start > 4 || isWord(previous) || previous === 58 || previous === 46) return -1;
  if (start === colon && text.at(colon + 1) !== 58) return -1;
  let end = colon;
  while (end - start < 46 && (isHex(text.at(end)) || text.at(end) === 58 || text.at(end) === 46)) end++;
  if (isWord(text.at(end))) return -1;
  while (text.at(end - 1) === 46 || (text.at(end - 1) === 58 && text.at(end - 2) !== 58)) end--;
  const value = text.text.slice(start, end);
  // `a::b` and `cafe::beef` are names in Rust and C++; `::1` and `::` are nobody's.
  const colons = value.split(":").length - 1;
  if (!/\d/.test(value) || value.length < 6 || colons < 2 || !isIPv6(value)) return -1;
  return end;
}
