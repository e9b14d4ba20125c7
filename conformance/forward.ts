/** Hands a request to another server as it is, and its answer back. */
import { type IncomingMessage, type ServerResponse, request as send } from "node:http";

/** The `Host` header stays the client's: queue URLs are made from it. */
export function forward(url: string, request: IncomingMessage, response: ServerResponse): void {
  const { connection: _, ...headers } = request.headers;
  const onward = send(new URL(request.url ?? "/", url), { method: request.method, headers }, (answer) => {
    const { connection: _, "keep-alive": __, "transfer-encoding": ___, ...said } = answer.headers;
    response.writeHead(answer.statusCode ?? 502, said);
    answer.pipe(response);
    answer.on("error", () => response.destroy());
  });
  onward.on("error", () => response.destroy());
  response.on("close", () => onward.destroy());
  request.pipe(onward);
}
