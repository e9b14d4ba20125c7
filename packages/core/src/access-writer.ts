/**
 * Stores accesses as audit objects, one after the other, each holding the hash of the one before: a writer of the trail
 * like the proxies, but without a spool. Whoever grants access waits for it: what cannot be recorded is not shown or done.
 */
import { hash, randomUUID } from "node:crypto";
import { PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { type Access, type Accessor, accessRecord } from "./access-record.ts";
import { objectKey } from "./audit-key.ts";
import { newRequestId } from "./request-id.ts";

export class AccessNotRecorded extends Error {
  override name = "AccessNotRecorded";
}

export interface AccessWriter {
  /**
   * @param receivedAt epoch milliseconds at which it was asked for
   * @returns the id of the record
   * @throws {AccessNotRecorded} when S3 did not take it; the next call stores it before its own
   */
  record(
    access: Access,
    who: Accessor,
    http: { method: string; path: string },
    receivedAt: number,
  ): Promise<string>;
}

interface StoredLink {
  key: string;
  bytes: Buffer;
  sequence: number;
}

export function accessWriter(s3: S3Client, bucket: string, prefix: string, task: string): AccessWriter {
  const writer = `${task}-${randomUUID().slice(0, 8)}-${Date.now()}`;
  let sequence = 0;
  let previousHash: string | null = null;
  let pending: StoredLink | null = null;
  let queue: Promise<unknown> = Promise.resolve();

  /** The same object again after an error whose outcome is unknown: 412 says that it had been stored. */
  async function store(link: StoredLink): Promise<void> {
    pending = link;
    try {
      await s3.send(
        new PutObjectCommand({
          Bucket: bucket,
          Key: link.key,
          Body: link.bytes,
          ContentType: "application/json",
          IfNoneMatch: "*",
          Metadata: { writer, sequence: String(link.sequence) },
        }),
      );
    } catch (error) {
      if ((error as Error).name !== "PreconditionFailed") {
        throw new AccessNotRecorded("the access could not be recorded", { cause: error });
      }
    }
    previousHash = hash("sha256", link.bytes);
    sequence = link.sequence;
    pending = null;
  }

  async function append(...[access, who, http, received]: Parameters<AccessWriter["record"]>) {
    if (pending) await store(pending);
    const { id, receivedAt } = newRequestId();
    const link = { writer, sequence: sequence + 1, previousHash };
    const at = { received: receivedAt, completed: receivedAt };
    const record = accessRecord(id, access, who, http, at, link);
    record.latencyMs = Math.max(receivedAt - received, 0);
    const bytes = Buffer.from(JSON.stringify(record));
    await store({ key: objectKey(prefix, receivedAt, id), bytes, sequence: link.sequence });
    return id;
  }

  return {
    record(...args) {
      const done = queue.then(() => append(...args));
      queue = done.catch(() => {});
      return done;
    },
  };
}
