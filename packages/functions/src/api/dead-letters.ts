/** `GET /api/dead-letters`, `POST /api/dead-letters/replay`. */
import { GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import * as DeadLetterQueue from "@central-llm/core/dead-letter-queue";
import type { ApiContext } from "./api-context.ts";
import type { CallOf } from "./call.ts";

const queueOf = ({ sqs, config }: ApiContext): DeadLetterQueue.DeadLetterQueue => ({
  sqs,
  deadLetterQueueUrl: config.AUDIT_DLQ_URL,
  ingestQueueUrl: config.INGEST_QUEUE_URL,
});

/** Messages in the queue, also those that somebody is looking at. SQS says that it is approximate. */
export async function queueDepth({ sqs }: Pick<ApiContext, "sqs">, QueueUrl: string): Promise<number> {
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({
      QueueUrl,
      AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    }),
  );
  return (
    Number(Attributes.ApproximateNumberOfMessages ?? 0) +
    Number(Attributes.ApproximateNumberOfMessagesNotVisible ?? 0)
  );
}

export async function deadLetters({ context, query }: CallOf<"deadLetters">) {
  const approximateTotal = await queueDepth(context, context.config.AUDIT_DLQ_URL);
  const { letters, complete } = await DeadLetterQueue.list(queueOf(context), query);
  return {
    letters: letters.map(({ objects, ...letter }) => ({
      ...letter,
      objectKeys: objects.map(({ key }) => key),
    })),
    byReason: DeadLetterQueue.countByReason(letters),
    complete,
    approximateTotal,
  };
}

/** Kept for the answer: what was replayed until then is told, the rest takes another call. */
const RESERVE_MS = 5_000;

export async function replay(call: CallOf<"replay">) {
  const { context, body } = call;
  const { ids, all: _, dryRun, ...filter } = body;
  if (!dryRun) {
    await call.audit({
      action: "replay",
      target: ids?.length === 1 ? (ids[0] ?? null) : null,
      details: { ids, ...filter },
    });
  }
  const deadline = AbortSignal.timeout(Math.max(call.remainingMs() - RESERVE_MS, 1_000));
  const progress = await DeadLetterQueue.replay(queueOf(context), {
    ...filter,
    dryRun,
    signal: deadline,
    messageIds: ids,
  });
  return { ...progress, dryRun, complete: !deadline.aborted };
}
