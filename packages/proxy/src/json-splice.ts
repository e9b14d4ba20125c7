/**
 * Changing one member of a JSON object in its bytes, so that all others (long numbers, duplicate keys, lone surrogates) stay as
 * they were written. The bytes must be a valid JSON object.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

export interface Span {
  from: number;
  /** Behind its last byte. */
  to: number;
}

const isSpace = (byte: number | undefined) =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** The offset behind the string whose opening quote is at `at`. */
function stringEnd(json: Buffer, at: number): number {
  for (let index = at + 1; index < json.length; index++) {
    if (json[index] === BACKSLASH) index++;
    else if (json[index] === QUOTE) return index + 1;
  }
  return json.length;
}

/** The offset of the comma or brace that ends the member's value, which begins at `at`. */
function valueEnd(json: Buffer, at: number): number {
  let depth = 0;
  for (let index = at; index < json.length; index++) {
    const byte = json[index];
    if (byte === QUOTE) index = stringEnd(json, index) - 1;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if (depth === 0 && (byte === COMMA || byte === CLOSE_BRACE)) return index;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
  }
  return json.length;
}

function skipSpace(json: Buffer, at: number): number {
  let index = at;
  while (isSpace(json[index])) index++;
  return index;
}

/** Where the value of a member stands: of the last one, where the name occurs twice (the one that parsers take); null if none. */
export function memberValue(json: Buffer, name: string): Span | null {
  const wanted = Buffer.from(JSON.stringify(name));
  let found: Span | null = null;
  let at = skipSpace(json, json.indexOf(OPEN_BRACE) + 1);
  while (json[at] === QUOTE) {
    const nameEnd = stringEnd(json, at);
    const from = skipSpace(json, json.indexOf(COLON, nameEnd) + 1);
    const end = valueEnd(json, from);
    if (json.subarray(at, nameEnd).equals(wanted)) {
      let to = end;
      while (isSpace(json[to - 1])) to--;
      found = { from, to };
    }
    at = skipSpace(json, end + 1);
  }
  return found;
}

/** The object with the member's value set: replaced where the member is, else put in front. */
export function withMember(json: Buffer, name: string, value: Buffer): Buffer {
  const span = memberValue(json, name);
  if (span !== null) return Buffer.concat([json.subarray(0, span.from), value, json.subarray(span.to)]);
  const first = json.indexOf(OPEN_BRACE) + 1;
  const empty = json[skipSpace(json, first)] === CLOSE_BRACE;
  return Buffer.concat([
    json.subarray(0, first),
    Buffer.from(`${JSON.stringify(name)}:`),
    value,
    Buffer.from(empty ? "" : ","),
    json.subarray(first),
  ]);
}
