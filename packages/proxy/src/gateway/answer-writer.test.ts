/** When an answer's head leaves. */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, expect, it } from "vitest";
import { AnswerWriter } from "./answer-writer.ts";

let stop: () => Promise<unknown>;
afterEach(() => stop());

/** @returns what the client got in its first piece */
async function firstPiece(answer: (writer: AnswerWriter, response: ServerResponse) => void): Promise<string> {
  const server = createServer((_, response) => answer(new AnswerWriter(response, 1_000), response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  stop = () => {
    client.destroy();
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  };
  client.write("GET / HTTP/1.1\r\nhost: here\r\n\r\n");
  const [piece] = (await once(client, "data")) as [Buffer];
  return piece.toString();
}

it("leaves with what follows at once, in one write", async () => {
  let sent = -1;
  const piece = await firstPiece((writer, response) => {
    writer.head(200, { "content-type": "text/event-stream" });
    sent = response.socket?.bytesWritten ?? -1;
    writer.write("data: first\n\n");
  });
  expect(sent).toBe(0);
  expect(piece).toMatch(/^HTTP\/1\.1 200 OK\r\n.*data: first/s);
});

it("waits for nothing when nothing follows", async () => {
  const piece = await firstPiece((writer) => writer.head(200, { "content-type": "text/event-stream" }));
  expect(piece).toMatch(/^HTTP\/1\.1 200 OK\r\n.*\r\n\r\n$/s);
});
