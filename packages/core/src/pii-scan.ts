/**
 * One pass over a text, left to right. Nearly every character is passed with one table look-up; the few that can
 * belong to a value (a digit, `@`, `-` …) ask the detectors, and each of those reads a bounded number of characters:
 * the whole is linear whatever the text holds.
 */
import { cardAt } from "./pii-card.ts";
import { isDigit, isHex, isLetter, isWord } from "./pii-character.ts";
import { emailAt } from "./pii-email.ts";
import type { Entity, Match } from "./pii-entity.ts";
import { ibanAt } from "./pii-iban.ts";
import { ipv4At, ipv6At } from "./pii-ip.ts";
import { endsPrefix } from "./pii-key-format.ts";
import { isPairBefore, lookBackStart } from "./pii-look-back.ts";
import { ninoAt, passportAt, ssnAt } from "./pii-national-id.ts";
import { phoneAt } from "./pii-phone.ts";
import { awsSecretAt, keyAt, privateKeyAt, webTokenAt } from "./pii-secret.ts";
import { isFoldable, type PiiText } from "./pii-text.ts";

const DIGIT = 1;
const TRIGGERS = new Uint8Array(128);
for (const trigger of "@+(:=-_.KSIJ") TRIGGERS[trigger.charCodeAt(0)] = 2;
for (const digit of "0123456789") TRIGGERS[digit.charCodeAt(0)] = DIGIT;

/** Space, `-`, `.`, `/`, `(` and `)`. */
const joinsDigits = (unit: number): boolean =>
  unit === 32 || unit === 45 || unit === 46 || unit === 47 || unit === 40 || unit === 41;

/** What a scan of a text that may go on has to leave open. Indexes of the folded text. */
export interface OpenEnd {
  /** From here on nothing is decided: the next scan begins here. */
  undecided: number;
  /** From here on the text must not be released: it may belong to a value that the policy masks or blocks. */
  hold: number;
}

export class Scan {
  readonly matches: Match[] = [];
  /** The text holds look-alikes: scan its folded form instead. */
  needsFolding = false;
  readonly #text: PiiText;
  readonly #open: OpenEnd | null;
  readonly #changes: (entity: Entity) => boolean;
  /** Where the last match ended: nothing reaches back over it. */
  #floor: number;
  /** The character that detectors are asked about. */
  #trigger = 0;

  /**
   * @param from where to begin; what is before is context
   * @param changes for a text that may go on: whether the policy would change the text for an entity; null when
   *   the text is whole
   */
  constructor(text: PiiText, from: number, floor: number, changes: ((entity: Entity) => boolean) | null) {
    this.#text = text;
    this.#floor = floor;
    this.#open = changes === null ? null : { undecided: text.length, hold: text.length };
    this.#changes = changes ?? (() => true);
    this.#run(from);
  }

