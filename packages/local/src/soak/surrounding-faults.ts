/** Faults of what the platform stands on: AWS, the upstream, the disk. */
import { setTimeout as delay } from "node:timers/promises";
import type { FaultPlan } from "../aws-fault-order.ts";
import type { Fault, FaultContext } from "./fault.ts";

const HOUR_MS = 3_600_000;
const TROUBLE_ENDS_WITHIN_MS = 30_000;

const aws = (name: string, seconds: number, plans: FaultPlan[], more: Partial<Fault> = {}): Fault => ({
  name,
  ...more,
  async run({ stage, lasting }) {
    await stage.trouble("aws", { plans });
    await lasting(seconds);
    await stage.trouble("aws", {});
    return "";
  },
});
const s3 = (fault: FaultPlan["fault"], share = 1): FaultPlan[] => [{ operations: ["s3."], share, fault }];

const clock = (name: string, clockMs: number): Fault => ({
  name,
  async run({ stage, lasting }) {
    await stage.trouble("aws", { clockMs });
    await lasting(10);
    await stage.trouble("aws", {});
    return `${clockMs / HOUR_MS} h against ours`;
  },
});

async function diskFull({ stage, lasting }: FaultContext): Promise<string | null> {
  const { disk, fleet } = stage;
  if (!disk.canFill) return null;
  disk.fill();
  await lasting(6);
  const troubled: string[] = [];
  const alive = [fleet.steady, fleet.mortal].filter((life) => life.serving);
  for (const life of alive) if ((await life.metrics())?.spoolTrouble === 1) troubled.push(life.name);
  disk.free();
  const deadline = Date.now() + TROUBLE_ENDS_WITHIN_MS;
  for (const life of alive) {
    while (life.serving && (await life.metrics())?.spoolTrouble === 1) {
      if (Date.now() > deadline) {
        life.complaint = "its spool did not recover from a full disk";
        break;
      }
      await delay(100);
    }
  }
  return `noticed by ${troubled.join(" and ") || "nobody"}`;
}

export const SURROUNDING_FAULTS: Fault[] = [
  aws("S3 answers 500", 8, s3({ status: 500 })),
  aws("S3 hangs", 15, s3("hang"), { long: true }),
  aws("S3 resets connections", 8, s3("reset")),
  aws("S3 loses its answers", 8, s3("lose-answer", 0.8)),
  aws("S3 refuses (503)", 30, s3({ status: 503 })),
  aws("S3 is slow", 10, s3({ delayMs: 1_500 }, 0.5)),
  aws("DynamoDB throttles", 8, [{ operations: ["dynamodb."], share: 0.7, fault: { status: 400 } }]),
  aws("DynamoDB loses its answers", 6, [{ operations: ["dynamodb."], share: 0.5, fault: "lose-answer" }]),
  aws("SQS answers 503", 6, [{ operations: ["sqs."], share: 0.5, fault: { status: 503 } }]),
  aws("everything fails now and then", 15, [
    { operations: [""], share: 0.08, fault: { status: 503 } },
    { operations: [""], share: 0.08, fault: "reset" },
    { operations: [""], share: 0.08, fault: "lose-answer" },
  ]),
  clock("S3's clock is an hour ahead", HOUR_MS),
  clock("S3's clock is two hours behind", -2 * HOUR_MS),
  {
    name: "the upstream's process stands still",
    async run({ stage, book, lasting }) {
      const stop = { from: Date.now(), to: Number.POSITIVE_INFINITY };
      book.upstreamStops.push(stop);
      stage.stopModel();
      await lasting(8);
      stage.continueModel();
      stop.to = Date.now();
      return "";
    },
  },
  { name: "the spool's disk is full", alone: true, run: diskFull },
];
