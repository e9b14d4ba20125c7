/** The same value with bytes as base64, so that views of different kinds (Buffer, Uint8Array) compare. */
export function plainBytes(value: object): object {
  return JSON.parse(
    JSON.stringify(value, function (this: Record<string, unknown>, name, member) {
      const original = this[name];
      return original instanceof Uint8Array ? Buffer.from(original).toString("base64") : member;
    }),
  );
}
