/**
 * What DynamoDB charges an item by: the UTF-8 bytes of its attribute names and values
 * (docs.aws.amazon.com/amazondynamodb, "DynamoDB item sizes and formats"). That page gives numbers only approximately;
 * how they are counted here is how Amazon's DynamoDB Local counts them (docs/conformance.md).
 */

/** Bytes of one attribute's value. */
function valueBytes(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (typeof value === "number") return numberBytes(value);
  if (Array.isArray(value)) return value.reduce((sum, item) => sum + 1 + valueBytes(item), 3);
  if (value !== null && typeof value === "object") {
    return Object.entries(value).reduce((sum, [name, item]) => sum + 1 + attributeBytes(name, item), 3);
  }
  return 1;
}

/** One byte, one for each two significant digits, counted in pairs from the decimal point, and one for a minus. */
function numberBytes(value: number): number {
  if (value === 0) return 1;
  const [mantissa = "", exponent] = Math.abs(value).toExponential().split("e");
  const digits = mantissa.replace(".", "").length;
  // 812.437 is 08 12 . 43 70: four pairs for six digits.
  const unpaired = Number(exponent) % 2 === 0 ? 1 : 0;
  return 1 + Math.ceil((digits + unpaired) / 2) + (value < 0 ? 1 : 0);
}

export function attributeBytes(name: string, value: unknown): number {
  return value === undefined ? 0 : Buffer.byteLength(name) + valueBytes(value);
}

export function itemBytes(item: Record<string, unknown>): number {
  return Object.entries(item).reduce((sum, [name, value]) => sum + attributeBytes(name, value), 0);
}

/** A write unit covers 1 KB of an item, rounded up. */
export function writeUnits(bytes: number): number {
  return Math.ceil(bytes / 1024);
}
