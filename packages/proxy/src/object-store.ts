/**
 * PUT and HEAD of audit objects, signed and sent by hand: the SDK's PutObject costs eight times the CPU of the whole rest of a
 * request (see docs/performance.md). Everything else in this product uses the SDK.
 */
import { defaultProvider } from "@aws-sdk/credential-provider-node";
import type { AwsCredentialIdentity } from "@smithy/types";
import { type Dispatcher, Pool } from "undici";
import { AwsSigner } from "./aws-signature.ts";

export interface StoreOptions {
  bucket: string;
  region: string;
  /** Another S3 than AWS's own. */
  endpoint: string | undefined;
  connections: number;
}

export interface StoredAs {
  writer: string;
  sequence: number;
}

/** `reason` is S3's error code, or the system's; `retryAfterMs` what is gained by waiting. */
export class StoreError extends Error {
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

const TIMEOUT_MS = 10_000;
const RENEW_BEFORE_MS = 60_000;

type Headers = Record<string, string | string[] | undefined>;

interface Answer {
  statusCode: number;
  headers: Headers;
  text: string;
}

/** Reads an answer, which is empty or a short error, without a stream. */
class AnswerReader implements Dispatcher.DispatchHandler {
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: Error) => void;
  readonly #answer: Answer = { statusCode: 0, headers: {}, text: "" };

  constructor(resolve: (answer: Answer) => void, reject: (error: Error) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onRequestStart(): void {}

  onResponseStart(_controller: unknown, statusCode: number, headers: Headers): void {
    this.#answer.statusCode = statusCode;
    this.#answer.headers = headers;
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    this.#answer.text += chunk.toString("latin1");
  }

  onResponseEnd(): void {
    this.#resolve(this.#answer);
  }

  onResponseError(_controller: unknown, error: Error & { code?: string }): void {
    this.#reject(new StoreError(error.code ?? "network", error.message));
  }
}

export class ObjectStore {
  readonly #pool: Pool;
  readonly #host: string;
  readonly #pathPrefix: string;
  readonly #signer: AwsSigner;
  readonly #provider = defaultProvider();
  #credentials: AwsCredentialIdentity | null = null;
  /** Server's time minus ours, learnt from a refusal: a stepped clock must not stop the audit. */
  #skewMs = 0;

  constructor(options: StoreOptions) {
    // Virtual-hosted names are AWS's way; dots in a bucket's name break their TLS certificates, and other S3s want paths.
    const virtual = options.endpoint === undefined && !options.bucket.includes(".");
    const base = new URL(options.endpoint ?? `https://s3.${options.region}.amazonaws.com`);
    const origin = virtual ? `https://${options.bucket}.s3.${options.region}.amazonaws.com` : base.origin;
    this.#host = new URL(origin).host;
    this.#pathPrefix = virtual ? "" : `${base.pathname.replace(/\/$/, "")}/${options.bucket}`;
    this.#pool = new Pool(origin, {
      connections: options.connections,
      pipelining: 1,
      connect: { timeout: 5_000 },
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
    });
    this.#signer = new AwsSigner("s3", options.region);
  }

  /**
   * Stores an object under a name that is still free.
   * @param sha256 of the body, in hex
   * @returns "stored", or "exists" when the name is taken
   * @throws StoreError when S3 did not confirm: whether it is stored is then unknown
   */
  async put(key: string, body: Buffer, sha256: string, as: StoredAs): Promise<"stored" | "exists"> {
    const { statusCode, text } = await this.#send("PUT", key, body, {
      "content-type": "application/json",
      "content-length": String(body.length),
      "if-none-match": "*",
      "x-amz-content-sha256": sha256,
      // Buckets with Object Lock demand a checksum.
      "x-amz-checksum-sha256": Buffer.from(sha256, "hex").toString("base64"),
      "x-amz-meta-sequence": String(as.sequence),
      "x-amz-meta-writer": as.writer,
    });
    if (statusCode === 200) return "stored";
    if (statusCode === 412) return "exists";
    throw refusal(statusCode, text);
  }

  /** @returns who stored the object; null when there is none; empty parts when it is not one of ours */
  async head(key: string): Promise<StoredAs | null> {
    const { statusCode, headers, text } = await this.#send("HEAD", key, null, {
      "x-amz-content-sha256": EMPTY_SHA256,
    });
    if (statusCode === 404) return null;
    if (statusCode !== 200) throw refusal(statusCode, text);
    return {
      writer: String(headers["x-amz-meta-writer"] ?? ""),
      sequence: Number(headers["x-amz-meta-sequence"] ?? 0),
    };
  }

  async #send(
    method: "PUT" | "HEAD",
    key: string,
    body: Buffer | null,
    headers: Record<string, string>,
  ): Promise<Answer> {
    const path = `${this.#pathPrefix}/${key}`;
    const credentials = this.#usable ?? (await this.#renew());
    headers.host = this.#host;
    const signed = this.#signer.sign(method, path, headers, credentials, Date.now() + this.#skewMs);
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.#pool.dispatch({ method, path, headers: signed, body }, new AnswerReader(resolve, reject));
    });
    if (answer.text.includes("RequestTimeTooSkewed")) this.#learnSkew(answer.headers.date);
    return answer;
  }

  /** Credentials that are good for a while yet; null when they must be asked for. */
  get #usable(): AwsCredentialIdentity | null {
    const { expiration } = this.#credentials ?? {};
    return expiration === undefined || expiration.getTime() - Date.now() > RENEW_BEFORE_MS
      ? this.#credentials
      : null;
  }

  async #renew(): Promise<AwsCredentialIdentity> {
    this.#credentials = await this.#provider();
    return this.#credentials;
  }

  #learnSkew(date: string | string[] | undefined): void {
    const theirs = typeof date === "string" ? Date.parse(date) : Number.NaN;
    if (Number.isFinite(theirs)) this.#skewMs = theirs - Date.now();
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

function refusal(status: number, xml: string): StoreError {
  const code = /<Code>([A-Za-z0-9]+)<\/Code>/.exec(xml)?.[1] ?? `http_${status}`;
  return new StoreError(code, `S3 answered ${status} ${code}`);
}
