/** Paths as audit, logs and answers may show them: a key in one is named by its place alone. */

const KEY = /\/[^/]*sk-[^/]*/gi;

export const keysHidden = (path: string) => path.replaceAll(KEY, "/{key}");

/** What cannot be decoded stays as it is. */
export function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
