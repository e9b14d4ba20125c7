/**
 * API Gateway's own answers, word for word.
 * Source: "Gateway response types for API Gateway" in the API Gateway developer guide.
 */
import type { ServerResponse } from "node:http";

const RESPONSES = {
  INVALID_API_KEY: [403, "ForbiddenException", "Forbidden"],
  MISSING_AUTHENTICATION_TOKEN: [403, "MissingAuthenticationTokenException", "Missing Authentication Token"],
  THROTTLED: [429, "TooManyRequestsException", "Too Many Requests"],
  QUOTA_EXCEEDED: [429, "LimitExceededException", "Limit Exceeded"],
  BAD_REQUEST_PARAMETERS: [400, "BadRequestException", "Missing required request parameters: "],
  REQUEST_TOO_LARGE: [413, "RequestTooLargeException", "Request Too Long"],
  INTEGRATION_FAILURE: [504, "InternalServerErrorException", "Network error communicating with endpoint"],
  INTEGRATION_TIMEOUT: [504, "InternalServerErrorException", "Endpoint request timed out"],
  DEFAULT_5XX: [502, "InternalServerErrorException", "Internal server error"],
} as const;

export type GatewayResponse = keyof typeof RESPONSES;

/** @param detail appended to the message */
export function answer(response: ServerResponse, name: GatewayResponse, detail = ""): void {
  const [status, errorType, message] = RESPONSES[name];
  const body = JSON.stringify({ message: message + detail });
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "x-amzn-errortype": errorType,
  });
  response.end(body);
}
