/**
 * The SQS event source mapping of Lambda: long polls, batches by size and window, limited concurrency, partial batch
 * responses. Source: "Using Lambda with Amazon SQS" in AWS's Lambda developer guide. The queue's own redrive policy
 * moves what keeps failing to the dead-letter queue.
 */
import { setTimeout as delay } from "node:timers/promises";
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import type { LambdaFunction } from "./lambda-function.ts";
import type { Outcome } from "./lambda-instance.ts";

export interface QueueSourceSettings {
  queueUrl: string;
  batchSize: number;
  /** Seconds that a batch may fill, counted from its first message. */
  batchingWindow: number;
  /** Batches at a time. */
  maxConcurrency: number;
  /** Seconds that received messages are hidden; omitted: the queue's own. */
  visibilityTimeout?: number;
  /**
   * Seconds after which a failed message comes again. Omitted: when its visibility ends, as on AWS, where that is
   * minutes; a developer wants to see it happen.
   */
  retryAfter?: number;
}

export interface QueueSource {
  /** Takes no more messages, waits for batches in hand. */
  stop(): Promise<void>;
}

const MAX_POLL_SECONDS = 20;
const MAX_BACK_OFF_MS = 5_000;

function record(message: Message, eventSourceARN: string, awsRegion: string) {
  return {
    messageId: message.MessageId,
    receiptHandle: message.ReceiptHandle,
    body: message.Body,
    attributes: message.Attributes ?? {},
    messageAttributes: Object.fromEntries(
      Object.entries(message.MessageAttributes ?? {}).map(([name, value]) => [
        name,
        {
          stringValue: value.StringValue,
          binaryValue: value.BinaryValue && Buffer.from(value.BinaryValue).toString("base64"),
          stringListValues: [],
          binaryListValues: [],
          dataType: value.DataType,
        },
      ]),
    ),
    md5OfBody: message.MD5OfBody,
    eventSource: "aws:sqs",
    eventSourceARN,
    awsRegion,
  };
}

/** Ids of the messages to be tried again. A malformed answer or an unknown id fails the whole batch, as on AWS. */
export function failedIds(outcome: Outcome, ids: string[]): Set<string> {
  if ("error" in outcome) return new Set(ids);
  const failures = (outcome.payload as { batchItemFailures?: unknown } | null)?.batchItemFailures ?? [];
  if (!Array.isArray(failures)) return new Set(ids);
  const failed = failures.map((failure) => failure?.itemIdentifier);
  return failed.every((id) => ids.includes(id)) ? new Set(failed) : new Set(ids);
}

export async function startQueueSource(
  fn: LambdaFunction,
  settings: QueueSourceSettings,
  client: { endpoint: string; region: string; credentials: { accessKeyId: string; secretAccessKey: string } },
  log: (line: string) => void,
): Promise<QueueSource> {
  const sqs = new SQSClient(client);
  const { queueUrl: QueueUrl } = settings;
  const stopping = new AbortController();
  const inHand = new Set<Promise<void>>();
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }),
  );
  const arn = Attributes?.QueueArn ?? "";

  async function receive(seconds: number, most: number): Promise<Message[]> {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: Math.min(10, most),
        // The local queue takes fractions, so that a window ends on time.
        WaitTimeSeconds: seconds,
        VisibilityTimeout: settings.visibilityTimeout,
        MessageSystemAttributeNames: ["All"],
        MessageAttributeNames: ["All"],
      }),
      { abortSignal: stopping.signal },
    );
    return Messages;
  }

  async function nextBatch(): Promise<Message[]> {
    const batch = await receive(MAX_POLL_SECONDS, settings.batchSize);
    const closes = performance.now() + settings.batchingWindow * 1000;
    while (batch.length > 0 && batch.length < settings.batchSize && !stopping.signal.aborted) {
      const left = Math.round(closes - performance.now()) / 1000;
      if (left <= 0) break;
      try {
        batch.push(...(await receive(left, settings.batchSize - batch.length)));
      } catch (error) {
        // What is in hand is handled even when the queue fails now or the host stops.
        if (!stopping.signal.aborted) log(line("warn", "receiving failed", error));
        break;
      }
    }
    return batch;
  }

  function line(level: string, msg: string, error: unknown): string {
    const detail = error instanceof Error ? error.message : String(error);
    return JSON.stringify({ level, msg, function: fn.settings.name, error: detail });
  }

  /** Calls `send` with ten entries at a time, SQS's limit. */
  async function inTens(messages: Message[], send: (entries: Message[]) => Promise<unknown>): Promise<void> {
    for (let i = 0; i < messages.length; i += 10) await send(messages.slice(i, i + 10));
  }

  async function handle(batch: Message[]): Promise<void> {
    const event = { Records: batch.map((message) => record(message, arn, client.region)) };
    const outcome = await fn.invoke(event);
    const failed = failedIds(
      outcome,
      batch.map((message) => message.MessageId ?? ""),
    );
    const entry = (message: Message, i: number) => ({
      Id: String(i),
      ReceiptHandle: message.ReceiptHandle ?? "",
    });
    try {
      await inTens(
        batch.filter((message) => !failed.has(message.MessageId ?? "")),
        (done) => sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries: done.map(entry) })),
      );
      const { retryAfter } = settings;
      if (retryAfter === undefined) return;
      await inTens(
        batch.filter((message) => failed.has(message.MessageId ?? "")),
        (again) =>
          sqs.send(
            new ChangeMessageVisibilityBatchCommand({
              QueueUrl,
              Entries: again.map((m, i) => ({ ...entry(m, i), VisibilityTimeout: retryAfter })),
            }),
          ),
      );
    } catch (error) {
      // They come again when their visibility ends; handlers must bear that on AWS too.
      log(line("warn", "settling a batch failed", error));
    }
  }

  async function poll(): Promise<void> {
    let backOff = 100;
    while (!stopping.signal.aborted) {
      try {
        const batch = await nextBatch();
        backOff = 100;
        if (batch.length === 0) continue;
        const handled = handle(batch).finally(() => inHand.delete(handled));
        inHand.add(handled);
        if (inHand.size >= settings.maxConcurrency) await Promise.race(inHand);
      } catch (error) {
        if (stopping.signal.aborted) return;
        log(line("warn", "receiving failed", error));
        await delay(backOff, undefined, { signal: stopping.signal }).catch(() => {});
        backOff = Math.min(backOff * 2, MAX_BACK_OFF_MS);
      }
    }
  }

  const polling = poll();
  return {
    async stop() {
      stopping.abort();
      await polling;
      await Promise.all(inHand);
      sqs.destroy();
    },
  };
}
