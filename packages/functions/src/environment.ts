/** A function's settings, from its environment: parsed once, when it starts. */
import type { z } from "zod";

/**
 * @param who what cannot start, for the message
 * @throws {Error} one line that names each missing or bad variable
 */
export function fromEnvironment<T>(
  who: string,
  schema: z.ZodType<T>,
  env: Record<string, string | undefined>,
): T {
  const parsed = schema.safeParse(env);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new Error(`${who} cannot start: ${faults.join("; ")}`);
}
