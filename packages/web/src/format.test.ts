import { expect, test } from "vitest";
import * as Format from "./format.ts";

test("numbers are grouped, and nothing is not zero", () => {
  expect(Format.count(1234567)).toBe("1,234,567");
  expect(Format.count(null)).toBe("–");
  expect(Format.counted(1, "call")).toBe("1 call");
  expect(Format.counted(1200, "access", "accesses")).toBe("1,200 accesses");
});

test.each([
  [0.42, "0.4 ms"],
  [812.4, "812 ms"],
  [9_999, "9,999 ms"],
  [12_345, "12.3 s"],
  [200_000, "3 min 20 s"],
  [7_260_000, "2 h 1 min"],
  [864_000_000, "10 days"],
])("%d ms reads %s", (value, text) => expect(Format.milliseconds(value)).toBe(text));

test.each([
  [0, "$0"],
  [0.0005, "$0.00050"],
  [0.25, "$0.25"],
  [1234.5, "$1,234.50"],
])("%d dollars read %s", (value, text) => expect(Format.dollars(value)).toBe(text));

test.each([
  [0, "0%"],
  [0.0002, "<0.1%"],
  [0.025, "2.5%"],
])("a share of %d reads %s", (value, text) => expect(Format.share(value)).toBe(text));
