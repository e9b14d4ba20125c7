/** An error as the log has it: what, where and why, and nothing that it carries along. */

/**
 * Libraries hang whole messages on their errors (undici: the bytes that it could not parse), which are the callers' business and
 * no log's.
 */
export function loggedError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, message, stack } = error;
  return { type: name, code: (error as NodeJS.ErrnoException).code, message, stack };
}
