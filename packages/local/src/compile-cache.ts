/**
 * Where Node keeps what it has compiled, so that the next process that loads it need not: a platform is nine processes, a run of
 * the tests hundreds. To be added to environments that are made from nothing; NODE_DISABLE_COMPILE_CACHE turns it off.
 */
import { join } from "node:path";

const FOLDER = join(import.meta.dirname, "../../../node_modules/.cache/node-compile");

/** `NODE_COMPILE_CACHE` as it is set, or this checkout's own. */
export function compileCache(): Record<string, string> {
  const { NODE_COMPILE_CACHE, NODE_DISABLE_COMPILE_CACHE } = process.env;
  if (NODE_DISABLE_COMPILE_CACHE) return { NODE_DISABLE_COMPILE_CACHE };
  return { NODE_COMPILE_CACHE: NODE_COMPILE_CACHE || FOLDER };
}
