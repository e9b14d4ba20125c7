/** A copy of the audit bucket in a folder, as `aws s3 sync s3://<bucket> <folder>` makes it. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { byKey, type TrailReader } from "@central-llm/core/trail-store";

export function offlineTrail(folder: string): TrailReader {
  async function* walk(prefix: string): AsyncGenerator<string> {
    const names = (await readdir(join(folder, prefix), { withFileTypes: true }))
      // A folder's name stands in keys with its slash, which counts in their order.
      .map((entry) => ({ entry, key: `${prefix}${entry.name}${entry.isDirectory() ? "/" : ""}` }))
      .sort((a, b) => byKey(a.key, b.key));
    for (const { entry, key } of names) {
      if (entry.isDirectory()) yield* walk(key);
      else yield key;
    }
  }
  return {
    async *list(prefix, after) {
      const parent = prefix.slice(0, prefix.lastIndexOf("/") + 1);
      try {
        for await (const key of walk(parent))
          if (key.startsWith(prefix) && (after === undefined || byKey(key, after) > 0))
            yield { key, storedAt: null };
      } catch (error) {
        if (!isMissing(error)) throw error; // No such folder: nothing with that prefix.
      }
    },
    async read(key) {
      try {
        return await readFile(join(folder, key));
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },
  };
}

const isMissing = (error: unknown) => (error as NodeJS.ErrnoException).code === "ENOENT";
