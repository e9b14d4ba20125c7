/** Errors: `{"error":{"code","message","details"}}`. The message is for people and never holds content of the trail. */
import { z } from "zod";

export const ERROR_STATUS = {
  /** `details`: `[{ path, message }]`. */
  invalid_request: 400,
  /** The cursor cannot be read, or belongs to another query. */
  invalid_cursor: 400,
  unauthenticated: 401,
  /** `details`: `{ permission }`, or `{ projectId }` for a project that is not theirs. */
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  /** The export is not in a state for it. */
  conflict: 409,
  /** The gateway refused a change of a key; its message is passed on. */
  gateway_refused: 422,
  internal: 500,
  /** No gateway is configured, or it does not answer. */
  gateway_unavailable: 503,
  /** What must be audited could not be: nothing was shown or done. */
  audit_unavailable: 503,
} as const;
export type ErrorCode = keyof typeof ERROR_STATUS;

export const ErrorAnswer = z.object({
  error: z.object({
    code: z.enum(Object.keys(ERROR_STATUS) as [ErrorCode, ...ErrorCode[]]),
    message: z.string(),
    details: z.unknown(),
  }),
});
export type ErrorAnswer = z.infer<typeof ErrorAnswer>;
