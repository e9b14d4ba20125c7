/** What the data path writes into the spool's frames, and the uploader turns into audit objects. */
import type { AuditRecord } from "@central-llm/core/audit-record";

export type BodyKind = "json" | "text" | "binary" | "none";

/**
 * The frame holds other bytes than the wire had: personal data replaced, a stream put together, or nothing at all. Of a body in
 * which something was replaced there is no hash, since a guess at the value could be proved by it.
 */
export interface Held {
  sha256: string | null;
  truncated: boolean;
}

/** Known when the request has been read: the meta of an intent, and the first part of an end's. */
export interface RequestPart {
  /** Our own id for it, a UUIDv7; joins the intent and the end. */
  id: string;
  /** The name that its object shall have: the client's id where that is safe and free, else `id`. */
  name: string;
  clientRequestId: string | null;
  profile: AuditRecord["profile"];
  projectId: string;
  userId: string;
  requestType: string;
  identity: AuditRecord["identity"];
  /** Epoch milliseconds, as are all times in the spool. */
  receivedAt: number;
  http: AuditRecord["http"];
  model: { requested: string | null; provider: string };
  policy: AuditRecord["policy"];
  /** Absent where there is none. */
  trace?: NonNullable<AuditRecord["trace"]>;
  requestHeaders: Record<string, string>;
  /** Of the whole body; the frame may hold less of it. */
  requestBytes: number;
  requestKind: BodyKind;
  /** Given when the frame holds less than the whole. */
  requestSha256?: string;
  requestHeld?: Held;
}

/** Known when the answer has gone. */
export interface EndPart {
  sequence: number;
  completedAt: number;
  latencyMs: number;
  /** Absent in frames of earlier versions; their objects lack it, too. */
  queueTimeMs?: number | null;
  timeToFirstTokenMs: number | null;
  statusCode: number;
  outcome: AuditRecord["outcome"];
  error: AuditRecord["error"];
  responseHeaders: Record<string, string>;
  /** What the client was sent. */
  responseBytes: number;
  responseSha256?: string;
  responseChunks: number;
  responseComplete: boolean;
  /** The frame holds the upstream's usage chunk, which the client was not sent. */
  usageHidden?: true;
  /** The frame holds JSON in place of what was sent. */
  responseHeld?: Held;
  /** What the gateway knows of its own call, and need not be read from the answer. */
  call?: {
    served: string | null;
    /** Where it is another than was meant when the request was read. */
    provider?: string;
    usage: AuditRecord["usage"];
    cost: AuditRecord["cost"];
  };
  /** Takes the place of the request's: what was found in the answer is counted in. */
  policy?: AuditRecord["policy"];
}

export type EndMeta = RequestPart & EndPart;
