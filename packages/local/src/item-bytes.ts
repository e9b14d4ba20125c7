/**
 * The size by which DynamoDB charges an item in its own JSON. dynalite's count takes a character for a byte. Source:
 * "DynamoDB item sizes and formats" in Amazon's developer guide, and for numbers DynamoDB Local (docs/conformance.md).
 */
import type { Item } from "./dynalite-internals.ts";

type Value = Item[string];

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);

/** DynamoDB keeps decimal digits in pairs that end at the decimal point, and trims zeros at both ends. */
function numberBytes(text: string): number {
  const [mantissa = "", exponent = "0"] = text.toLowerCase().replace(/^[-+]/, "").split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  const digits = (whole + fraction).replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  if (significant === "") return 1;
  const beforePoint = digits.length - fraction.length + Number(exponent);
  const unpaired = beforePoint % 2 === 0 ? 0 : 1;
  return 1 + Math.ceil((significant.length + unpaired) / 2) + (text.startsWith("-") ? 1 : 0);
}

function valueBytes(value: Value): number {
  const [type = "", content] = Object.entries(value)[0] ?? [];
  switch (type) {
    case "S":
      return Buffer.byteLength(content as string);
    case "N":
      return numberBytes(content as string);
    case "B":
      return Buffer.byteLength(content as string, "base64");
    case "SS":
      return sum((content as string[]).map((element) => Buffer.byteLength(element)));
    case "NS":
      return sum((content as string[]).map(numberBytes));
    case "BS":
      return sum((content as string[]).map((element) => Buffer.byteLength(element, "base64")));
    case "L":
      return 3 + sum((content as Value[]).map((element) => 1 + valueBytes(element)));
    case "M":
      return 3 + Object.keys(content as Item).length + itemBytes(content as Item);
    default:
      return 1;
  }
}

export function itemBytes(item: Item): number {
  return sum(Object.entries(item).map(([name, value]) => Buffer.byteLength(name) + valueBytes(value)));
}

/** 1 for each started KB. */
export function writeUnitsOf(item: Item): number {
  return Math.max(1, Math.ceil(itemBytes(item) / 1024));
}
