/** Why the API did not give what was asked. `message` is fit to be shown. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** The HTTP status; 0 when no answer came. */
  readonly status: number;
  /** The API's own word for it, e.g. `forbidden`; `unreachable` when no answer came. */
  readonly code: string;
  readonly details: unknown;
  /** For whoever looks into the server's log. */
  readonly requestId: string | null;

  constructor(
    status: number,
    code: string,
    message: string,
    details: unknown = null,
    requestId: string | null = null,
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
    this.requestId = requestId;
  }
}

/** What an answer that is not 2xx says: the API's `{error: {code, message, details}}`, or what a proxy in between says. */
export async function fromResponse(response: Response): Promise<ApiError> {
  const requestId = response.headers.get("x-request-id");
  const text = await response.text();
  let error: { code?: unknown; message?: unknown; details?: unknown } | undefined;
  try {
    error = JSON.parse(text)?.error;
  } catch {
    // Not JSON: not from the API, but from something on the way.
  }
  if (error && typeof error.code === "string" && typeof error.message === "string") {
    return new ApiError(response.status, error.code, error.message, error.details ?? null, requestId);
  }
  return new ApiError(
    response.status,
    "unexpected",
    `The server answered ${response.status}${response.statusText ? ` ${response.statusText}` : ""}.`,
    null,
    requestId,
  );
}
