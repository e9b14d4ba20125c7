/** Addresses as people write them: flat, every value text, nothing in quotes. */
export const parse = (search: string): Record<string, string> =>
  Object.fromEntries(new URLSearchParams(search));

export function stringify(search: Record<string, unknown>): string {
  const entries = Object.entries(search).flatMap(([key, value]) =>
    value === undefined || value === null || value === "" ? [] : [[key, String(value)]],
  );
  const text = new URLSearchParams(entries).toString();
  return text === "" ? "" : `?${text}`;
}
