/**
 * Accesses to the trail are records of the same trail: who searched, read, exported, replayed or changed a key, and why.
 * They have profile `console` and a project of their own, by which the access log finds them.
 */
import { type ACCESS_ACTIONS, type AuditRecord, SCHEMA_VERSION } from "./audit-record.ts";

export type AccessAction = (typeof ACCESS_ACTIONS)[number];

/** Where the access log reads; the profile tells its rows from those of a client who calls its project the same. */
export const ACCESS_PROJECT = "central-llm-console";

export interface Access {
  action: AccessAction;
  /** A request id, an export's id, a key's hash; null for searches. */
  target: string | null;
  projectId: string | null;
  /** As the person stated it. */
  reason: string | null;
  /** What was asked for, without content: filters, the number of rows. */
  details: Record<string, unknown>;
}

export interface Accessor {
  subject: string;
  name: string;
  clientIp: string | null;
  userAgent: string | null;
}

/**
 * @param at epoch milliseconds: when it was asked, and when it was granted
 * @param chain the writer's next link
 */
export function accessRecord(
  requestId: string,
  access: Access,
  who: Accessor,
  http: { method: string; path: string },
  at: { received: number; completed: number },
  chain: AuditRecord["chain"],
): AuditRecord {
  const { details, ...stated } = access;
  const body = { ...stated, ...details };
  return {
    schemaVersion: SCHEMA_VERSION,
    requestId,
    clientRequestId: null,
    profile: "console",
    projectId: ACCESS_PROJECT,
    userId: who.name,
    requestType: access.action,
    identity: {
      method: "oidc",
      keyId: who.subject,
      keyAlias: null,
      teamId: null,
      assertedUser: null,
      matches: null,
    },
    receivedAt: new Date(at.received).toISOString(),
    completedAt: new Date(at.completed).toISOString(),
    latencyMs: at.completed - at.received,
    queueTimeMs: null,
    timeToFirstTokenMs: null,
    statusCode: 200,
    outcome: "completed",
    error: null,
    http: { ...http, clientIp: who.clientIp, userAgent: who.userAgent, stream: false },
    model: { requested: null, served: null, provider: "none" },
    usage: { promptTokens: 0, completionTokens: 0, totalTokens: 0, source: "none" },
    cost: null,
    request: { headers: {}, body, bytes: Buffer.byteLength(JSON.stringify(body)) },
    response: { headers: {}, body: null, bytes: 0, chunks: 0, complete: true },
    policy: { hash: null, pii: [] },
    access: stated,
    chain,
  };
}
