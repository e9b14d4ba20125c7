/** How the translation server answers: JSON, server-sent events, errors in the caller's shape. */
import type { ServerResponse } from "node:http";
import { type ApiError, errorBody, INTERNAL } from "@central-llm/core/api-error";
import { anthropicErrorBody } from "../gateway/anthropic-error.ts";
import type { ChatStreamEncoder } from "../gateway/chat-stream.ts";
import type { MessagesStreamEncoder } from "../gateway/messages-stream.ts";
import { Refusal } from "../gateway/refusal.ts";
import type { StreamEvent } from "../gateway/translation.ts";
import { UpstreamError, upstreamError } from "../gateway/upstream-error.ts";

export type Encoder = ChatStreamEncoder | MessagesStreamEncoder;

export async function stream(
  response: ServerResponse,
  events: AsyncIterable<StreamEvent>,
  encoder: Encoder,
): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  try {
    for await (const event of events) {
      const text = encoder.push(event);
      if (text !== "") response.write(text);
    }
    response.end(encoder.end());
  } catch (error) {
    response.end(encoder.fail(upstreamError(error).error));
  }
}

export const notFound = (what: string): ApiError => ({
  status: 404,
  type: "invalid_request_error",
  code: "model_not_found",
  message: `There is no '${what}'.`,
  param: "model",
});

export function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

export function refuse(response: ServerResponse, problem: unknown, anthropic: boolean): void {
  const error = problem instanceof Refusal || problem instanceof UpstreamError ? problem.error : INTERNAL;
  if (error === INTERNAL) console.error(problem);
  if (response.headersSent) return void response.destroy();
  response.writeHead(error.status, { "content-type": "application/json" });
  response.end(anthropic ? anthropicErrorBody(error) : errorBody(error));
}
