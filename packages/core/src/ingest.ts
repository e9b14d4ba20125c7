/**
 * Audit objects become rows: one batch of queued S3 events at a time. An object that can never become a row goes to the
 * dead-letter queue at once, with its reason; one that may yet is left to the queue, until its last receive.
 */
import type { S3Client } from "@aws-sdk/client-s3";
import { SendMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { z } from "zod";
import * as AuditRow from "./audit-row.ts";
import * as AuditTable from "./audit-table.ts";
import { AuditObjectError, type DeadLetter, toMessage } from "./dead-letter.ts";
import * as LateRows from "./late-rows.ts";
import * as Parallel from "./parallel.ts";
import * as S3Event from "./s3-event.ts";
import * as StoredObject from "./stored-object.ts";
import * as StoredRecord from "./stored-record.ts";

export interface IngestContext {
  s3: S3Client;
  sqs: SQSClient;
  table: AuditTable.AuditTable;
  deadLetterQueueUrl: string;
  row: AuditRow.RowOptions;
  /** Larger objects are not read: `too_large`. */
  maxObjectBytes: number;
  /** Receives after which the queue would drop the message without a reason. */
  maxReceives: number;
}

/** One message of the ingest queue. */
export interface QueuedEvent {
  messageId: string;
  body: string;
  /** How often it has been received, this time included. */
  receives: number;
  /** ISO 8601. */
  firstReceivedAt: string;
}

export interface IngestReport {
  /** One for each event, in the events' order: rejected ones must come again. */
  results: PromiseSettledResult<void>[];
  rows: number;
  /** Milliseconds from a request's end to its row, for each row. */
  lagsMs: number[];
  /** What went to the dead-letter queue. */
  deadLetters: DeadLetter[];
  /** Reasons of what was left to the queue. */
  retried: AuditObjectError[];
}

/** Objects read at once: with the largest objects and their JSON this must fit into the function's memory. */
const READS_AT_ONCE = 16;
const SENDS_AT_ONCE = 10;

type Outcome = { completedAt: string } | AuditObjectError;

const refName = ({ bucket, key }: S3Event.ObjectRef) => `${bucket}/${key}`;

export async function ingest(events: QueuedEvent[], context: IngestContext): Promise<IngestReport> {
  const parsed = events.map((event) => ({ event, objects: S3Event.tryParse(event.body) }));
  const refs = new Map(parsed.flatMap(({ objects }) => objects ?? []).map((ref) => [refName(ref), ref]));
  const outcomes = await store([...refs.values()], context);

  const deadLetters = new Map<string, DeadLetter>();
  const retried: AuditObjectError[] = [];
  const decisions = parsed.map(({ event, objects }) => {
    const failed = failuresOf(objects, outcomes);
    const waits = failed.find(({ error }) => !error.permanent)?.error;
    if (waits && event.receives < context.maxReceives) {
      retried.push(waits);
      return { wait: waits, letters: [] };
    }
    // By object: the same one may have been announced twice in this batch.
    const letters = failed.map(({ object, error }) => {
      const name = object ? refName(object) : event.messageId;
      if (!deadLetters.has(name)) deadLetters.set(name, letterOf(event, object, error));
      return name;
    });
    return { wait: null, letters };
  });
  const unsent = await send(deadLetters, context);
  const results = decisions.map(({ wait, letters }): PromiseSettledResult<void> => {
    const reason = wait ?? letters.map((name) => unsent.get(name)).find((error) => error !== undefined);
    return reason ? { status: "rejected", reason } : { status: "fulfilled", value: undefined };
  });
  const stored = [...outcomes.values()].flatMap((outcome) => ("completedAt" in outcome ? [outcome] : []));
  const now = Date.now();
  return {
    results,
    rows: stored.length,
    lagsMs: stored.map(({ completedAt }) => Math.max(now - Date.parse(completedAt), 0)),
    deadLetters: [...deadLetters].filter(([name]) => !unsent.has(name)).map(([, letter]) => letter),
    retried,
  };
}

/** Reads and writes every object; whatever happens to one says nothing about the others. */
async function store(refs: S3Event.ObjectRef[], context: IngestContext): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  const rows = new Map<AuditRow.AuditRow, { name: string; completedAt: string }>();
  await Parallel.map(refs, READS_AT_ONCE, async (ref) => {
    const name = refName(ref);
    try {
      const { text, lastModified } = await StoredObject.read(context.s3, ref, context.maxObjectBytes);
      const record = StoredRecord.parse(text, { key: ref.key, lastModified });
      rows.set(AuditRow.fromStored(record, ref, context.row), { name, completedAt: record.completedAt });
    } catch (error) {
      outcomes.set(name, reasonOf(error));
    }
  });
  const failures = await AuditTable.writeRows(context.table, [...rows.keys()]);
  const unmarked = await LateRows.mark(
    context.table,
    [...rows.keys()].filter((row) => !failures.has(row)),
  );
  for (const [row, { name, completedAt }] of rows) {
    const failure = failures.get(row) ?? unmarked.get(row);
    outcomes.set(name, failure ? StoredObject.fromAws(failure) : { completedAt });
  }
  return outcomes;
}

function reasonOf(error: unknown): AuditObjectError {
  if (error instanceof AuditObjectError) return error;
  if (error instanceof z.ZodError) {
    // Paths and codes; zod's messages may quote values.
    const issues = error.issues.map(({ path, code }) => `${path.join(".")}: ${code}`).join(", ");
    return new AuditObjectError("schema", `no row can be made of it (${issues})`, { cause: error });
  }
  return new AuditObjectError("unknown", error instanceof Error ? error.name : "not an Error", {
    cause: error,
  });
}

function failuresOf(objects: S3Event.ObjectRef[] | null, outcomes: Map<string, Outcome>) {
  if (objects === null) {
    return [
      { object: null, error: new AuditObjectError("malformed_json", "the message is not an S3 event") },
    ];
  }
  return objects.flatMap((object) => {
    const error = outcomes.get(refName(object));
    return error instanceof AuditObjectError ? [{ object, error }] : [];
  });
}

function letterOf(event: QueuedEvent, object: S3Event.ObjectRef | null, error: AuditObjectError): DeadLetter {
  return {
    object,
    body: event.body,
    reason: error.reason,
    detail: error.message,
    firstFailedAt: event.firstReceivedAt,
    receives: event.receives,
  };
}

/** @returns the letters that could not be sent: their events must come again */
async function send(letters: Map<string, DeadLetter>, context: IngestContext): Promise<Map<string, Error>> {
  const unsent = new Map<string, Error>();
  await Parallel.map([...letters], SENDS_AT_ONCE, async ([name, letter]) => {
    try {
      await context.sqs.send(
        new SendMessageCommand({ QueueUrl: context.deadLetterQueueUrl, ...toMessage(letter) }),
      );
    } catch (error) {
      unsent.set(name, new Error("the dead-letter queue did not take the message", { cause: error }));
    }
  });
  return unsent;
}
