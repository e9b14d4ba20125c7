/** A trail of some hours with its digests, for tests: chained records of two writers, stored at chosen times. */
import { createHash } from "node:crypto";
import { PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { vi } from "vitest";
import { objectKey } from "../audit-key.ts";
import { requestIdAt, sample } from "../audit-record-sample.ts";
import { HOUR_MS } from "../digest.ts";

export const MINUTE = 60_000;
/** Two days ago, on the hour: digests of it are due however late the test runs. */
export const BEGIN = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 48 * HOUR_MS;

export const sha256 = (bytes: string | Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** The clock of this process, and with it that of an endpoint in it, stands at `time` until the next call. */
export function at(time: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: time });
}

export interface Stored {
  key: string;
  text: string;
}

/** One writer's records, each with the hash of the one before. */
export class ChainedWriter {
  readonly #name: string;
  readonly #s3: S3Client;
  readonly #bucket: string;
  #sequence = 0;
  #hash: string | null = null;

  constructor(s3: S3Client, bucket: string, name: string) {
    this.#s3 = s3;
    this.#bucket = bucket;
    this.#name = name;
  }

  /** A number that no record has. */
  lose(): void {
    this.#sequence++;
  }

  /** The next record, not stored yet. */
  make(time: number, requestId = requestIdAt(time)): Stored {
    const chain = { writer: this.#name, sequence: ++this.#sequence, previousHash: this.#hash };
    const receivedAt = new Date(time).toISOString();
    const text = JSON.stringify(sample({ receivedAt, requestId, chain }));
    this.#hash = sha256(text);
    return { key: objectKey("logs", receivedAt, requestId), text };
  }

  /** Stores it as the proxy does. */
  async store({ key, text }: Stored, storedAt: number): Promise<void> {
    at(storedAt);
    const { chain } = JSON.parse(text);
    await this.#s3.send(
      new PutObjectCommand({
        Bucket: this.#bucket,
        Key: key,
        Body: text,
        ContentType: "application/json",
        IfNoneMatch: "*",
        ChecksumSHA256: createHash("sha256").update(text).digest("base64"),
        Metadata: { writer: chain.writer, sequence: String(chain.sequence) },
      }),
    );
  }

  async write(time: number, requestId?: string): Promise<Stored> {
    const stored = this.make(time, requestId);
    await this.store(stored, time + 1_000);
    return stored;
  }
}
