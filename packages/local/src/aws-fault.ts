/** Faults on demand at the AWS endpoint, so that tests can show what the platform does about them. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import type { Operation, Service } from "./aws-operation.ts";

/**
 * - `status`: that answer instead of the operation; `code` is AWS's error code (by default the service's for it), `date`
 *   the time that the answer says it is
 * - `delayMs`: the operation runs after so many milliseconds
 * - `hang`: no answer ever; the operation does not run
 * - `reset`: the connection is torn down; the operation does not run
 * - `lose-answer`: the operation runs, then the connection is torn down in place of its answer
 */
export type Fault =
  | { status: number; code?: string; date?: Date }
  | { delayMs: number }
  | "hang"
  | "reset"
  | "lose-answer";

export interface FaultRequest extends Operation {
  /** `service.name` */
  operation: string;
  method: string;
  url: string;
  headers: IncomingMessage["headers"];
}

export type FaultRule = (request: FaultRequest) => Fault | undefined;

const DEFAULT_CODES: Record<Service, Record<number, string>> = {
  s3: { 403: "AccessDenied", 404: "NoSuchKey", 500: "InternalError", 503: "SlowDown" },
  sqs: { 400: "RequestThrottled", 500: "InternalError", 503: "ServiceUnavailable" },
  dynamodb: {
    400: "ProvisionedThroughputExceededException",
    500: "InternalServerError",
    503: "ServiceUnavailable",
  },
  kms: { 400: "ThrottlingException", 500: "KMSInternalException", 503: "DependencyTimeoutException" },
};

function refuse(
  response: ServerResponse,
  service: Service,
  { status, date }: { status: number; date?: Date },
  code: string,
): void {
  if (date) response.setHeader("date", date.toUTCString());
  const message = "A fault asked for by a test.";
  if (service === "s3") {
    response.writeHead(status, { "content-type": "application/xml" });
    response.end(
      `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`,
    );
    return;
  }
  const namespace = service === "sqs" ? "com.amazonaws.sqs" : "com.amazonaws.dynamodb.v20120810";
  response.writeHead(status, { "content-type": "application/x-amz-json-1.0" });
  response.end(JSON.stringify({ __type: `${namespace}#${code}`, message }));
}

/** Whether the operation is still to run. */
export async function injected(
  fault: Fault | undefined,
  operation: Operation,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  if (fault === undefined) return true;
  if (fault === "hang") {
    request.resume();
    return false;
  }
  if (fault === "reset") {
    request.socket.resetAndDestroy();
    return false;
  }
  if (fault === "lose-answer") {
    const lose = () => {
      request.socket.resetAndDestroy();
      return response;
    };
    Object.assign(response, { writeHead: () => response, write: lose, end: lose });
    return true;
  }
  if ("delayMs" in fault) {
    await delay(fault.delayMs);
    return !request.socket.destroyed;
  }
  const { status } = fault;
  // The body is taken in first, or a client that still sends sees a reset instead of the status.
  request.resume();
  request.once("end", () =>
    refuse(
      response,
      operation.service,
      fault,
      fault.code ?? DEFAULT_CODES[operation.service][status] ?? "InternalError",
    ),
  );
  return false;
}
