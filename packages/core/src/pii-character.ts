/** Classes of characters. All take a UTF-16 unit, or -1 for "outside the text". */
const DIGIT = 1;
const UPPER = 2;
const LOWER = 4;
const HEX = 8;
const UNDERSCORE = 16;
const DASH = 32;

const CLASS = new Uint8Array(128);
for (let unit = 0; unit < 128; unit++) {
  const character = String.fromCharCode(unit);
  CLASS[unit] =
    (/\d/.test(character) ? DIGIT : 0) |
    (/[A-Z]/.test(character) ? UPPER : 0) |
    (/[a-z]/.test(character) ? LOWER : 0) |
    (/[\da-f]/i.test(character) ? HEX : 0) |
    (character === "_" ? UNDERSCORE : 0) |
    (character === "-" ? DASH : 0);
}

const is = (unit: number, mask: number): boolean =>
  unit >= 0 && unit < 128 && ((CLASS[unit] as number) & mask) !== 0;

export const isDigit = (unit: number): boolean => unit >= 48 && unit <= 57;
export const isLetter = (unit: number): boolean => is(unit, UPPER | LOWER);
export const isUpper = (unit: number): boolean => is(unit, UPPER);
export const isLower = (unit: number): boolean => is(unit, LOWER);
export const isAlphanumeric = (unit: number): boolean => is(unit, DIGIT | UPPER | LOWER);
export const isHex = (unit: number): boolean => is(unit, HEX);
/** Letters, digits and `_`. */
export const isWord = (unit: number): boolean => is(unit, DIGIT | UPPER | LOWER | UNDERSCORE);
/** Letters, digits, `_` and `-`: base64url. */
export const isBase64Url = (unit: number): boolean => is(unit, DIGIT | UPPER | LOWER | UNDERSCORE | DASH);
/** Letters, digits, `+`, `/` and `=`. */
export const isBase64 = (unit: number): boolean =>
  isAlphanumeric(unit) || unit === 43 || unit === 47 || unit === 61;
/** Letters of accented Latin, as in mail addresses and domain names of Europe. */
export const isLatinExtended = (unit: number): boolean => unit >= 0xc0 && unit <= 0x24f;
export const digitOf = (unit: number): number => unit - 48;
