/** Bedrock's JSON carries bytes as base64: of images and documents, and of thoughts that are not to be read. */
const BLOBS = new Set(["bytes", "redactedContent"]);

/** @returns the same value with those members as bytes */
export function withBytes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withBytes);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      BLOBS.has(name) && typeof member === "string" ? Buffer.from(member, "base64") : withBytes(member),
    ]),
  );
}
