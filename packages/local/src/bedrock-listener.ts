/**
 * One port for HTTP/1.1 and, without TLS, HTTP/2, as Bedrock's SDK client speaks it unless it is told otherwise: the first
 * bytes of a connection tell which.
 */
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, createServer as createNetServer, type Socket } from "node:net";

export interface Listener {
  port: number;
  stop(): Promise<void>;
}

const HTTP2_PREFACE = "PRI * HTTP/2.0";

/** @param port 0: any free one, on 127.0.0.1 */
export async function listen(handler: RequestListener, port: number): Promise<Listener> {
  const http1 = createServer(handler);
  http1.keepAliveTimeout = 60_000;
  // Node's HTTP/2 requests and answers have the methods of HTTP/1.1's that handlers use.
  const http2 = createHttp2Server({}, handler as never);
  const sockets = new Set<Socket>();
  const server = createNetServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.once("readable", () => {
      const head: Buffer | null = socket.read();
      if (head === null) return;
      socket.unshift(head);
      const to = head.toString("latin1", 0, HTTP2_PREFACE.length) === HTTP2_PREFACE ? http2 : http1;
      (to as Server).emit("connection", socket);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
