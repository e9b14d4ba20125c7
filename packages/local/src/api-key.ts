/** API keys of the API Gateway stand-in: made once, kept below `.local/`, never committed. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";

const ApiKey = z.object({ id: z.string().min(1), name: z.string().min(1), value: z.string().min(20) });
export type ApiKey = z.infer<typeof ApiKey>;

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

function random(length: number, alphabet: string): string {
  // Bytes beyond a multiple of the alphabet's size would favour its first letters.
  const usable = 256 - (256 % alphabet.length);
  let text = "";
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < usable && text.length < length) text += alphabet[byte % alphabet.length];
    }
  }
  return text;
}

/** A key as AWS makes them: an id of 10 and a value of 40 characters. */
export function newApiKey(name: string): ApiKey {
  return { id: random(10, ALPHABET.slice(26)), name, value: random(40, ALPHABET) };
}

/** The file's keys; a first one is made when there is no file. Only the owner may read it. */
export function loadApiKeys(file: string, firstName: string): ApiKey[] {
  if (existsSync(file))
    return z
      .array(ApiKey)
      .min(1)
      .parse(JSON.parse(readFileSync(file, "utf8")));
  const keys = [newApiKey(firstName)];
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600 });
  return keys;
}

/** Finds a key by its value, in a time that does not tell how much of a guess was right. */
export function findApiKey(keys: readonly ApiKey[], value: string | undefined): ApiKey | undefined {
  if (!value) return undefined;
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const wanted = digest(value);
  return keys.find((key) => timingSafeEqual(digest(key.value), wanted));
}
