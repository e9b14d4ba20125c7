/** Fetches audit objects from S3 and says what was wrong in the dead letters' words. */
import { GetObjectCommand, type S3Client, type S3ServiceException } from "@aws-sdk/client-s3";
import { AuditObjectError } from "./dead-letter.ts";
import type { ObjectRef } from "./s3-event.ts";

export interface StoredObject {
  text: string;
  lastModified: Date | undefined;
}

/** @throws {AuditObjectError} missing_object, access_denied, throttled, too_large, malformed_json (not UTF-8), unknown */
export async function read(
  s3: S3Client,
  { bucket, key }: ObjectRef,
  maxBytes: number,
): Promise<StoredObject> {
  try {
    const { Body, ContentLength, LastModified } = await s3.send(
      new GetObjectCommand({ Bucket: bucket, Key: key }),
    );
    if (!Body) throw new AuditObjectError("unknown", "S3 answered without a body");
    if (ContentLength === undefined || ContentLength > maxBytes) {
      // A stream that nobody reads would keep its connection.
      (Body as Partial<{ destroy(): void }>).destroy?.();
      throw new AuditObjectError(
        "too_large",
        `${ContentLength} bytes, more than the ${maxBytes} that are read`,
      );
    }
    return { text: decode(await Body.transformToByteArray()), lastModified: LastModified };
  } catch (error) {
    throw error instanceof AuditObjectError ? error : fromAws(error);
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new AuditObjectError("malformed_json", `not UTF-8 (${bytes.length} bytes)`);
  }
}

const THROTTLED =
  /^(SlowDown|ServiceUnavailable|.*Throttl.*|ProvisionedThroughputExceeded.*|RequestLimitExceeded|TooManyRequests.*)$/;

/** An AWS client's error as a reason. Its message names buckets, keys or tables at most, never content. */
export function fromAws(error: unknown): AuditObjectError {
  const name = error instanceof Error ? error.name : "Error";
  const status = (error as Partial<S3ServiceException>)?.$metadata?.httpStatusCode;
  const detail = `${name}${status ? ` (${status})` : ""}`;
  if (name === "NoSuchKey" || name === "NoSuchBucket" || name === "NotFound") {
    return new AuditObjectError("missing_object", detail, { cause: error });
  }
  // S3 says 403 also of a clock that is off and of credentials that have run out: these pass, and are no missing right.
  if (/^AccessDenied/.test(name) || (status === 403 && !/TimeTooSkewed|Expired/.test(name)))
    return new AuditObjectError("access_denied", detail, { cause: error });
  if (THROTTLED.test(name) || status === 503 || status === 429) {
    return new AuditObjectError("throttled", detail, { cause: error });
  }
  return new AuditObjectError("unknown", detail, { cause: error });
}
