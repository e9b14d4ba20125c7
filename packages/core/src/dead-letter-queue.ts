/**
 * The dead-letter queue as operators use it: look without taking, and replay. SQS has no look: messages are received,
 * which hides them from others, and released again at the end.
 */
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import { fromMessage, type ListedLetter, type Reason } from "./dead-letter.ts";

export interface DeadLetterQueue {
  sqs: SQSClient;
  deadLetterQueueUrl: string;
  ingestQueueUrl: string;
}

export interface Filter {
  reason?: Reason | undefined;
  /** Of the object's key. */
  prefix?: string | undefined;
  /** SQS's ids of the letters. */
  messageIds?: readonly string[] | undefined;
  /** At most this many. */
  limit?: number | undefined;
}

export interface Progress {
  seen: number;
  matched: number;
  /** Sent to the ingest queue and deleted from this one; with `dryRun` always 0. */
  replayed: number;
}

/** SQS's own limit of a batch. */
const BATCH = 10;
/** Others do not see a message for this long after we looked at it, should we die before releasing it. */
const HIDDEN_SECONDS = 120;
/** A long poll asks all of SQS's servers; a short one only some, and may find nothing though there is something. */
const WAIT_SECONDS = 1;

const matches = (letter: ListedLetter, { reason, prefix, messageIds }: Filter) =>
  (messageIds === undefined || messageIds.includes(letter.messageId)) &&
  (reason === undefined || letter.reason === reason) &&
  (prefix === undefined || letter.objects.some(({ key }) => key.startsWith(prefix)));

/**
 * Up to `limit` letters, none taken away, each once.
 * @returns `complete` when those are all that could be seen
 */
export async function list(
  queue: DeadLetterQueue,
  filter: Filter = {},
): Promise<{ letters: ListedLetter[]; complete: boolean }> {
  const letters: ListedLetter[] = [];
  const limit = filter.limit ?? Number.POSITIVE_INFINITY;
  const hidden: Message[] = [];
  try {
    for await (const messages of receive(queue)) {
      hidden.push(...messages);
      letters.push(...messages.map(fromMessage).filter((letter) => matches(letter, filter)));
      if (letters.length >= limit) break;
    }
  } finally {
    await release(queue, hidden);
  }
  return { letters: letters.slice(0, limit), complete: letters.length < limit };
}

export function countByReason(letters: ListedLetter[]): Partial<Record<Reason, number>> {
  return Object.fromEntries(
    [...Map.groupBy(letters, ({ reason }) => reason)].map(([reason, of]) => [reason, of.length]),
  );
}

/**
 * Sends letters back to the ingest queue. First sent, then deleted: a crash between the two leaves a letter whose replay
 * writes the same row again; `signal` ends it between two batches. What fails anew during the replay is not replayed again.
 * @throws {Error} when SQS refuses a batch; what was replayed before stays so, and the rest stays in the queue
 */
export async function replay(
  queue: DeadLetterQueue,
  filter: Filter & { dryRun?: boolean; signal?: AbortSignal },
  onProgress: (progress: Progress) => void = () => {},
): Promise<Progress> {
  const progress: Progress = { seen: 0, matched: 0, replayed: 0 };
  const kept = new Map<string, Message>();
  const startedAt = Date.now();
  const limit = filter.limit ?? filter.messageIds?.length ?? Number.POSITIVE_INFINITY;
  try {
    for await (const messages of receive(queue)) {
      for (const message of messages) kept.set(message.MessageId ?? "", message);
      const old = messages.filter((message) => Number(message.Attributes?.SentTimestamp ?? 0) <= startedAt);
      const wanted = old
        .filter((message) => matches(fromMessage(message), filter))
        .slice(0, limit - progress.matched);
      progress.seen += old.length;
      progress.matched += wanted.length;
      if (wanted.length > 0 && !filter.dryRun) {
        await move(queue, wanted);
        for (const { MessageId } of wanted) kept.delete(MessageId ?? "");
        progress.replayed += wanted.length;
      }
      onProgress({ ...progress });
      if (
        progress.matched >= limit ||
        progress.matched === filter.messageIds?.length ||
        filter.signal?.aborted
      )
        break;
    }
  } finally {
    await release(queue, [...kept.values()]);
  }
  return progress;
}

/** Messages not seen before, until there are none. */
async function* receive({ sqs, deadLetterQueueUrl }: DeadLetterQueue): AsyncGenerator<Message[]> {
  const seen = new Set<string>();
  for (;;) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: deadLetterQueueUrl,
        MaxNumberOfMessages: BATCH,
        VisibilityTimeout: HIDDEN_SECONDS,
        WaitTimeSeconds: WAIT_SECONDS,
        MessageAttributeNames: ["All"],
        MessageSystemAttributeNames: ["SentTimestamp", "ApproximateReceiveCount"],
      }),
    );
    // Once what was hidden first comes back, a whole round has been made.
    const fresh = Messages.filter(({ MessageId = "" }) => !seen.has(MessageId));
    if (fresh.length === 0) return;
    for (const { MessageId = "" } of fresh) seen.add(MessageId);
    yield fresh;
  }
}

async function move({ sqs, deadLetterQueueUrl, ingestQueueUrl }: DeadLetterQueue, messages: Message[]) {
  const Entries = messages.map(({ Body, ReceiptHandle }, i) => ({
    Id: String(i),
    MessageBody: Body ?? "",
    ReceiptHandle,
  }));
  const sent = await sqs.send(
    new SendMessageBatchCommand({
      QueueUrl: ingestQueueUrl,
      Entries: Entries.map(({ Id, MessageBody }) => ({ Id, MessageBody })),
    }),
  );
  const taken = new Set(sent.Successful?.map(({ Id }) => Id));
  const gone = Entries.filter(({ Id }) => taken.has(Id)).map(({ Id, ReceiptHandle }) => ({
    Id,
    ReceiptHandle,
  }));
  if (gone.length > 0) {
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: deadLetterQueueUrl, Entries: gone }));
  }
  if (sent.Failed?.length)
    throw new Error(`SQS refused ${sent.Failed.length} messages: ${sent.Failed[0]?.Message ?? "no reason"}`);
}

/** Visible again at once. A receipt that has run out means that the message already is. */
async function release({ sqs, deadLetterQueueUrl }: DeadLetterQueue, messages: Message[]): Promise<void> {
  for (let at = 0; at < messages.length; at += BATCH) {
    const Entries = messages
      .slice(at, at + BATCH)
      .map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle, VisibilityTimeout: 0 }));
    await sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: deadLetterQueueUrl, Entries }));
  }
}
