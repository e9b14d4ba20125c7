/**
 * One line for each request on stdout, as JSON beside pino's lines: what dashboards, saved queries and metric filters read
 * (infra/log-queries.ts). Written by the uploader's thread, off the data path, in batches; nothing of prompts or answers is in it.
 */
import { write } from "node:fs";
import type { AuditObject } from "./audit-object.ts";
import type { EndMeta } from "./spool-record.ts";

const STDOUT = 1;
/** Beyond this, lines are dropped and counted: a reader of stdout that stands still must not fill the memory. */
const MAX_WAITING = 10_000;
const INFO = 30;
/** PIPE_BUF on Linux (pipe(7)): a write up to this size is not mixed with others. */
const ATOMIC_BYTES = 4096;

export class AccessLog {
  readonly #service: string;
  readonly #descriptor: number;
  #lines: string[] = [];
  #dropped = 0;
  #rest: Buffer | null = null;
  #writing = false;

  constructor(service: string, descriptor = STDOUT) {
    this.#service = service;
    this.#descriptor = descriptor;
  }

  add({ model, usage }: Pick<AuditObject, "model" | "usage">, meta: EndMeta): void {
    if (this.#lines.length >= MAX_WAITING) {
      this.#dropped++;
      return;
    }
    const line = JSON.stringify({
      level: INFO,
      time: Math.round(meta.completedAt),
      service: this.#service,
      msg: "request",
      requestId: meta.name,
      projectId: meta.projectId,
      userId: meta.userId,
      keyId: meta.identity.keyId,
      keyAlias: meta.identity.keyAlias,
      method: meta.http.method,
      path: meta.http.path,
      statusCode: meta.statusCode,
      outcome: meta.outcome,
      errorCode: meta.error?.type ?? null,
      model,
      totalTokens: usage.totalTokens,
      latencyMs: meta.latencyMs,
      timeToFirstTokenMs: meta.timeToFirstTokenMs,
      clientIp: meta.http.clientIp,
    });
    this.#lines.push(`${line}\n`);
  }

  /** Sends what has gathered. Call it often. */
  flush(): void {
    if (this.#writing) return;
    if (this.#dropped > 0) {
      const fields = { level: 40, time: Date.now(), service: this.#service, dropped: this.#dropped };
      this.#lines.push(
        `${JSON.stringify({ ...fields, msg: "Access lines were dropped: stdout is read too slowly" })}\n`,
      );
      this.#dropped = 0;
    }
    this.#rest ??= this.#next();
    const bytes = this.#rest;
    if (bytes === null) return;
    this.#writing = true;
    write(this.#descriptor, bytes, 0, bytes.length, null, (error, written) => {
      this.#writing = false;
      // A closed pipe has no reader; a full one says EAGAIN, and the next call tries again.
      const done = error?.code === "EPIPE" ? bytes.length : (written ?? 0);
      this.#rest = done < bytes.length ? bytes.subarray(done) : null;
      if (!error) this.flush();
    });
  }

  /** As many lines as a pipe takes in one piece, so that no other thread's line comes in between. */
  #next(): Buffer | null {
    let count = 0;
    let characters = 0;
    for (const line of this.#lines) {
      if (count > 0 && characters + line.length > ATOMIC_BYTES / 2) break;
      characters += line.length;
      count++;
    }
    return count === 0 ? null : Buffer.from(this.#lines.splice(0, count).join(""));
  }
}
