/** What `reconcile` reads, on AWS: S3 lists and heads, the audit table's queries, the ingest queue. */
import { GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, type S3Client } from "@aws-sdk/client-s3";
import { SendMessageBatchCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { objectKey, parseObjectKey } from "./audit-key.ts";
import * as AuditQuery from "./audit-query.ts";
import type { AuditTable } from "./audit-table.ts";
import type { ObjectRef, Source } from "./reconcile.ts";
import { requestIdTime } from "./request-id.ts";
import * as RequestLookUp from "./request-look-up.ts";
import * as S3Event from "./s3-event.ts";
import { parseStatementKey, STATEMENT_PREFIX, WriterStatement } from "./writer-statement.ts";

export interface Platform {
  s3: S3Client;
  sqs: SQSClient;
  table: AuditTable;
  bucket: string;
  prefix: string;
  ingestQueueUrl: string;
}

const DAY_MS = 86_400_000;
/** SQS's own limit of a batch. */
const BATCH = 10;

/** The first 48 bits of a UUIDv7 of that time, as it is written: ids in a list are in the order of time. */
function uuidTime(time: number): string {
  const hex = time.toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}

const dayPath = (time: number) => new Date(time).toISOString().slice(0, 10).replaceAll("-", "/");
const dayStart = (time: number) => time - (time % DAY_MS);

export function awsSource(platform: Platform): Source {
  const { s3, sqs, table, bucket, prefix, ingestQueueUrl } = platform;

  async function* list(Prefix: string, StartAfter?: string): AsyncGenerator<ObjectRef> {
    let ContinuationToken: string | undefined;
    do {
      const page = await s3.send(
        new ListObjectsV2Command({ Bucket: bucket, Prefix, StartAfter, ContinuationToken }),
      );
      for (const { Key, LastModified } of page.Contents ?? []) {
        const name = Key === undefined ? null : parseObjectKey(Key);
        if (Key && name)
          yield { requestId: name.requestId, key: Key, storedAt: LastModified?.getTime() ?? 0 };
      }
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
  }

  /** Of one day, the names between two times; a client may have chosen one of that look. */
  async function* between(from: number, to: number): AsyncGenerator<ObjectRef> {
    const folder = `${prefix}/${dayPath(from)}/`;
    const end = `${folder}${uuidTime(to)}`;
    for await (const object of list(folder, `${folder}${uuidTime(from)}`)) {
      if (object.key >= end) return;
      yield object;
    }
  }

  return {
    async *rows(from, to) {
      const query = {
        by: "all" as const,
        from: new Date(from).toISOString(),
        to: new Date(to).toISOString(),
      };
      let cursor: string | null = null;
      do {
        const page: AuditQuery.Page = await AuditQuery.page(table, query, {
          limit: 500,
          cursor,
          maxQueries: 1_000,
        });
        yield* page.rows;
        cursor = page.cursor;
      } while (cursor !== null);
    },

    async *timedObjects(from, to) {
      for (let start = from; start < to; start = dayStart(start) + DAY_MS) {
        for await (const object of between(start, Math.min(to, dayStart(start) + DAY_MS))) {
          const time = requestIdTime(object.requestId);
          if (time !== null && time >= start && time < to) yield object;
        }
      }
    },

    async *otherObjects(day) {
      const start = Date.parse(day);
      for await (const object of list(`${prefix}/${day.replaceAll("-", "/")}/`)) {
        const time = requestIdTime(object.requestId);
        if (time === null || time < start || time >= start + DAY_MS) yield object;
      }
    },

    async hasRow(requestId) {
      return (await RequestLookUp.find(table, requestId)).some((row) => row.requestId === requestId);
    },

    async hasObject({ requestId, receivedAt }) {
      return (await head(objectKey(prefix, receivedAt, requestId))) !== null;
    },

    async *statements(from, to, marks) {
      for (let day = dayStart(from); day < to; day += DAY_MS) {
        for (const key of await statementKeys(day, marks)) {
          const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
          yield WriterStatement.parse(JSON.parse((await Body?.transformToString()) ?? ""));
        }
      }
    },

    async chainOf(key) {
      const metadata = await head(key);
      const sequence = Number(metadata?.sequence);
      return metadata?.writer && sequence > 0 ? { writer: metadata.writer, sequence } : null;
    },

    async requeue(keys) {
      for (let at = 0; at < keys.length; at += BATCH) {
        const Entries = keys
          .slice(at, at + BATCH)
          .map((key, index) => ({ Id: String(index), MessageBody: S3Event.body(bucket, key) }));
        const { Failed = [] } = await sqs.send(
          new SendMessageBatchCommand({ QueueUrl: ingestQueueUrl, Entries }),
        );
        if (Failed.length > 0)
          throw new Error(`SQS refused ${Failed.length} messages: ${Failed[0]?.Message}`);
      }
    },
  };

  async function head(key: string): Promise<Record<string, string> | null> {
    try {
      return (await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))).Metadata ?? {};
    } catch (error) {
      if ((error as Error).name === "NotFound" || (error as Error).name === "NoSuchKey") return null;
      throw error;
    }
  }

  /**
   * Of a day's statements, each writer's last before each mark, and its last by its own clock and by S3's, which no step of
   * a writer's clock changes: a writer makes up to 1,440 a day.
   */
  async function statementKeys(day: number, marks: readonly number[]): Promise<Set<string>> {
    const latest = new Map<string, string>();
    const stored = new Map<string, { at: number; keys: string[] }>();
    let ContinuationToken: string | undefined;
    do {
      const page = await s3.send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: `${STATEMENT_PREFIX}/${dayPath(day)}/`,
          ContinuationToken,
        }),
      );
      for (const { Key = "", LastModified } of page.Contents ?? []) {
        const { writer, at } = parseStatementKey(Key);
        const storedAt = LastModified?.getTime() ?? 0;
        const last = stored.get(writer);
        // In a list S3 gives whole seconds.
        if (last?.at === storedAt) last.keys.push(Key);
        else if (last === undefined || last.at < storedAt) stored.set(writer, { at: storedAt, keys: [Key] });
        latest.set(writer, Key);
        for (const mark of marks) if (at < mark) latest.set(`${writer}\n${mark}`, Key);
      }
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    return new Set([...latest.values(), ...[...stored.values()].flatMap(({ keys }) => keys)]);
  }
}
