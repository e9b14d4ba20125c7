/** After the load: the platform is given its time to bring everything home, by its own means. */
import { readdir } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import * as AuditTable from "@central-llm/core/audit-table";
import * as DeadLetterQueue from "@central-llm/core/dead-letter-queue";
import * as Platform from "@central-llm/core/platform";
import { reconcile } from "@central-llm/core/reconcile";
import type { Report } from "@central-llm/core/reconcile-report";
import { awsSource } from "@central-llm/core/reconcile-source";
import type { Stage } from "./stage.ts";

const UPLOADED_WITHIN_MS = 120_000;
/** A killed host's messages stay hidden for over a minute. */
const INGESTED_WITHIN_MS = 600_000;
const POLL_MS = 500;
const REPLAYS = 3;

export interface Settlement {
  /** Dead letters that were found, by reason; all were replayed. */
  deadLetters: Record<string, number>;
  /** Still in the queues at the end. */
  unsettled: { ingest: number; deadLetters: number };
  /** In the spool's folder after the last proxy ended. */
  spoolLeftOver: string[];
  /** What proxies did that they were not made to do. */
  complaints: string[];
}

/** Waits for the spools to be empty; the proxies live on. */
export async function uploadAll({ fleet }: Stage): Promise<void> {
  const deadline = Date.now() + UPLOADED_WITHIN_MS;
  for (const life of [fleet.steady, fleet.mortal]) {
    while (life.serving && (await life.metrics())?.spoolRecords !== 0 && Date.now() < deadline) {
      await delay(POLL_MS);
    }
  }
}

export async function settle(stage: Stage): Promise<Settlement> {
  const { fleet, disk } = stage;
  await Promise.all([fleet.steady, fleet.mortal].map((life) => life.serving && life.terminate()));
  const spoolLeftOver = (await readdir(disk.path)).filter((name) => name !== "lost+found");
  const complaints = fleet.lives.flatMap(({ writer, complaint }) =>
    complaint === null ? [] : [`${writer} ${complaint}`],
  );
  const queue = {
    sqs: stage.sqs,
    ingestQueueUrl: stage.queueUrl(Platform.INGEST_QUEUE),
    deadLetterQueueUrl: stage.queueUrl(Platform.DEAD_LETTER_QUEUE),
  };
  const deadLetters: Record<string, number> = {};
  for (let replay = 0; ; replay++) {
    await emptied(stage);
    const { letters } = await DeadLetterQueue.list(queue);
    for (const [reason, count] of Object.entries(DeadLetterQueue.countByReason(letters))) {
      deadLetters[reason] = (deadLetters[reason] ?? 0) + (count ?? 0);
    }
    if (letters.length === 0 || replay === REPLAYS) {
      const unsettled = {
        ingest: await messages(stage, Platform.INGEST_QUEUE),
        deadLetters: await messages(stage, Platform.DEAD_LETTER_QUEUE),
      };
      return { deadLetters, unsettled, spoolLeftOver, complaints };
    }
    await DeadLetterQueue.replay(queue, {});
  }
}

async function emptied(stage: Stage): Promise<void> {
  const deadline = Date.now() + INGESTED_WITHIN_MS;
  while ((await messages(stage, Platform.INGEST_QUEUE)) > 0 && Date.now() < deadline) await delay(POLL_MS);
}

/** Messages of the queue, visible or not. */
export async function messages(stage: Stage, queue: string): Promise<number> {
  const { Attributes = {} } = await stage.sqs.send(
    new GetQueueAttributesCommand({
      QueueUrl: stage.queueUrl(queue),
      AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    }),
  );
  return Object.values(Attributes).reduce((sum, count) => sum + Number(count), 0);
}

const DAY_MS = 86_400_000;

/** Core's reconcile over the soak, held strictly: as if read a day later. */
export async function reconcileAll(stage: Stage, window: { from: number; to: number }): Promise<Report> {
  const source = awsSource({
    s3: stage.s3,
    sqs: stage.sqs,
    table: AuditTable.open(stage.dynamoDb, Platform.TABLE_NAME),
    bucket: Platform.AUDIT_BUCKET,
    prefix: Platform.AUDIT_PREFIX,
    ingestQueueUrl: stage.queueUrl(Platform.INGEST_QUEUE),
  });
  const report = await reconcile(source, window, { dryRun: true, now: window.to + DAY_MS });
  if (report === null) throw new Error("reconcile was not to be interrupted");
  return report;
}
