/** A model server that answers chat completions at once, or as slowly as a test wants; counts what it was asked. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface ModelServer {
  url: string;
  asked: number;
  stop(): Promise<void>;
}

/** @param delayMs before each answer, and between the chunks of a stream (of which there are five) */
export async function startModelServer(delayMs: () => number = () => 0): Promise<ModelServer> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      state.asked++;
      const body = JSON.parse(Buffer.concat(chunks).toString() || "{}") as { stream?: boolean };
      setTimeout(() => (body.stream ? stream(response) : answer(request, response)), delayMs());
    });
  });
  const stream = (response: ServerResponse) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    let sent = 0;
    const next = () => {
      if (response.destroyed) return;
      if (sent++ === 5) return void response.end("data: [DONE]\n\n");
      const chunk = {
        object: "chat.completion.chunk",
        model: "demo",
        choices: [{ index: 0, delta: { content: `w${sent} ` } }],
      };
      response.write(`data: ${JSON.stringify(chunk)}\n\n`);
      setTimeout(next, delayMs());
    };
    next();
  };
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const content = `You asked ${request.headers["x-request-id"]}`;
    const body = JSON.stringify({
      object: "chat.completion",
      model: "demo",
      choices: [{ index: 0, message: { role: "assistant", content } }],
    });
    response.writeHead(200, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    });
    response.end(body);
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const state: ModelServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: 0,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
  return state;
}
