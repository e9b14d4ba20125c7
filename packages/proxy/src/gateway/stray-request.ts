/** A request for a path that neither engine of the gateway has: refused, and audited as whatever a caller does. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type ApiError, errorBody } from "@central-llm/core/api-error";
import { hashKey, keyOf, sameSecret } from "@central-llm/core/virtual-key";
import type { Logger } from "pino";
import type { Capture } from "../capture.ts";
import { answer } from "../http-listener.ts";
import type { Metrics } from "../metrics.ts";
import { decoded, keysHidden } from "../shown-path.ts";
import { AuditedCall, type KeptBody, NO_BODY } from "./audited-call.ts";
import { attribute, type Caller, NOBODY } from "./gateway-caller.ts";
import type { GatewayMetrics } from "./gateway-metrics.ts";

/** What both engines have. */
export interface StrayHost {
  config: { LITELLM_MASTER_KEY: string };
  capture: Capture;
  metrics: Metrics;
  counts: Pick<GatewayMetrics, "refused">;
  log: Logger;
}

const NONE: KeptBody = { bytes: null, kind: "none" };
const NO_CALL = {
  served: null,
  usage: { promptTokens: 0, completionTokens: 0, totalTokens: 0, source: "none" },
  cost: null,
} as const;

/** @param provider as the engine's other records have it @param path without its query */
export function refuseStray(
  host: StrayHost,
  provider: string,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const audited = new AuditedCall(host.capture, request);
  const shown = keysHidden(decoded(path)).slice(0, 256);
  const error: ApiError = {
    status: 404,
    type: "invalid_request_error",
    code: "unknown_url",
    message: `Unknown request URL: ${request.method} ${shown}.`,
  };
  const body = Buffer.from(errorBody(error));
  const { type, message } = error;
  const policy = { hash: null, pii: [] };
  try {
    audited.end(
      {
        status: 404,
        outcome: "client_error",
        error: { type, message },
        headers: { "content-type": "application/json" },
        body: { bytes: body, kind: "json" },
        bodyBytes: body.length,
        chunks: 0,
        complete: true,
        firstByteAt: null,
        call: NO_CALL,
        policy,
      },
      () => ({
        path: shown,
        requestType: "unknown",
        attribution: attribute(callerOf(host, request), null, request.headers),
        stream: false,
        model: null,
        provider,
        policy,
        // Its body is not read.
        body: hasBody(request) ? NO_BODY : NONE,
        bodyBytes: Number(request.headers["content-length"] ?? 0) || 0,
      }),
    );
  } catch (problem) {
    host.metrics.lost.inc();
    host.log.error({ requestId: audited.name, err: problem }, "A request could not be recorded");
  }
  host.counts.refused.inc({ reason: "unknown_url" });
  host.metrics.ended("other", 404, "client_error", audited.elapsed, null);
  request.resume();
  answer(response, 404, "application/json", body.toString(), audited.name);
}

/** By the key's hash alone: nobody asks the database because of a path that is none. */
function callerOf({ config }: StrayHost, { headers }: IncomingMessage): Caller {
  const key = keyOf(headers);
  if (key === null) return NOBODY;
  if (key === "") return { kind: "stranger", token: null };
  if (sameSecret(key, config.LITELLM_MASTER_KEY)) return { kind: "master" };
  return { kind: "stranger", token: hashKey(key) };
}

const hasBody = ({ headers }: IncomingMessage) =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
