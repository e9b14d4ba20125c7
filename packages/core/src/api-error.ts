/** Errors in OpenAI's shape: `{"error":{"message","type","param","code"}}`, on every model-side door. */

export interface ApiError {
  status: number;
  type: string;
  code: string | null;
  message: string;
  param?: string | null;
}

export function errorBody(error: ApiError): string {
  return JSON.stringify({
    error: { message: error.message, type: error.type, param: error.param ?? null, code: error.code },
  });
}

/** What a caller learns of a fault of ours: nothing but that it happened. */
export const INTERNAL: ApiError = {
  status: 500,
  type: "internal_error",
  code: "internal",
  message: "The platform failed to handle this request. Its x-request-id names it in the platform's logs.",
};
