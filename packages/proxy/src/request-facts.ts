/** What the audit says of a request, from its head and what was read of its body. */
import type { IncomingMessage } from "node:http";
import type { Caller } from "./caller.ts";
import type { Config } from "./config.ts";
import { auditedRequest } from "./header-policy.ts";
import type { BodyKind, RequestPart } from "./spool-record.ts";

export interface RequestFacts {
  id: string;
  name: string;
  clientRequestId: string | null;
  /** Epoch milliseconds. */
  receivedAt: number;
  caller: Caller;
  /** Without the query. */
  path: string;
  stream: boolean;
  model: string | null;
  bodyBytes: number;
  bodyKind: BodyKind;
  trace: RequestPart["trace"] | null;
  /** Of the whole body, where less of it is kept. */
  bodySha256: string | undefined;
}

export function requestPart(config: Config, request: IncomingMessage, facts: RequestFacts): RequestPart {
  const { headers, method, socket } = request;
  const { caller } = facts;
  const user = headers["user-agent"];
  const part: RequestPart = {
    id: facts.id,
    name: facts.name,
    clientRequestId: facts.clientRequestId,
    profile: config.PROFILE,
    projectId: caller.projectId,
    userId: caller.userId,
    requestType: caller.requestType,
    identity: {
      method: caller.keyId === null ? "none" : "api-key",
      keyId: caller.keyId,
      keyAlias: null,
      teamId: null,
      assertedUser: caller.userId,
      matches: null,
    },
    receivedAt: facts.receivedAt,
    http: {
      method: method ?? "",
      path: facts.path.slice(0, 1024),
      clientIp: clientAddress(headers["x-forwarded-for"], socket.remoteAddress),
      userAgent: user === undefined ? null : user.slice(0, 512),
      stream: facts.stream,
    },
    model: {
      requested: facts.model === null ? null : facts.model.slice(0, 256),
      provider: config.UPSTREAM_PROVIDER,
    },
    policy: { hash: null, pii: [] },
    requestHeaders: auditedRequest(headers),
    requestBytes: facts.bodyBytes,
    requestKind: facts.bodyKind,
  };
  if (facts.trace) part.trace = facts.trace;
  if (facts.bodySha256 !== undefined) part.requestSha256 = facts.bodySha256;
  return part;
}

/** The first address of X-Forwarded-For, which the load balancer in front of us writes; else the peer's. */
function clientAddress(forwarded: string | string[] | undefined, peer: string | undefined): string | null {
  const list = Array.isArray(forwarded) ? forwarded[0] : forwarded;
  const first = list?.split(",", 1)[0]?.trim();
  return first ? first.slice(0, 64) : (peer ?? null);
}
