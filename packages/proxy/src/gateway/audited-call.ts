/**
 * The audit's side of one request on the gateway: its names and times, its intent before anything is done, its end. What
 * is written holds no personal data that the filter knows, and no key.
 */
import type { IncomingMessage } from "node:http";
import type { AuditRecord, Outcome } from "@central-llm/core/audit-record";
import { newRequestId } from "@central-llm/core/request-id";
import type { Capture, Open } from "../capture.ts";
import { auditedRequest, auditedResponse } from "../header-policy.ts";
import type { BodyKind, EndPart, Held, RequestPart } from "../spool-record.ts";
import { type Trace, traceOf } from "../trace-context.ts";
import type { Attribution } from "./gateway-caller.ts";

/** A body as it goes into the spool. */
export interface KeptBody {
  bytes: Buffer | null;
  kind: BodyKind;
  /** Given when the bytes are not those of the wire. */
  held?: Held;
}

export const NO_BODY: KeptBody = { bytes: null, kind: "none", held: { sha256: null, truncated: true } };

/** JSON cut to what the audit keeps. @param sha256 of the wire's bytes, null where it must not be told */
export function keptJson(value: unknown, limit: number, sha256: string | null): KeptBody {
  const bytes = Buffer.from(JSON.stringify(value));
  const truncated = bytes.length > limit;
  return { bytes: truncated ? bytes.subarray(0, limit) : bytes, kind: "json", held: { sha256, truncated } };
}

export interface RequestFacts {
  /** As audit and logs may show it: never with a key in it. */
  path: string;
  requestType: string;
  attribution: Attribution;
  stream: boolean;
  model: string | null;
  provider: string;
  policy: AuditRecord["policy"];
  body: KeptBody;
  /** Of the body on the wire. */
  bodyBytes: number;
}

export interface EndFacts {
  status: number;
  outcome: Outcome;
  error: { type: string; message: string } | null;
  headers: Record<string, string>;
  body: KeptBody;
  /** What the client was sent. */
  bodyBytes: number;
  chunks: number;
  complete: boolean;
  firstByteAt: number | null;
  call: EndPart["call"];
  policy: AuditRecord["policy"];
}

export class AuditedCall {
  readonly id: string;
  /** Epoch milliseconds. */
  readonly receivedAt: number;
  /** On performance.now()'s clock. */
  readonly startedAt = performance.now();
  readonly name: string;
  readonly clientRequestId: string | null;
  /** The trace that the request belongs to, where there is one. */
  readonly trace: Trace | null;
  readonly #request: IncomingMessage;
  readonly #capture: Capture;
  #open: Open | null = null;
  /** The intent was written before all of it was certain. */
  #ahead = false;
  /** On performance.now()'s clock; 0 until a model is sent the call. */
  #sentAt = 0;

  constructor(capture: Capture, request: IncomingMessage) {
    const { id, receivedAt } = newRequestId();
    this.id = id;
    this.receivedAt = receivedAt;
    this.#request = request;
    this.#capture = capture;
    // LiteLLM's clients name a call by the second.
    const given = request.headers["x-request-id"] ?? request.headers["x-litellm-call-id"];
    this.clientRequestId = typeof given === "string" && given !== "" ? given.slice(0, 256) : null;
    this.name = capture.claimName(this.clientRequestId, id);
    this.trace = traceOf(request.headers.traceparent, capture.telemetry);
  }

  /** Milliseconds since the request came. */
  get elapsed(): number {
    return performance.now() - this.startedAt;
  }

  /** Writes the intent. @returns whether the call may go on: false in mode strict when it could not be stored */
  begin(facts: RequestFacts): Promise<boolean> {
    const open = this.#capture.begin(this.#part(facts), facts.body.bytes);
    this.#open = open;
    return new Promise((resolve) => {
      this.#capture.whenProtected(
        open,
        () => resolve(true),
        () => resolve(false),
      );
    });
  }

  /** As `begin`, of what is likely: it is to be settled, or else stated anew at the end. */
  beginAhead(facts: RequestFacts): Promise<boolean> {
    this.#ahead = true;
    return this.begin(facts);
  }

  /** @param facts null when the intent that was written ahead holds */
  settleIntent(facts: RequestFacts | null): void {
    this.#ahead = false;
    if (facts !== null) this.restate(facts);
  }

  /** What the intent said is more than may be kept: this takes its place in the record. */
  restate(facts: RequestFacts): void {
    if (this.#open === null) return;
    this.#open.meta = JSON.stringify(this.#part(facts)).slice(0, -1);
    this.#open.request = facts.body.bytes;
  }

  /** The call goes to a model now. Of its attempts, the first one counts. */
  sent(): void {
    if (this.#sentAt === 0) this.#sentAt = performance.now();
  }

  /** @param facts needed when there was no intent, or none that was settled */
  end(end: EndFacts, facts: () => RequestFacts): void {
    if (this.#ahead) this.settleIntent(facts());
    const { body, call } = end;
    const latency = this.elapsed;
    const first = end.firstByteAt === null ? null : end.firstByteAt - this.startedAt;
    const part: Omit<EndPart, "sequence"> = {
      completedAt: this.receivedAt + latency,
      latencyMs: rounded(latency),
      queueTimeMs: this.#sentAt === 0 ? null : rounded(this.#sentAt - this.startedAt),
      timeToFirstTokenMs: first === null ? null : rounded(first),
      statusCode: end.status,
      outcome: end.outcome,
      error: end.error,
      responseHeaders: auditedResponse(end.headers),
      responseBytes: end.bodyBytes,
      responseChunks: end.chunks,
      responseComplete: end.complete,
      policy: end.policy,
      ...(body.held === undefined ? {} : { responseHeld: body.held }),
      ...(call === undefined ? {} : { call }),
    };
    const kept = body.bytes === null ? [] : [body.bytes];
    if (this.#open) return this.#capture.end(this.#open, part, kept);
    const refused = facts();
    this.#capture.refused(this.#part(refused), refused.body.bytes, part, kept);
  }

  #part(facts: RequestFacts): RequestPart {
    const { headers, method, socket } = this.#request;
    const { attribution, body } = facts;
    return {
      id: this.id,
      name: this.name,
      clientRequestId: this.clientRequestId,
      profile: "gateway",
      projectId: attribution.projectId,
      userId: attribution.userId,
      requestType: facts.requestType,
      identity: attribution.identity,
      receivedAt: this.receivedAt,
      http: {
        method: method ?? "",
        path: facts.path.slice(0, 1024),
        clientIp: clientAddress(headers["x-forwarded-for"], socket.remoteAddress),
        userAgent: headers["user-agent"]?.slice(0, 512) ?? null,
        stream: facts.stream,
      },
      model: { requested: facts.model?.slice(0, 256) ?? null, provider: facts.provider },
      policy: facts.policy,
      requestHeaders: auditedRequest(headers),
      requestBytes: facts.bodyBytes,
      requestKind: body.kind,
      ...(this.trace === null ? {} : { trace: this.trace }),
      ...(body.held === undefined ? {} : { requestHeld: body.held }),
    };
  }
}

/** The last address of X-Forwarded-For: the load balancer adds it to whatever the client sent (ELB guide, "X-Forwarded-For"). */
export function clientAddress(
  forwarded: string | string[] | undefined,
  peer: string | undefined,
): string | null {
  const list = Array.isArray(forwarded) ? forwarded.join(",") : forwarded;
  const last = list?.slice(list.lastIndexOf(",") + 1).trim();
  return last ? last.slice(0, 64) : (peer ?? null);
}

const rounded = (milliseconds: number) => Math.round(milliseconds * 10) / 10;
