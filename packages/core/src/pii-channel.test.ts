import { expect, test } from "vitest";
import { PiiChannel } from "./pii-channel.ts";
import { ENTITIES } from "./pii-entity.ts";
import { applyPolicy } from "./pii-mask.ts";
import { DEFAULT_POLICY, type PiiPolicy } from "./pii-policy.ts";
import { labelledTexts } from "./testing/pii-labelled.ts";

const MASK_ALL = Object.fromEntries(ENTITIES.map((entity) => [entity, "mask"])) as PiiPolicy;
const MASK_BLOCKED = Object.fromEntries(
  ENTITIES.map((entity) => [entity, DEFAULT_POLICY[entity] === "block" ? "mask" : "flag"]),
) as PiiPolicy;

function inPieces(pieces: string[], policy: PiiPolicy): { text: string; found: string[] } {
  const channel = new PiiChannel(policy);
  const releases = [...pieces.map((piece) => channel.push(piece, false)), channel.push("", true)];
  return {
    text: releases.map(({ text }) => text).join(""),
    found: releases.flatMap(({ found }) => found.map(({ entity }) => entity)).sort(),
  };
}

function whole(text: string, policy: PiiPolicy): { text: string; found: string[] } {
  const filtered = applyPolicy(text, policy);
  const found = filtered.findings.flatMap(({ entity, count }) => Array<string>(count).fill(entity));
  return { text: filtered.text, found: found.sort() };
}

for (const [name, policy] of [
  ["everything is masked", MASK_ALL],
  ["what blocks by default is masked, the rest flagged", MASK_BLOCKED],
] as const) {
  test(`every labelled text, cut at every border, gives what the whole text gives: ${name}`, () => {
    for (const { text } of labelledTexts()) {
      const expected = whole(text, policy);
      for (let cut = 1; cut < text.length; cut++) {
        expect(inPieces([text.slice(0, cut), text.slice(cut)], policy), `${cut}: ${text}`).toEqual(expected);
      }
      expect(inPieces(text.split(""), policy), `by unit: ${text}`).toEqual(expected);
      expect(inPieces(text.match(/.{1,3}/gs) ?? [], policy), `by three: ${text}`).toEqual(expected);
    }
  });
}

test("all labelled texts as one long stream, in pieces of changing size", () => {
  const text = labelledTexts()
    .map((labelled) => labelled.text)
    .join("\n\n");
  const pieces: string[] = [];
  for (let at = 0, size = 1; at < text.length; at += size, size = (size % 23) + 1) {
    pieces.push(text.slice(at, at + size));
  }
  expect(inPieces(pieces, MASK_ALL)).toEqual(whole(text, MASK_ALL));
});

test("prose is released at once but for a word that could begin a value", () => {
  const channel = new PiiChannel(DEFAULT_POLICY);
  expect(channel.push("The weather is fine, ", false).text).toBe("The weather is fine, ");
  expect(channel.push("and warm", false).text).toBe("and warm");
  expect(channel.push(" card 4", false).text).toBe(" card ");
  expect(channel.held).toBe(1);
  expect(channel.push(" of 5", false).text).toBe("4 of ");
  // E-mail is only flagged by default, so nothing waits for an `@`.
  expect(channel.push(" jane.doe", false).text).toBe("5 jane.doe");
});

test("what is held back has a bound", () => {
  for (const unit of ["a", "1", "-", "4111 ", "sk-", "eyJa", "a.", "DE89 ", "\u200b"]) {
    const channel = new PiiChannel(MASK_ALL);
    let most = 0;
    for (let count = 0; count < 1500; count++) {
      channel.push(unit, false);
      most = Math.max(most, channel.held);
    }
    expect(most, unit).toBeLessThanOrEqual(16_500);
    if (!["sk-", "eyJa"].includes(unit)) expect(most, unit).toBeLessThanOrEqual(320);
  }
});

const BITS = [
  "4111",
  "1111",
  " ",
  "-",
  ".",
  "@",
  "a",
  "jane",
  "example.com",
  "DE89",
  "3704",
  "0044",
  "0532",
  "0130",
  "00",
];
BITS.push(
  "sk-",
  "Ab3dEf6hIj9kLmN2pQ",
  "+44",
  "(0)",
  "20",
  "7946",
  "0958",
  "AB",
  "12",
  "34",
  "56",
  "C",
  "::",
  "2001:db8",
);
BITS.push(
  "\u200b",
  "\u00a0",
  "４",
  "–",
  "\n",
  "passport ",
  "ssn ",
  "order ",
  "eyJabcdefghijk",
  ".eyJabc",
  "AKIA",
  "/",
);
BITS.push(
  "IOSFODNN7EXAMPLE",
  "-----BEGIN RSA PRIVATE KEY-----",
  "-----END RSA PRIVATE KEY-----",
  "_",
  ":",
  "é",
  "我",
);
BITS.push("secret_access_key=", "\ud835", "\udfce", "<", "P<");

test("texts made of pieces of values, in pieces of any size", () => {
  let seed = 20261121;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  for (let round = 0; round < 600; round++) {
    const text = Array.from({ length: 1 + random(24) }, () => BITS[random(BITS.length)]).join("");
    const policy = round % 2 === 0 ? MASK_ALL : MASK_BLOCKED;
    const expected = whole(text, policy);
    for (const most of [1, 4, 30]) {
      const pieces: string[] = [];
      for (let at = 0, size = 1; at < text.length; at += size) {
        size = 1 + random(most);
        pieces.push(text.slice(at, at + size));
      }
      expect(inPieces(pieces, policy), JSON.stringify(pieces)).toEqual(expected);
    }
  }
});
