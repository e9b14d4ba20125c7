/** IBAN (ISO 13616): a country of the SWIFT registry, its length, and the mod-97 check (ISO 7064). */
import { isAlphanumeric, isDigit, isLetter, isWord } from "./pii-character.ts";
import type { PiiText } from "./pii-text.ts";

/** Length by country, from SWIFT's IBAN registry. */
const LENGTHS = new Map(
  (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 " +
    "GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 " +
    "NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
  )
    .split(" ")
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/** @param at the first of two letters that two digits follow */
export function ibanAt(text: PiiText, at: number): number {
  text.start = at;
  if (isWord(text.at(at - 1)) || !isLetter(text.at(at)) || !isLetter(text.at(at + 1))) return -1;
  const length = LENGTHS.get(text.text.slice(at, at + 2).toUpperCase());
  if (length === undefined || !isDigit(text.at(at + 2)) || !isDigit(text.at(at + 3))) return -1;
  let compact = "";
  let index = at;
  while (compact.length < length) {
    const unit = text.at(index);
    if (isAlphanumeric(unit)) compact += String.fromCharCode(unit);
    // One separator between groups; a word's end is not one, as the check digits would say.
    else if (!((unit === 32 || unit === 45) && compact.length > 3 && isAlphanumeric(text.at(index + 1))))
      return -1;
    index++;
  }
  return !isWord(text.at(index)) && passesMod97(compact.toUpperCase()) ? index : -1;
}

function passesMod97(iban: string): boolean {
  let remainder = 0;
  for (let place = 0; place < iban.length; place++) {
    const unit = iban.charCodeAt((place + 4) % iban.length);
    remainder = (unit < 58 ? remainder * 10 + unit - 48 : remainder * 100 + unit - 55) % 97;
  }
  return remainder === 1;
}
