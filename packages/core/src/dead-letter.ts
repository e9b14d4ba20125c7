/**
 * Why an audit object could not become a row, and the message that says so in the dead-letter queue: its body is the S3
 * event of that one object, so that sending the body to the ingest queue again replays it; attributes say the rest.
 */
import { z } from "zod";
import * as S3Event from "./s3-event.ts";

export const REASONS = [
  "malformed_json",
  "schema",
  "missing_object",
  "too_large",
  "throttled",
  "access_denied",
  "unknown",
] as const;
export type Reason = (typeof REASONS)[number];

/** The same object fails again for these however often it is read; only a repair and a replay help. */
const PERMANENT: ReadonlySet<Reason> = new Set(["malformed_json", "schema", "too_large"]);

/** One object's failure. `message` holds nothing of the object's content: it goes to logs and to operators. */
export class AuditObjectError extends Error {
  readonly reason: Reason;
  constructor(reason: Reason, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.name = "AuditObjectError";
    this.reason = reason;
  }
  get permanent(): boolean {
    return PERMANENT.has(this.reason);
  }
}

export const DeadLetter = z.object({
  /** Null when the message named no object: then its own body is kept. */
  object: z.object({ bucket: z.string().min(1), key: z.string().min(1) }).nullable(),
  /** The message as it came. */
  body: z.string(),
  reason: z.enum(REASONS),
  detail: z.string(),
  firstFailedAt: z.iso.datetime(),
  /** Times that the ingest function had received the event when it gave up. */
  receives: z.int().positive(),
});
export type DeadLetter = z.infer<typeof DeadLetter>;

/** What SQS's own redrive says, which carries no reason: the function itself died, or was never called. */
export const MOVED_BY_SQS = "moved by SQS after its last receive, without a reason from the function";

const MAX_DETAIL_CHARS = 500;

/** SQS allows no control characters but tab and line breaks in an attribute, and no empty one. */
const printable = (value: string) => value.replace(/[^\x20-\x7e\u00a0-\ud7ff\ue000-\ufffd]/g, "?") || "-";

const text = (value: string) => ({ DataType: "String", StringValue: printable(value) });

/** MessageBody and MessageAttributes for SQS. Bucket and key are percent-encoded in the body as S3 does. */
export function toMessage(letter: DeadLetter) {
  const { object, body, reason, detail, firstFailedAt, receives } = DeadLetter.parse(letter);
  return {
    MessageBody: object ? S3Event.body(object.bucket, object.key) : body,
    MessageAttributes: {
      reason: text(reason),
      detail: text(detail.slice(0, MAX_DETAIL_CHARS)),
      ...(object && { bucket: text(object.bucket), key: text(object.key) }),
      firstFailedAt: text(firstFailedAt),
      receives: { DataType: "Number", StringValue: String(receives) },
    },
  };
}

export interface DeadLetterMessage {
  MessageId?: string | undefined;
  Body?: string | undefined;
  Attributes?: Record<string, string> | undefined;
  MessageAttributes?: Record<string, { StringValue?: string | undefined }> | undefined;
}

/** A dead letter as operators see it. `objects` is empty when the message is not an S3 event at all. */
export interface ListedLetter {
  messageId: string;
  objects: S3Event.ObjectRef[];
  reason: Reason;
  detail: string;
  firstFailedAt: string | null;
  receives: number | null;
}

/** Reads any message of the queue, also those that SQS moved there. */
export function fromMessage(message: DeadLetterMessage): ListedLetter {
  const attribute = (name: string) => message.MessageAttributes?.[name]?.StringValue;
  const reason = z.enum(REASONS).safeParse(attribute("reason"));
  const sent = Number(message.Attributes?.SentTimestamp);
  return {
    messageId: message.MessageId ?? "",
    objects: S3Event.tryParse(message.Body ?? "") ?? [],
    reason: reason.success ? reason.data : "unknown",
    detail: attribute("detail") ?? (reason.success ? "" : MOVED_BY_SQS),
    firstFailedAt: attribute("firstFailedAt") ?? (sent > 0 ? new Date(sent).toISOString() : null),
    receives: Number(attribute("receives") ?? Number.NaN) || null,
  };
}
