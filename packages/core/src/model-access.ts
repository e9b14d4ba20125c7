/** The same rule as `central_llm.permits` in the gateway's database, for lists of models that need no admission. */

/**
 * Whether a key's, user's or team's list of models lets one of these names be called. An empty list allows all; `*` in
 * an entry stands for anything (LiteLLM's wildcards).
 */
export function permits(models: readonly string[], names: readonly string[]): boolean {
  if (models.length === 0 || models.includes("*") || models.includes("all-proxy-models")) return true;
  return models.some((entry) =>
    names.some((name) => entry === name || (entry.includes("*") && wildcard(entry).test(name))),
  );
}

const wildcard = (entry: string) =>
  new RegExp(`^${entry.replace(/[\\^$.|?+()[\]{}]/g, "\\$&").replaceAll("*", ".*")}$`, "s");
