/**
 * Fields of JSON that many hands wrote: found under any of their names and spellings, and read from several notations.
 * Each reader gives null for what it does not understand, so that the next name is tried.
 */

export type Json = Record<string, unknown>;

export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const plain = (name: string) => name.toLowerCase().replace(/[_-]/g, "");

/** An object whose fields are found by any spelling; the first named field that `read` understands wins. */
export class Fields {
  readonly #values: Map<string, unknown>;
  constructor(value: unknown) {
    this.#values = new Map(isObject(value) ? Object.entries(value).map(([name, v]) => [plain(name), v]) : []);
  }
  get size(): number {
    return this.#values.size;
  }
  pick<T>(read: (value: unknown) => T | null, ...names: string[]): T | null {
    for (const name of names) {
      const found = read(this.#values.get(plain(name)));
      if (found !== null) return found;
    }
    return null;
  }
  fields(...names: string[]): Fields {
    return new Fields(this.pick((value) => (isObject(value) ? value : null), ...names));
  }
}

export const any = (value: unknown) => value ?? null;

export function number(value: unknown): number | null {
  const found = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof found === "number" && Number.isFinite(found) && found >= 0 ? found : null;
}

export const integer = (value: unknown) => {
  const found = number(value);
  return found === null ? null : Math.round(found);
};

export function status(value: unknown): number | null {
  const found = integer(typeof value === "string" ? value.trim().split(" ")[0] : value);
  return found !== null && found >= 100 && found <= 599 ? found : null;
}

export const seconds = (value: unknown) => {
  const found = number(value);
  return found === null ? null : found * 1000;
};

export function boolean(value: unknown): boolean | null {
  if (typeof value === "boolean") return value;
  const word = typeof value === "string" ? value.trim().toLowerCase() : value;
  if (word === "true" || word === 1 || word === "1") return true;
  return word === "false" || word === 0 || word === "0" ? false : null;
}

/** ISO 8601 (UTC when it names no zone, as Python's `utcnow().isoformat()` does not), epoch seconds or milliseconds. */
export function time(value: unknown): string | null {
  const stamp = number(value);
  const date =
    stamp !== null
      ? new Date(stamp < 1e11 ? stamp * 1000 : stamp)
      : new Date(isoText(typeof value === "string" ? value.trim() : ""));
  const at = date.getTime();
  return at >= 0 && at < 253_402_300_800_000 ? date.toISOString() : null;
}

function isoText(text: string): string {
  const match = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)\s*(Z|[+-]\d{2}:?\d{2})?$/i.exec(
    text,
  );
  if (!match) return text;
  const [, day, clock = "", zone = "Z"] = match;
  const offset = /^[+-]\d{4}$/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone.toUpperCase();
  return `${day}T${clock.replace(/(\.\d{3})\d+$/, "$1")}${offset}`;
}

/** JSON bodies that the writer stored as text. */
export function body(value: unknown): unknown {
  if (typeof value !== "string" || !/^\s*[{[]/.test(value)) return value ?? null;
  try {
    return JSON.parse(value);
  } catch {
    return value; // Cut or never JSON: kept as the text that it is.
  }
}

export const object = (value: unknown) => (isObject(value) ? value : null);
