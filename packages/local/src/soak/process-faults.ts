/** Faults of the platform's own processes: killed, replaced, lost with their disk, out of time, told twice. */
import { setTimeout as delay } from "node:timers/promises";
import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { SendMessageBatchCommand } from "@aws-sdk/client-sqs";
import * as Platform from "@central-llm/core/platform";
import * as S3Event from "@central-llm/core/s3-event";
import type { Fault, FaultContext } from "./fault.ts";

const QUOTA_BYTES = 400_000;
const CLOCK_STEPS_S = [3_600, -3_600, 7_200, 0];
const REPEATED_EVENTS = 150;
const SPOOL_EMPTY_WITHIN_MS = 60_000;

async function killProxy({ stage: { fleet } }: FaultContext): Promise<string> {
  const { open } = fleet.mortal;
  await fleet.mortal.kill();
  await fleet.revive();
  return `${open} requests open`;
}

/** As a deployment does: the new one serves before the old one is told to stop. */
async function replaceProxy({ stage: { fleet } }: FaultContext, extra = {}): Promise<string> {
  const old = fleet.mortal;
  await fleet.revive(extra);
  return `${await old.terminate()} requests open at SIGTERM`;
}

async function killIngest({ stage, lasting }: FaultContext): Promise<string> {
  // Slow writes, so that a batch is in hand when the process dies.
  const fault = { delayMs: 1_500 };
  await stage.trouble("ingest", { plans: [{ operations: ["dynamodb.BatchWriteItem"], fault }] });
  await lasting(3);
  const killed = await stage.killIngest();
  await stage.trouble("ingest", {});
  return `${killed} processes`;
}

async function killLambdaHost({ stage }: FaultContext): Promise<string> {
  await stage.killLambdaHost();
  await stage.startLambda();
  return "started again";
}

/** Events of objects of the last while come again, twice, in another order. */
async function repeatEvents({ stage: { s3, sqs, ...stage }, book, random }: FaultContext) {
  const names = [...book.entries.values()].flatMap(({ name }) => name ?? []);
  const from = random.pick(names);
  if (from === undefined) return null;
  const day = new Date().toISOString().slice(0, 10).replaceAll("-", "/");
  const folder = `${Platform.AUDIT_PREFIX}/${day}/`;
  let listed: string[];
  try {
    const { Contents = [] } = await s3.send(
      new ListObjectsV2Command({
        Bucket: Platform.AUDIT_BUCKET,
        Prefix: folder,
        StartAfter: folder + from,
        MaxKeys: REPEATED_EVENTS,
      }),
    );
    listed = Contents.flatMap(({ Key }) => Key ?? []);
  } catch {
    return null; // S3 is away at the moment, which is a fault of its own.
  }
  const keys = random.shuffled([...listed, ...listed]);
  let sent = 0;
  for (let at = 0; at < keys.length; at += 10) {
    const Entries = keys
      .slice(at, at + 10)
      .map((key, index) => ({ Id: String(index), MessageBody: S3Event.body(Platform.AUDIT_BUCKET, key) }));
    const QueueUrl = `${stage.awsUrl}/000000000000/${Platform.INGEST_QUEUE}`;
    await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries })).then(
      () => {
        sent += Entries.length;
      },
      () => {}, // SQS is away: these were extra anyway.
    );
  }
  return `${sent} events`;
}

async function stepClock({ stage: { fleet }, lasting }: FaultContext): Promise<string | null> {
  if (fleet.fakeTime === null) return null;
  for (const seconds of CLOCK_STEPS_S) {
    fleet.stepClock(seconds);
    await lasting(5);
  }
  return `${CLOCK_STEPS_S.join(" s, ")} s from the machine's, 5 s each`;
}

/** A backlog over SPOOL_MAX_BYTES: served, and each record that found no room leaves a gap that reconcile must name. */
async function overQuota(context: FaultContext): Promise<string> {
  const { stage, lasting } = context;
  const { fleet } = stage;
  const plans = [{ operations: ["s3.PutObject"], fault: "reset" as const }];
  await replaceProxy(context, { SPOOL_MAX_BYTES: String(QUOTA_BYTES) });
  fleet.mortal.mayLose = "quota";
  await stage.trouble("quota", { plans });
  await lasting(10);
  await stage.trouble("quota", {});
  const deadline = Date.now() + SPOOL_EMPTY_WITHIN_MS;
  while ((await fleet.mortal.metrics())?.spoolRecords !== 0 && Date.now() < deadline) await delay(200);
  const lost = (await fleet.mortal.metrics())?.lost;
  await replaceProxy(context);
  return `${lost} records found no room`;
}

async function loseDisk({ stage, lasting }: FaultContext): Promise<string> {
  await stage.trouble("disk", { plans: [{ operations: ["s3.PutObject"], fault: "reset" }] });
  await lasting(3);
  await stage.fleet.loseMortalWithDisk();
  await stage.trouble("disk", {});
  await stage.fleet.revive();
  return "with what it had not uploaded";
}

export const PROCESS_FAULTS: Fault[] = [
  { name: "proxy killed (-9)", alone: true, run: killProxy },
  { name: "proxy replaced (SIGTERM)", alone: true, run: replaceProxy },
  { name: "ingest killed (-9) in mid-batch", run: killIngest },
  { name: "ingest's host killed (-9)", long: true, run: killLambdaHost },
  { name: "events again, twice, shuffled", run: repeatEvents },
  {
    name: "proxy killed (-9) twice",
    alone: true,
    run: async (c) => `${await killProxy(c)}, ${await killProxy(c)}`,
  },
  { name: "the proxy's clock is stepped", alone: true, long: true, run: stepClock },
];

/** Once a soak: what they lose must be named, so that the rest of the ledger can be exact. */
export const LOSSES: Fault[] = [
  { name: "backlog over the spool's quota", alone: true, run: overQuota },
  { name: "proxy and its disk lost", alone: true, run: loseDisk },
];
