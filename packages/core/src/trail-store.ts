/** The bucket of the trail as digests and their verification use it; the folder of `verify --offline` is another reader. */

import { createHash } from "node:crypto";
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";

export interface ListedObject {
  key: string;
  /** Epoch milliseconds, S3's `LastModified` (in a list whole seconds); null where the reader cannot know it. */
  storedAt: number | null;
}

export interface TrailReader {
  /** Keys with that prefix, behind `after`, in the order of {@link byKey}. */
  list(prefix: string, after?: string): AsyncIterable<ListedObject>;
  /** Null when there is none. */
  read(key: string): Promise<Uint8Array | null>;
}

export interface Fingerprint {
  sha256: string;
  bytes: number;
  versionId?: string;
  writer?: string;
  sequence?: number;
}

export interface TrailStore extends TrailReader {
  bucket: string;
  /** Null when the object is gone. */
  fingerprint(key: string): Promise<Fingerprint | null>;
  /** Under a name that is still free. @returns whether it was */
  add(key: string, body: Uint8Array, contentType: string): Promise<boolean>;
}

/** S3's order: of UTF-8 bytes, which differs from JavaScript's only where surrogates are involved. */
export function byKey(a: string, b: string): number {
  if (a === b) return 0;
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : 1;
}
const SURROGATE = /[\ud800-\udfff]/;

const missing = (error: unknown) => ["NoSuchKey", "NotFound"].includes((error as Error).name);

export function trailStore(s3: S3Client, bucket: string): TrailStore {
  async function read(key: string): Promise<Uint8Array | null> {
    try {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
      return (await Body?.transformToByteArray()) ?? null;
    } catch (error) {
      if (missing(error)) return null;
      throw error;
    }
  }

  return {
    bucket,
    read,

    async *list(Prefix, StartAfter) {
      let ContinuationToken: string | undefined;
      do {
        const page = await s3.send(
          new ListObjectsV2Command({ Bucket: bucket, Prefix, StartAfter, ContinuationToken }),
        );
        for (const { Key, LastModified } of page.Contents ?? [])
          if (Key !== undefined) yield { key: Key, storedAt: LastModified?.getTime() ?? null };
        ContinuationToken = page.NextContinuationToken;
      } while (ContinuationToken !== undefined);
    },

    async fingerprint(key) {
      try {
        const head = await s3.send(
          new HeadObjectCommand({ Bucket: bucket, Key: key, ChecksumMode: "ENABLED" }),
        );
        const sequence = Number(head.Metadata?.sequence);
        return {
          sha256: checksum(head.ChecksumSHA256) ?? (await hashed(key)),
          bytes: head.ContentLength ?? 0,
          ...(head.VersionId && { versionId: head.VersionId }),
          ...(head.Metadata?.writer && sequence > 0 && { writer: head.Metadata.writer, sequence }),
        };
      } catch (error) {
        if (missing(error)) return null;
        throw error;
      }
    },

    async add(Key, Body, ContentType) {
      try {
        await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body, ContentType, IfNoneMatch: "*" }));
        return true;
      } catch (error) {
        if ((error as Error).name === "PreconditionFailed") return false;
        throw error;
      }
    },
  };

  /** For objects that were stored without S3's having checked their sha256. */
  async function hashed(key: string): Promise<string> {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    const hash = createHash("sha256");
    for await (const chunk of Body as AsyncIterable<Uint8Array>) hash.update(chunk);
    return hash.digest("hex");
  }
}

/** S3's sha256 of a whole object in hex; null for that of a multipart upload, which is one of its parts' hashes. */
function checksum(base64: string | undefined): string | null {
  if (base64 === undefined || base64.includes("-")) return null;
  const bytes = Buffer.from(base64, "base64");
  return bytes.length === 32 ? bytes.toString("hex") : null;
}
