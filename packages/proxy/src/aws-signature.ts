/**
 * AWS Signature Version 4 (docs.aws.amazon.com/IAM, "Create a signed AWS API request"), for requests without a query whose path
 * is escaped already. @smithy/signature-v4 does it for everything, at about 80 µs a
 * request; this is a tenth of that (docs/performance.md) and is tested against it.
 */
import { hash } from "node:crypto";

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

const BLOCK = 64;
const INNER = 0x36;
const OUTER = 0x5c;
/** More than any string to sign. */
const MAX_MESSAGE = 512;
/** What SigV4 leaves as it is in a path, and what is escaped. */
const ESCAPED_PATH = /^(?:[A-Za-z0-9/._~-]|%[0-9A-F]{2})*$/;

/** HMAC-SHA256 with a key that is used again and again; `createHmac` costs five times as much for a message of this size. */
class Hmac {
  readonly #inner = Buffer.alloc(BLOCK + MAX_MESSAGE, INNER);
  readonly #outer = Buffer.alloc(BLOCK + 32, OUTER);

  /** @param key at most 64 bytes */
  constructor(key: Buffer) {
    for (let index = 0; index < key.length; index++) {
      this.#inner[index] = (key[index] ?? 0) ^ INNER;
      this.#outer[index] = (key[index] ?? 0) ^ OUTER;
    }
  }

  #digest(message: string): Buffer {
    const length = this.#inner.write(message, BLOCK, "latin1");
    hash("sha256", this.#inner.subarray(0, BLOCK + length), "buffer").copy(this.#outer, BLOCK);
    return this.#outer;
  }

  bytes(message: string): Buffer {
    return hash("sha256", this.#digest(message), "buffer");
  }

  hex(message: string): string {
    return hash("sha256", this.#digest(message), "hex");
  }
}

export class AwsSigner {
  readonly #service: string;
  readonly #region: string;
  #second = 0;
  #time = "";
  #scope = "";
  #keyOf = "";
  #key: Hmac | null = null;

  /** @param service as scopes name it: `s3`, `bedrock` */
  constructor(service: string, region: string) {
    this.#service = service;
    this.#region = region;
  }

  /**
   * @param headers lower-case names; must hold `host` and `x-amz-content-sha256`
   * @param now epoch milliseconds, by AWS's clock
   * @returns the headers with `x-amz-date`, `authorization` and, with temporary credentials, `x-amz-security-token`
   * @throws Error when the path would need escaping
   */
  sign(
    method: string,
    path: string,
    headers: Record<string, string>,
    credentials: Credentials,
    now: number,
  ): Record<string, string> {
    if (!ESCAPED_PATH.test(path)) throw new Error("A path that must be escaped first is not signed here");
    // Every service but S3 escapes what it was sent once more.
    const canonicalPath = this.#service === "s3" ? path : path.replaceAll("%", "%25");
    const key = this.#signingKey(credentials.secretAccessKey, now);
    const signed: Record<string, string> = { ...headers, "x-amz-date": this.#time };
    if (credentials.sessionToken !== undefined) signed["x-amz-security-token"] = credentials.sessionToken;
    const names = Object.keys(signed).sort();
    let canonical = `${method}\n${canonicalPath}\n\n`;
    for (const name of names) canonical += `${name}:${signed[name]}\n`;
    const list = names.join(";");
    canonical += `\n${list}\n${signed["x-amz-content-sha256"]}`;
    const toSign = `AWS4-HMAC-SHA256\n${this.#time}\n${this.#scope}\n${hash("sha256", canonical, "hex")}`;
    const credential = `${credentials.accessKeyId}/${this.#scope}`;
    signed.authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${list}, Signature=${key.hex(toSign)}`;
    return signed;
  }

  #signingKey(secret: string, now: number): Hmac {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#time = `${new Date(second * 1000).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
      this.#scope = `${this.#time.slice(0, 8)}/${this.#region}/${this.#service}/aws4_request`;
    }
    const keyOf = `${this.#scope}\n${secret}`;
    if (this.#key === null || keyOf !== this.#keyOf) {
      const start = Buffer.from(`AWS4${secret}`);
      let key: Buffer = start.length > BLOCK ? hash("sha256", start, "buffer") : start;
      for (const part of this.#scope.split("/")) key = new Hmac(key).bytes(part);
      this.#key = new Hmac(key);
      this.#keyOf = keyOf;
    }
    return this.#key;
  }
}
