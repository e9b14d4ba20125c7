import { afterEach, expect, test } from "vitest";
import { detect } from "./pii-detector.ts";
import { PiiText } from "./pii-text.ts";

const found = (text: string) =>
  detect(text).map(({ entity, start, end }) => `${entity}:${text.slice(start, end)}`);

test("spans lead back to the text as it was given", () => {
  const raw = "п: ４１１１\u200b１１１１\u00a0\u200d… 4111\u200b1111\u00ad1111\u206011\u200b11\u200b!";
  const [match, ...others] = detect(raw);
  expect(others).toEqual([]);
  expect(match && raw.slice(match.start, match.end)).toBe("4111\u200b1111\u00ad1111\u206011\u200b11");
  expect(found("𝟒𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 𝟏𝟏𝟏𝟏!")).toEqual(["CREDIT_CARD:𝟒𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 𝟏𝟏𝟏𝟏"]);
  // Cyrillic А, Е and О in the country and bank code.
  expect(found("GВ29NWВК60161331926819")).toEqual(["IBAN:GВ29NWВК60161331926819"]);
});

test("matches come from left to right and never overlap", () => {
  const text =
    "4111111111111111@example.com jane@example.com,bob@example.com +442079460958@x.io DE89370400440532013000/AB123456C";
  let end = 0;
  for (const match of detect(text)) {
    expect(match.start).toBeGreaterThanOrEqual(end);
    end = match.end;
  }
  expect(found(text)).toContain("EMAIL:jane@example.com");
});

test.each([
  [
    "a card whose label says order number is still one when it is grouped like one",
    "order 4111 1111 1111 1111",
    1,
  ],
  ["a long number that an order number's label announces is none", "order number 4539148803436467", 0],
  ["the same number without a label is a card", "4539148803436467", 1],
  ["a card right after CJK text", "卡号4111111111111111，", 1],
  ["a card with its security code behind", "4111 1111 1111 1111 123", 1],
  ["a card in the middle of a longer identifier", "a4111111111111111", 0],
  ["digits after a decimal point", "0.4111111111111111", 0],
  ["a wrong check digit", "4111111111111112", 0],
  ["all the same digit", "0000000000000000", 0],
  ["an unknown issuer", "1234567812345670", 0],
])("cards: %s", (_, text, count) => {
  expect(found(text).filter((one) => one.startsWith("CREDIT_CARD"))).toHaveLength(count);
});

const HOSTILE = [
  "1",
  "1 ",
  "12 ",
  "123-",
  "4111 ",
  "4111-1111-",
  "a@",
  "@",
  "a",
  "a.",
  "a@a.a.",
  ":",
  "a:",
  "1:",
  "-",
  "-----BEGIN ",
  "-----BEGIN PRIVATE KEY-----\n",
  "-----END ",
  "sk-",
  "sk--",
  "/sk-a",
  "eyJ",
  "eyJaaaaaaaaaa.",
  "-eyJaaaaaaaaaa",
  "secret_access_key=",
  "(",
  "+1",
  "+",
  "(1) ",
  "call 12 34 56 ",
  "DE89 ",
  "DE89",
  "AB 12 34 ",
  "1.1.1.1.",
  "1.1.",
  "passport A1234 ",
  "AKIA",
  "xoxb-",
  "ghp_",
  "_",
  "４ ",
  "\u200b",
  "é",
  "P<",
  "A1<",
  "SG.",
  "order 4539148803436467 ",
];

const at = PiiText.prototype.at;
afterEach(() => {
  PiiText.prototype.at = at;
});

/** How many characters the detectors ask for. */
function steps(text: string): number {
  let count = 0;
  PiiText.prototype.at = function (index) {
    count++;
    return at.call(this, index);
  };
  detect(text);
  return count;
}

test.each(HOSTILE)("linear on a text of nothing but %j", (unit) => {
  const small = steps(unit.repeat(Math.ceil(20_000 / unit.length)));
  const large = steps(unit.repeat(Math.ceil(80_000 / unit.length)));
  expect(large).toBeLessThanOrEqual(4.2 * small + 50_000);
  expect(large / 80_000).toBeLessThan(160);
});

test("a megabyte of the worst is done in seconds, not in minutes", () => {
  for (const unit of ["4111 "]) {
    const { user } = process.cpuUsage();
    detect(unit.repeat(Math.ceil(1_000_000 / unit.length)));
    expect(process.cpuUsage().user - user).toBeLessThan(10_000_000);
  }
});
