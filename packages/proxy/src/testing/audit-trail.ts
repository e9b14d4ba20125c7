/** What S3 holds of the audit, read as an auditor would: every object, checked against the contract, in its chain. */
import { createHash } from "node:crypto";
import { GetObjectCommand, paginateListObjectsV2, S3Client } from "@aws-sdk/client-s3";
import { AuditRecord } from "@central-llm/core/audit-record";
import { STATEMENT_PREFIX, WriterStatement } from "@central-llm/core/writer-statement";

export interface StoredRecord {
  key: string;
  record: AuditRecord;
  sha256: string;
}

export class AuditTrail {
  readonly #s3: S3Client;
  readonly #bucket: string;

  constructor(endpoint: { url: string; region: string }, bucket: string) {
    this.#bucket = bucket;
    this.#s3 = new S3Client({
      endpoint: endpoint.url,
      region: endpoint.region,
      forcePathStyle: true,
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    });
  }

  async keys(prefix = "logs/"): Promise<string[]> {
    const keys: string[] = [];
    for await (const page of paginateListObjectsV2(
      { client: this.#s3 },
      { Bucket: this.#bucket, Prefix: prefix },
    )) {
      for (const { Key } of page.Contents ?? []) if (Key !== undefined) keys.push(Key);
    }
    return keys;
  }

  async #bytes(key: string): Promise<Buffer> {
    const { Body } = await this.#s3.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  }

  /** An object as it lies there. */
  async text(key: string): Promise<string> {
    return (await this.#bytes(key)).toString("utf8");
  }

  async read(key: string): Promise<StoredRecord> {
    const bytes = await this.#bytes(key);
    return {
      key,
      record: AuditRecord.parse(JSON.parse(bytes.toString("utf8"))),
      sha256: createHash("sha256").update(bytes).digest("hex"),
    };
  }

  /** What the writers said of themselves, in order. */
  async statements(): Promise<WriterStatement[]> {
    const statements: WriterStatement[] = [];
    for (const key of await this.keys(`${STATEMENT_PREFIX}/`)) {
      statements.push(WriterStatement.parse(JSON.parse((await this.#bytes(key)).toString("utf8"))));
    }
    return statements;
  }

  async all(): Promise<StoredRecord[]> {
    const keys = await this.keys();
    const records: StoredRecord[] = [];
    for (let index = 0; index < keys.length; index += 32) {
      records.push(...(await Promise.all(keys.slice(index, index + 32).map((key) => this.read(key)))));
    }
    return records;
  }

  /** Waits until there are so many objects. @throws Error that says how many there were */
  async waitFor(count: number, timeoutMs = 60_000): Promise<StoredRecord[]> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = (await this.keys()).length;
      if (found >= count) return this.all();
      if (Date.now() > deadline)
        throw new Error(`${found} audit objects after ${timeoutMs} ms, not ${count}`);
      await new Promise((resume) => setTimeout(resume, 25));
    }
  }
}

/** What a chain consists of. */
export interface Link {
  record: Pick<AuditRecord, "chain">;
  sha256: string;
}

/** What is wrong with the writers' chains: gaps, repeats and broken links, in words. Empty when all is well. */
export function chainProblems(records: readonly Link[]): string[] {
  const problems: string[] = [];
  const writers = Map.groupBy(records, ({ record }) => record.chain.writer);
  for (const [writer, list] of writers) {
    const sorted = list.toSorted((a, b) => a.record.chain.sequence - b.record.chain.sequence);
    let previous: Link | null = null;
    for (const stored of sorted) {
      const { sequence, previousHash } = stored.record.chain;
      const expected = (previous?.record.chain.sequence ?? 0) + 1;
      if (sequence !== expected) problems.push(`${writer}: ${sequence} follows where ${expected} should`);
      if (previousHash !== (previous?.sha256 ?? null))
        problems.push(`${writer}: ${sequence} does not name its predecessor's hash`);
      previous = stored;
    }
  }
  return problems;
}
