/** A file in S3 that grows part by part: what is finished survives the process, the rest is written again. */
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import type { Checkpoint } from "./export-job.ts";

/** S3 wants at least 5 MiB of every part but the last, and takes 10,000 of them. */
export const PART_BYTES = 8 * 1024 * 1024;

export interface Place {
  bucket: string;
  key: string;
  contentType: string;
}

export class ExportFile {
  readonly #s3: S3Client;
  readonly #place: Place;
  readonly #partBytes: number;
  #uploadId: string | null;
  readonly #parts: Checkpoint["parts"];
  #waiting: Buffer[] = [];
  #waitingBytes = 0;

  constructor(s3: S3Client, place: Place, { uploadId, parts }: Checkpoint, partBytes = PART_BYTES) {
    this.#s3 = s3;
    this.#place = place;
    this.#uploadId = uploadId;
    this.#parts = [...parts];
    this.#partBytes = partBytes;
  }

  /** @returns whether a part was finished, so that all that was written so far is safe */
  async write(text: string): Promise<boolean> {
    const bytes = Buffer.from(text);
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes < this.#partBytes) return false;
    await this.#flush();
    return true;
  }

  get state(): Pick<Checkpoint, "uploadId" | "parts"> {
    return { uploadId: this.#uploadId, parts: [...this.#parts] };
  }

  async finish(): Promise<void> {
    const { bucket: Bucket, key: Key, contentType: ContentType } = this.#place;
    if (this.#parts.length === 0) {
      const Body = Buffer.concat(this.#waiting);
      await this.#s3.send(new PutObjectCommand({ Bucket, Key, ContentType, Body }));
      return;
    }
    if (this.#waitingBytes > 0) await this.#flush();
    await this.#s3.send(
      new CompleteMultipartUploadCommand({
        Bucket,
        Key,
        UploadId: this.#uploadId ?? undefined,
        MultipartUpload: {
          Parts: this.#parts.map(({ number, etag }) => ({ PartNumber: number, ETag: etag })),
        },
      }),
    );
  }

  async #flush(): Promise<void> {
    const { bucket: Bucket, key: Key, contentType: ContentType } = this.#place;
    if (this.#uploadId === null) {
      const created = await this.#s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ContentType }));
      this.#uploadId = created.UploadId ?? "";
    }
    const number = this.#parts.length + 1;
    const { ETag = "" } = await this.#s3.send(
      new UploadPartCommand({
        Bucket,
        Key,
        UploadId: this.#uploadId,
        PartNumber: number,
        Body: Buffer.concat(this.#waiting),
      }),
    );
    this.#parts.push({ number, etag: ETag });
    this.#waiting = [];
    this.#waitingBytes = 0;
  }
}
