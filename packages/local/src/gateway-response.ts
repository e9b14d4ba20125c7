/** API Gateway's own answers, word for word: core/api-gateway-answer.ts. */
import type { ServerResponse } from "node:http";
import {
  API_GATEWAY_ANSWERS,
  type ApiGatewayAnswerName,
  answerBody,
} from "@central-llm/core/api-gateway-answer";

/** @param detail appended to the message */
export function answer(response: ServerResponse, name: ApiGatewayAnswerName, detail = ""): void {
  const known = API_GATEWAY_ANSWERS[name];
  const body = answerBody(known, JSON.stringify(known.message + detail));
  response.writeHead(known.status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "x-amzn-errortype": known.errorType,
  });
  response.end(body);
}
