/** The answer to a request whose body is still coming. */
import type { IncomingMessage, ServerResponse } from "node:http";

/** How long the rest of a refused upload is read and dropped. */
const DISCARD_MS = 2_000;

/**
 * Sends the whole answer to a request that is still arriving, and goes on reading for a while: a connection closed with unread
 * bytes is reset by the kernel, and many clients then never see the answer (RFC 9112 §9.6).
 */
export function linger(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  response.write(body);
  const end = () => {
    clearTimeout(timer);
    response.end();
  };
  const timer = setTimeout(end, DISCARD_MS);
  request.once("end", end);
  response.once("close", end);
  request.resume();
}
