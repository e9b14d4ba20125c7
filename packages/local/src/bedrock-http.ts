/** Bedrock's HTTP, without what is asked and answered: signatures, JSON, and how an exception looks. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { BedrockFault } from "./bedrock-fault.ts";

/** Only that a signature for Bedrock is there: the stand-in has nobody's secret to check it with. */
export function requireSignature(request: IncomingMessage): void {
  const given = request.headers.authorization ?? "";
  const signed = /^AWS4-HMAC-SHA256 Credential=[^/]+\/\d{8}\/[a-z0-9-]+\/bedrock\/aws4_request/.test(given);
  if (!signed)
    throw new BedrockFault(
      "UnrecognizedClientException",
      "The security token included in the request is invalid.",
    );
}

export function answer(response: ServerResponse, body: object, headers: Record<string, string> = {}): void {
  const text = JSON.stringify(body);
  response.writeHead(200, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    "x-amzn-requestid": "stand-in",
    ...headers,
  });
  response.end(text);
}

export function refuse(response: ServerResponse, error: unknown): void {
  const fault =
    error instanceof BedrockFault
      ? error
      : new BedrockFault("ValidationException", `Malformed input: ${error}`);
  if (response.headersSent) return void response.destroy();
  response.writeHead(fault.status, { "content-type": "application/json", "x-amzn-errortype": fault.fault });
  response.end(JSON.stringify({ message: fault.message }));
}