  #run(from: number): void {
    const { text, length } = this.#text;
    for (let at = from; at < length; ) {
      const unit = text.charCodeAt(at);
      if (unit > 127) {
        if (isFoldable(unit)) {
          this.needsFolding = true;
          return;
        }
        at++;
        continue;
      }
      const trigger = TRIGGERS[unit] as number;
      if (trigger === 0) {
        at++;
        continue;
      }
      this.#trigger = at;
      const end = trigger === DIGIT ? this.#atDigit(at) : this.#atSign(at, unit);
      at = end > at ? end : at + 1;
    }
  }

  /** @returns where a match ends, or -1 */
  #atDigit(at: number): number {
    const text = this.#text;
    const previous = text.at(at - 1);
    if (isDigit(previous)) return -1;
    if (isWord(previous)) return previous === 95 ? -1 : this.#afterLetters(at);
    if (this.#isSmallNumber(at)) return -1;
    let end = isPairBefore(text, at, this.#floor) ? this.#note("UK_NINO", ninoAt(text, at - 3)) : -1;
    if (end < 0) end = this.#note("CREDIT_CARD", cardAt(text, at));
    if (end < 0) end = this.#note("US_SSN", ssnAt(text, at));
    if (end < 0) end = this.#note("IP_ADDRESS", ipv4At(text, at));
    if (end < 0) end = this.#note("PASSPORT", passportAt(text, at));
    if (end < 0) end = this.#note("PHONE", phoneAt(text, at));
    return end;
  }

  /** Most numbers in prose have few digits and stand alone or are dates and decimals: no detector need look at those. */
  #isSmallNumber(at: number): boolean {
    const text = this.#text;
    let digits = 1;
    let dots = 0;
    let index = at + 1;
    for (; digits < 6; index++) {
      const unit = text.at(index);
      if (isDigit(unit)) digits++;
      else if (
        !joinsDigits(unit) ||
        !(isDigit(text.at(index - 1)) || unit === 40 || text.at(index - 1) === 41)
      )
        break;
      else if (unit === 46) dots++;
    }
    const goesOn = isDigit(text.at(index - 1)) && (isWord(text.at(index)) || text.at(index) === 60);
    const small = digits < 6 && dots < 3 && !goesOn && !text.ranOff;
    text.ranOff = false;
    return small;
  }

  #afterLetters(at: number): number {
    const text = this.#text;
    let start = at;
    while (start > this.#floor && at - start < 4 && isLetter(text.at(start - 1))) start--;
    if (at - start > 3) return -1;
    let end = at - start === 2 ? this.#note("IBAN", ibanAt(text, start)) : -1;
    if (end < 0 && at - start === 2) end = this.#note("UK_NINO", ninoAt(text, start));
    if (end < 0) end = this.#note("PASSPORT", passportAt(text, start));
    return end;
  }

  #atSign(at: number, unit: number): number {
    const text = this.#text;
    const previous = text.at(at - 1);
    // What follows in prose decides most of them at once; at the end of the text the detectors do.
    const next = at + 1 < text.length ? text.text.charCodeAt(at + 1) : -1;
    switch (unit) {
      case 64: // @
        return this.#note("EMAIL", emailAt(text, at, this.#floor));
      case 43: // +
      case 40: // (
        return next < 0 || isDigit(next) ? this.#note("PHONE", phoneAt(text, at)) : -1;
      case 61: // =
        return this.#note("API_KEY", awsSecretAt(text, at));
      case 58: {
        // :
        const hextet = next < 0 || next === 58 || isHex(next);
        const end = hextet ? this.#note("IP_ADDRESS", ipv6At(text, at, this.#floor)) : -1;
        return end < 0 ? this.#note("API_KEY", awsSecretAt(text, at)) : end;
      }
      case 45: {
        // -
        const end = next < 0 || next === 45 ? this.#note("PRIVATE_KEY", privateKeyAt(text, at)) : -1;
        return end < 0 && endsPrefix(previous) ? this.#note("API_KEY", keyAt(text, at, this.#floor)) : end;
      }
      case 95: // _
        return endsPrefix(previous) ? this.#note("API_KEY", keyAt(text, at, this.#floor)) : -1;
      case 46: // SG.
        return previous === 71 ? this.#note("API_KEY", keyAt(text, at, this.#floor)) : -1;
      case 74: // eyJ
        return previous === 121 ? this.#note("API_KEY", webTokenAt(text, at)) : -1;
      default: {
        // AKIA, ASIA, AIza, and the K of ABSK
        if (previous === 65) return this.#note("API_KEY", keyAt(text, at + 2, this.#floor));
        return unit === 75 && previous === 83 ? this.#note("API_KEY", keyAt(text, at, this.#floor)) : -1;
      }
    }
  }

  /** Takes down what a detector found, and whether more text could change it. */
  #note(entity: Entity, end: number): number {
    const text = this.#text;
    const ranOff = text.ranOff;
    text.ranOff = false;
    if (ranOff && this.#open !== null) {
      this.#open.undecided = Math.min(this.#open.undecided, text.start, this.#trigger);
      if (this.#changes(entity)) this.#open.hold = Math.min(this.#open.hold, text.start);
      return -1;
    }
    if (end < 0) return -1;
    this.matches.push({ entity, start: text.start, end });
    this.#floor = end;
    return end;
  }

  /** For a text that may go on: where its open end begins. Matches beyond are taken back. */
  openEnd(): OpenEnd {
    const open = this.#open;
    if (open === null) return { undecided: this.#text.length, hold: this.#text.length };
    open.hold = Math.min(open.hold, lookBackStart(this.#text, this.#floor, this.#changes));
    while (this.matches.length > 0 && (this.matches.at(-1)?.start ?? -1) >= open.undecided) {
      const { entity, start } = this.matches.pop() as Match;
      if (this.#changes(entity)) open.hold = Math.min(open.hold, start);
    }
    return open;
  }
}
