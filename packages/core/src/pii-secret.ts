/** API keys, tokens and private keys. */
import { isAlphanumeric, isBase64, isBase64Url, isWord } from "./pii-character.ts";
import { KEY_FORMATS, looksRandom, PREFIX_MOST } from "./pii-key-format.ts";
import type { PiiText } from "./pii-text.ts";

/** A longer key is cut here: bounds what a stream has to hold back. */
const KEY_MOST = 4096;

/** @param last the last character of the prefix, which is `-`, `_`, `.` or the last letter of a prefix without one */
export function keyAt(text: PiiText, last: number, floor: number): number {
  let start = last;
  while (start > floor && last - start < PREFIX_MOST && isWord(text.at(start - 1))) start--;
  text.start = start;
  if (text.at(last) < 0 || text.at(start - 1) === 45) return -1;
  const format = KEY_FORMATS.get(text.text.slice(start, last + 1));
  if (format === undefined) return -1;
  const end = bodyEnd(text, last + 1, format.isBody);
  if (end - last - 1 < format.least) return -1;
  return format.random && !looksRandom(text.text.slice(last + 1, end)) ? -1 : end;
}

function bodyEnd(
  text: PiiText,
  from: number,
  isBody: (unit: number) => boolean,
  most: number = KEY_MOST,
): number {
  let at = from;
  while (at - from < most && isBody(text.at(at))) at++;
  return at;
}

/** A JSON Web Token (RFC 7519): `eyJ` is `{"` in base64url. @param last the `J` */
export function webTokenAt(text: PiiText, last: number): number {
  const start = last - 2;
  text.start = start;
  if (text.at(start) !== 101 || text.at(start + 1) !== 121 || isBase64Url(text.at(start - 1))) return -1;
  const header = bodyEnd(text, last + 1, isBase64Url);
  if (header - start < 12 || text.at(header) !== 46) return -1;
  const payload = bodyEnd(text, header + 1, isBase64Url);
  if (payload - header < 10) return -1;
  return text.at(payload) === 46 ? bodyEnd(text, payload + 1, isBase64Url) : payload;
}

const AWS_SECRET = /secret_?access_?key["'\\]{0,2}\s?$/i;

/** AWS secret access keys have no prefix; their name gives them away. @param sign the `=` or `:` after the name */
export function awsSecretAt(text: PiiText, sign: number): number {
  text.start = sign;
  const previous = text.at(sign - 1) | 32;
  if (previous !== 121 && previous !== 34 && previous !== 39 && previous !== 32 && previous !== 124)
    return -1; // y " ' space \\
  if (!AWS_SECRET.test(text.text.slice(Math.max(0, sign - 24), sign))) return -1;
  let at = sign + 1;
  while (at - sign < 5 && isFiller(text.at(at))) at++;
  text.start = at;
  const end = bodyEnd(text, at, isBase64, 41);
  return end - at === 40 ? end : -1;
}

const isFiller = (unit: number): boolean => unit === 32 || unit === 34 || unit === 39 || unit === 92;

const PEM_MOST = 16_384;

/** A private key in PEM or OpenPGP armour, to its END line, or as far as it goes when that is cut off. @param at the first dash */
export function privateKeyAt(text: PiiText, at: number): number {
  text.start = at;
  if (text.at(at - 1) === 45) return -1;
  let index = expect(text, at, "-----BEGIN ");
  if (index < 0) return -1;
  const label = index;
  while (index - label < 40 && isLabel(text.at(index))) index++;
  if (!/PRIVATE KEY(?: BLOCK)?$/.test(text.text.slice(label, index))) return -1;
  const wording = text.text.slice(label, index);
  index = expect(text, index, "-----");
  if (index < 0) return -1;
  while (index - at < PEM_MOST && isArmour(text.at(index))) {
    if (text.at(index) === 45) {
      const end = expect(text, index, `-----END ${wording}-----`);
      if (end > 0) return end;
    }
    index++;
  }
  while (isSpace(text.at(index - 1))) index--;
  return index;
}

const isLabel = (unit: number): boolean => unit === 32 || (isAlphanumeric(unit) && unit < 91);
const isSpace = (unit: number): boolean => unit === 32 || (unit >= 9 && unit <= 13);
/** Base64, white space (also as `\n` in JSON), and what the headers of encrypted keys need. */
const isArmour = (unit: number): boolean =>
  isBase64(unit) || isSpace(unit) || unit === 92 || unit === 58 || unit === 44 || unit === 45 || unit === 46;

function expect(text: PiiText, at: number, wanted: string): number {
  for (let place = 0; place < wanted.length; place++) {
    if (text.at(at + place) !== wanted.charCodeAt(place)) return -1;
  }
  return at + wanted.length;
}
