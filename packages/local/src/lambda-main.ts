/** The Lambda host as a process of its own: the platform's functions with their triggers. */
import { join } from "node:path";
import * as Platform from "@central-llm/core/platform";
import { z } from "zod";
import { CREDENTIALS } from "./audit-platform.ts";
import { lambdaFunction } from "./lambda-function.ts";
import { startQueueSource } from "./lambda-queue-source.ts";
import { startSchedule } from "./lambda-schedule.ts";
import { platformFunctions } from "./platform-functions.ts";

const settings = z
  .object({
    AWS_ENDPOINT_URL: z.url(),
    AWS_REGION: z.string().min(1),
    TABLE_NAME: z.string().min(1),
    INGEST_QUEUE_URL: z.url(),
    AUDIT_DLQ_URL: z.url(),
    AUDIT_BUCKET: z.string().min(1),
    AUDIT_PREFIX: z.string().min(1),
    EXPORT_QUEUE_URL: z.url(),
    EXPORT_BUCKET: z.string().min(1),
    /** Holds the handlers. Sources, not bundles: a stack trace names the line, and a change needs no build. */
    FUNCTIONS_DIR: z
      .string()
      .min(1)
      .default(join(import.meta.dirname, "../../functions/src")),
    /** Seconds after which a failed message comes again; AWS waits for the queue's visibility time-out (minutes). */
    RETRY_AFTER: z.coerce.number().min(0).default(2),
    /** Seconds between two counts for the charts; on AWS a minute. */
    ROLLUP_EVERY: z.coerce.number().positive().default(10),
  })
  .parse(process.env);

const log = (line: string) => console.log(line);
const { AWS_REGION: region, AWS_ENDPOINT_URL: endpoint } = settings;
const { INGEST } = Platform;

const declared = platformFunctions(settings);
const ingest = lambdaFunction(declared.ingest, log);
const reconcile = lambdaFunction(declared.reconcile, log);
const digest = lambdaFunction(declared.digest, log);
const rollup = lambdaFunction(declared.rollup, log);
const exporter = lambdaFunction(declared.export, log);
const source = await startQueueSource(
  ingest,
  {
    queueUrl: settings.INGEST_QUEUE_URL,
    batchSize: INGEST.batchSize,
    batchingWindow: INGEST.batchingWindow,
    maxConcurrency: 2,
    // A killed host's messages come back after this, not after AWS's six minutes.
    visibilityTimeout: INGEST.timeoutSeconds + 5,
    retryAfter: settings.RETRY_AFTER,
  },
  { endpoint, region, credentials: CREDENTIALS },
  log,
);
const exports = await startQueueSource(
  exporter,
  {
    queueUrl: settings.EXPORT_QUEUE_URL,
    batchSize: 1,
    batchingWindow: 0,
    maxConcurrency: 1,
    visibilityTimeout: Platform.EXPORT.timeoutSeconds + 5,
    retryAfter: settings.RETRY_AFTER,
  },
  { endpoint, region, credentials: CREDENTIALS },
  log,
);
/** The machine may have been off for hours: what is due is signed soon, and not while everything starts. */
const FIRST_DIGEST_MS = 60_000;
const schedules = [
  startSchedule(reconcile, Platform.RECONCILE_FUNCTION, Platform.RECONCILE.everyMinutes * 60_000),
  startSchedule(digest, Platform.DIGEST_FUNCTION, Platform.DIGEST.everyMinutes * 60_000, FIRST_DIGEST_MS),
  startSchedule(rollup, Platform.ROLLUP_FUNCTION, settings.ROLLUP_EVERY * 1000),
];
const functions = [ingest, reconcile, digest, rollup, exporter];
// Before the first event, so that it does not wait for a cold start.
ingest.warm();
console.log(
  JSON.stringify({
    level: "info",
    msg: "listening",
    functions: functions.map((one) => one.settings.name),
  }),
);

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    for (const stop of schedules) stop();
    Promise.all([source.stop(), exports.stop()])
      .then(() => Promise.all(functions.map((one) => one.stop())))
      .then(() => process.exit(0));
  });
}
