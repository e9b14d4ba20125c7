/**
 * A text as the detectors read it. Look-alikes are folded, one character to one: digits of every script, full-width
 * forms, Cyrillic and Greek letters that look Latin, special spaces and hyphens; invisible characters are left out.
 * `rawIndex` leads back to the text as it was given.
 */

/** How far back of a value the detectors look. A stream keeps as much of what it has let go. */
export const CONTEXT = 48;
const DROP = 1;
/** For each UTF-16 unit: 0 = as it is, 1 = invisible, else its replacement. */
const FOLD = new Uint16Array(0x10000);

for (let unit = 0xff01; unit <= 0xff5e; unit++) FOLD[unit] = unit - 0xfee0; // full-width ASCII
const SPACES = [0xa0, 0x1680, 0x202f, 0x205f, 0x3000, ...range(0x2000, 0x200a)];
for (const unit of SPACES) FOLD[unit] = 0x20;
for (const unit of [0x2212, 0xfe58, 0xfe63, 0xff0d, ...range(0x2010, 0x2015)]) FOLD[unit] = 0x2d; // hyphens, dashes, minus
for (const unit of [0xad, 0x34f, 0x61c, 0xfeff, ...range(0x200b, 0x200f), ...range(0x2060, 0x2064)]) {
  FOLD[unit] = DROP;
}
for (const unit of [...range(0x202a, 0x202e), ...range(0x2066, 0x2069), ...range(0xfe00, 0xfe0f)]) {
  FOLD[unit] = DROP;
}
FOLD[0x2024] = 0x2e; // one dot leader
/** The zeros of Unicode's decimal digits (general category Nd) in the basic plane. */
const ZEROS = "٠۰߀०০੦૦୦௦౦೦൦෦๐໐༠၀႐០᠐᥆᧐᪀᪐᭐᮰᱀᱐꘠꣐꤀꧐꧰꩐꯰";
for (const zero of ZEROS) {
  for (let digit = 0; digit < 10; digit++) FOLD[zero.charCodeAt(0) + digit] = 0x30 + digit;
}
const LOOK_ALIKES = "АВЕЅІЈКМНОРСТУХаеорсухіјѕΑΒΕΖΗΙΚΜΝΟΡΤΥΧο";
const LATIN = "ABESIJKMHOPCTYXaeopcyxijsABEZHIKMNOPTYXo";
for (let at = 0; at < LATIN.length; at++) FOLD[LOOK_ALIKES.charCodeAt(at)] = LATIN.charCodeAt(at);

/** Mathematical digits (U+1D7CE to U+1D7FF) are surrogate pairs: five runs of 0 to 9. */
const MATH_HIGH = 0xd835;
const MATH_LOW = 0xdfce;

/** A lone surrogate becomes one U+FFFD: the length stays, as the map needs it. Typed arrays are little-endian like this. */
const UTF_16 = new TextDecoder("utf-16le", { ignoreBOM: true });

export function isFoldable(unit: number): boolean {
  return FOLD[unit] !== 0 || unit === MATH_HIGH;
}

/** The folded form of a short text, for words that are looked up in folded texts. */
export function folded(raw: string): string {
  return foldText(raw).text;
}

export class PiiText {
  readonly text: string;
  readonly length: number;
  /** For each folded character the index of its first raw unit, and the raw length at the end; null = the same. */
  readonly #map: Uint32Array | null;
  /** Set when a detector asked for a character after the end: with more text it might have decided differently. */
  ranOff = false;
  /** Where the detector at work would let its match begin. */
  start = 0;

  constructor(text: string, map: Uint32Array | null) {
    this.text = text;
    this.length = text.length;
    this.#map = map;
  }

  /** The UTF-16 unit at an index, -1 outside the text. */
  at(index: number): number {
    if (index < this.length) return index < 0 ? -1 : this.text.charCodeAt(index);
    this.ranOff = true;
    return -1;
  }

  /** The words that say what a number is: up to 48 characters before it, back to the digit before, in lower case. */
  before(index: number): string {
    let from = index;
    const least = Math.max(0, index - CONTEXT);
    while (from > least && (this.text.charCodeAt(from - 1) ^ 48) > 9) from--;
    return index - from < 2 ? "" : this.text.slice(from, index).toLowerCase();
  }

  rawIndex(index: number): number {
    return this.#map === null ? index : (this.#map[index] as number);
  }

  /** The raw end of the character that ends at a folded index: invisible characters behind it are not part of it. */
  rawEnd(index: number, raw: string): number {
    if (this.#map === null) return index;
    const last = this.#map[index - 1] as number;
    return last + (raw.charCodeAt(last) === MATH_HIGH ? 2 : 1);
  }

  /** The folded index of the first character at or after a raw index. */
  indexOfRaw(raw: number): number {
    if (this.#map === null) return raw;
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#map[middle] as number) < raw) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Takes a text as it is: right when it holds nothing foldable. */
export function plainText(raw: string): PiiText {
  return new PiiText(raw, null);
}

export function foldText(raw: string): PiiText {
  const units = new Uint16Array(raw.length);
  const map = new Uint32Array(raw.length + 1);
  let length = 0;
  for (let at = 0; at < raw.length; at++) {
    const unit = raw.charCodeAt(at);
    let to = unit < 0x80 ? 0 : (FOLD[unit] as number);
    map[length] = at;
    if (unit === MATH_HIGH) {
      const low = raw.charCodeAt(at + 1) - MATH_LOW;
      if (low >= 0 && low < 50) {
        to = 0x30 + (low % 10);
        at++;
      }
    }
    if (to === DROP) continue;
    units[length++] = to === 0 ? unit : to;
  }
  map[length] = raw.length;
  return new PiiText(UTF_16.decode(units.subarray(0, length)), map.subarray(0, length + 1));
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, offset) => first + offset);
}
