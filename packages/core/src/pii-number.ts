/** What all numbers have in common: where one may begin and end, and words that say what it is not. */
import { isAlphanumeric, isDigit, isWord } from "./pii-character.ts";
import { folded, type PiiText } from "./pii-text.ts";

const DASH = 45;
const DOT = 46;

/** Not in the middle of a word, an identifier with dashes (UUID, `ORD-123`) or a decimal fraction. */
export function mayBegin(text: PiiText, at: number): boolean {
  const previous = text.at(at - 1);
  if (isWord(previous)) return false;
  return !((previous === DASH || previous === DOT) && isAlphanumeric(text.at(at - 2)));
}

export function mayEnd(text: PiiText, end: number): boolean {
  const next = text.at(end);
  if (isWord(next)) return false;
  if (next === DASH) return !isAlphanumeric(text.at(end + 1));
  return next !== DOT || !isDigit(text.at(end + 1));
}

/** Reads up to `most` digits. @returns where they end */
export function digitsEnd(text: PiiText, from: number, most: number): number {
  let at = from;
  while (at - from < most && isDigit(text.at(at))) at++;
  return at;
}

/**
 * "Order number 4539…" is not a card, however well its digits add up: a label right before the number says so.
 * Only for numbers without the grouping of their kind.
 */
const OTHER_NUMBER = new RegExp(
  folded(
    "(?:order|invoice|tracking|parcel|shipment|ticket|case|ref|reference|customer|transaction|txn|receipt|serial|imei|iccid|isbn|ean|upc|sku|part|model|product|item|batch|lot|" +
      "bestell\\w*|rechnung\\w*|kunden\\w*|auftrag\\w*|sendung\\w*|commande|facture|pedido|factura|ordine|fattura|zam[oó]wienie|bestelling|заказа?|счета?|订单号?|订单编号|发票号?|注文番号|伝票番号|주문번호)" +
      "[\\s:#._/-]{0,3}(?:numbers?|num|nummer|número|numéro|numero|numer|no|nr|nº|n°|id|code|номер)?[\\s:#.=\"'/-]{0,4}(?:is|was|ist|est|es)?[\\s:#\"']{0,3}$",
  ).toLowerCase(),
);

export function isOtherNumber(text: PiiText, at: number): boolean {
  return OTHER_NUMBER.test(text.before(at));
}
