/**
 * What API Gateway itself answers on the central path, on AWS (infra/central-api.ts) and locally (the edge): one table, so that
 * the two cannot differ. Messages are AWS's ("Gateway response types for API Gateway" in its developer guide). Key and usage plan are
 * refused in AWS's own shape, which clients of API Gateway know; what a client's developer must mend, or an OpenAI client
 * shall show, is in OpenAI's.
 */
export interface ApiGatewayAnswer {
  status: number;
  /** AWS's `x-amzn-errortype`. */
  errorType: string;
  /** Of BAD_REQUEST_PARAMETERS the begin: AWS adds the names in brackets. */
  message: string;
  /** Null: `{"message":…}` as AWS answers by itself. */
  openAi: { type: string; code: string } | null;
}

export const API_GATEWAY_ANSWERS = {
  INVALID_API_KEY: { status: 403, errorType: "ForbiddenException", message: "Forbidden", openAi: null },
  MISSING_AUTHENTICATION_TOKEN: {
    status: 403,
    errorType: "MissingAuthenticationTokenException",
    message: "Missing Authentication Token",
    openAi: null,
  },
  THROTTLED: {
    status: 429,
    errorType: "TooManyRequestsException",
    message: "Too Many Requests",
    openAi: null,
  },
  QUOTA_EXCEEDED: {
    status: 429,
    errorType: "LimitExceededException",
    message: "Limit Exceeded",
    openAi: null,
  },
  BAD_REQUEST_PARAMETERS: {
    status: 400,
    errorType: "BadRequestException",
    message: "Missing required request parameters: ",
    openAi: { type: "invalid_request_error", code: "missing_required_header" },
  },
  REQUEST_TOO_LARGE: {
    status: 413,
    errorType: "RequestTooLargeException",
    message: "Request Too Long",
    openAi: { type: "invalid_request_error", code: "request_too_large" },
  },
  INTEGRATION_FAILURE: {
    status: 504,
    errorType: "InternalServerErrorException",
    message: "Network error communicating with endpoint",
    openAi: { type: "server_error", code: "model_unavailable" },
  },
  INTEGRATION_TIMEOUT: {
    status: 504,
    errorType: "InternalServerErrorException",
    message: "Endpoint request timed out",
    openAi: { type: "server_error", code: "timeout" },
  },
  DEFAULT_5XX: {
    status: 502,
    errorType: "InternalServerErrorException",
    message: "Internal server error",
    openAi: null,
  },
} satisfies Record<string, ApiGatewayAnswer>;

export type ApiGatewayAnswerName = keyof typeof API_GATEWAY_ANSWERS;

/** @param message as JSON with its quotes, or API Gateway's variable for that @returns the body */
export function answerBody({ openAi }: ApiGatewayAnswer, message: string): string {
  return openAi === null
    ? `{"message":${message}}`
    : `{"error":{"message":${message},"type":"${openAi.type}","param":null,"code":"${openAi.code}"}}`;
}
