/** Answers to what node:http's parser refuses, written to the socket itself: there is no request to answer. */
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type ApiError, errorBody } from "@central-llm/core/api-error";
import { newRequestId } from "@central-llm/core/request-id";
import type { Metrics } from "./metrics.ts";

function refusal(status: number, code: string, message: string): ApiError {
  return { status, type: "invalid_request_error", code, message };
}

const NOT_HTTP = refusal(400, "bad_request", "This is not a valid HTTP/1.1 request.");
const HEADERS_TOO_LARGE = refusal(
  431,
  "headers_too_large",
  "The request's headers are larger than the platform takes.",
);
const TOO_SLOW = refusal(408, "request_timeout", "The request did not arrive in time.");
export const NO_TUNNELS = refusal(405, "method_not_allowed", "The platform opens no tunnels.");

function refusalFor(code: string | undefined): ApiError {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return HEADERS_TOO_LARGE;
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return TOO_SLOW;
    default:
      return NOT_HTTP;
  }
}

const LINGER_MS = 2_000;
/** Connections that got their answer; all that still comes on them is dropped. */
const answered = new WeakSet<Duplex>();

/** Who has the connections: of either profile. */
export interface Door {
  metrics: Metrics;
  exchangeOn(socket: Duplex): { malformed(error: ApiError): void } | null;
}

export function refuseMalformed(proxy: Door, error: NodeJS.ErrnoException, socket: Duplex): void {
  // The client is gone, or went in the middle of its request.
  const gone =
    error.code === "ECONNRESET" || error.code === "EPIPE" || error.code === "HPE_INVALID_EOF_STATE";
  if (gone) return void socket.destroy();
  if (answered.has(socket)) return;
  if (!socket.writable) return void socket.destroy();
  answered.add(socket);
  const problem = refusalFor(error.code);
  proxy.metrics.malformed.inc({ code: String(problem.code) });
  const exchange = proxy.exchangeOn(socket);
  if (exchange !== null) exchange.malformed(problem);
  else answerSocket(socket, problem);
}

export function answerSocket(socket: Duplex, problem: ApiError): void {
  const body = errorBody(problem);
  socket.on("error", () => socket.destroy());
  // Closed a little later: unread bytes would make the kernel reset the connection, and the answer be lost.
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nx-request-id: ${newRequestId().id}\r\nconnection: close\r\n\r\n${body}`,
  );
}
