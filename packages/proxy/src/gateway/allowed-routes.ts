/** LiteLLM's `allowed_routes` of a key: paths, paths that end in `*`, and names of groups of routes. */

/** Groups that hold every route to a model. */
const EVERY_MODEL_ROUTE = new Set(["llm_api_routes", "*"]);
const GROUPS: Record<string, (path: string) => boolean> = {
  openai_routes: (path) => !path.startsWith("/v1/messages"),
  anthropic_routes: (path) => path.startsWith("/v1/messages"),
};

/** @param path of one of the gateway's model routes, with its `/v1` @param allowed null or empty: all routes */
export function routeAllowed(allowed: readonly string[] | null, path: string): boolean {
  if (allowed === null || allowed.length === 0) return true;
  return allowed.some((entry) => {
    if (EVERY_MODEL_ROUTE.has(entry)) return true;
    if (Object.hasOwn(GROUPS, entry)) return GROUPS[entry]?.(path) ?? false;
    const wanted = [path, path.slice("/v1".length)];
    if (entry.endsWith("*")) return wanted.some((one) => one.startsWith(entry.slice(0, -1)));
    return wanted.includes(entry);
  });
}
