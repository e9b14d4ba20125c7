import { expect, test } from "vitest";
import { attributeBytes } from "./item-size.ts";

// Measured at Amazon's DynamoDB Local 2.6.1; `aws-endpoint.test.ts` holds them against whichever engine runs the tests.
test.each([
  ["", 0],
  ["0123456789", 10],
  ["ü", 2],
  ["…", 3],
  ["😀", 4],
  [0, 1],
  [1, 2],
  [12, 2],
  [123, 3],
  [170, 3],
  [200, 2],
  [1024, 3],
  [48_213, 4],
  [812.437, 5],
  [95.118, 4],
  [0.004044, 3],
  [-5, 3],
  [1_795_255_200, 5],
  [true, 1],
  [[], 3],
  [["pii"], 7],
  [["pii", "partial"], 15],
  [{ a: "b" }, 6],
])("%j takes %d bytes and its name's", (value, bytes) => {
  expect(attributeBytes("name", value)).toBe(4 + bytes);
});
