/**
 * What DynamoDB charges an item by: the UTF-8 bytes of its attribute names and values
 * (docs.aws.amazon.com/amazondynamodb, "DynamoDB item sizes and formats").
 */

/** Bytes of one attribute's value. A number costs a byte for two significant digits and one more. */
function valueBytes(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (typeof value === "number") return numberBytes(value);
  if (Array.isArray(value)) return value.reduce((sum, item) => sum + 1 + valueBytes(item), 3);
  if (value !== null && typeof value === "object") {
    return Object.entries(value).reduce((sum, [name, item]) => sum + 1 + attributeBytes(name, item), 3);
  }
  return 1;
}

function numberBytes(value: number): number {
  const digits = value.toExponential().replace(/e.*$/, "").replace(/\D/g, "").length;
  return Math.ceil(digits / 2) + (value < 0 ? 2 : 1);
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
