import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { DIFFERENCES } from "./known-differences.ts";

test.each(DIFFERENCES)("$test: is still the name of a test", ({ file, test: name }) => {
  const source = readFileSync(fileURLToPath(new URL(`../${file}`, import.meta.url)), "utf8");
  expect(source).toContain(JSON.stringify(name));
});
