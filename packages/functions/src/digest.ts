/** Lambda `llm-audit-digest`, every hour: signs which objects the settled hours of the trail hold. */
import { Logger } from "@aws-lambda-powertools/logger";
import { injectLambdaContext } from "@aws-lambda-powertools/logger/middleware";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import { logMetrics } from "@aws-lambda-powertools/metrics/middleware";
import { KMSClient } from "@aws-sdk/client-kms";
import { S3Client } from "@aws-sdk/client-s3";
import { digestHours, hoursBehind } from "@central-llm/core/digest-run";
import { DIGEST_FUNCTION } from "@central-llm/core/platform";
import { trailStore } from "@central-llm/core/trail-store";
import middy from "@middy/core";
import type { Context } from "aws-lambda";
import { digestConfig } from "./digest-config.ts";
import { kmsSigner } from "./kms-signer.ts";

const serviceName = DIGEST_FUNCTION;
const logger = new Logger({ serviceName });
const metrics = new Metrics({ namespace: "CentralLLM", serviceName });

const config = digestConfig(process.env);
const s3 = new S3Client({ forcePathStyle: process.env.AWS_ENDPOINT_URL !== undefined });
const trail = trailStore(s3, config.AUDIT_BUCKET);
const signer = kmsSigner(new KMSClient({}), config.SIGNING_KEY_ID);
const { AUDIT_PREFIX: prefix, DIGEST_LOOK_BACK_DAYS: lookBackDays } = config;

/** Kept for what is in hand when the time runs out. */
const RESERVE_MS = 15_000;

export const handler = middy()
  .use(injectLambdaContext(logger))
  .use(logMetrics(metrics))
  .handler(async (_event: unknown, context: Context) => {
    const signal = AbortSignal.timeout(Math.max(1_000, context.getRemainingTimeInMillis() - RESERVE_MS));
    const hours = await digestHours(trail, signer, { prefix, lookBackDays, now: Date.now(), signal });
    for (const hour of hours)
      logger.info(hour.objects === null ? "out of time; the next run goes on" : "digested", { ...hour });
    const signed = hours.filter(({ objects }) => objects !== null);
    metrics.addMetric("DigestsSigned", MetricUnit.Count, signed.length);
    metrics.addMetric(
      "DigestObjects",
      MetricUnit.Count,
      signed.reduce((sum, { objects }) => sum + (objects ?? 0), 0),
    );
    metrics.addMetric("DigestHoursBehind", MetricUnit.Count, await hoursBehind(trail, Date.now()));
    return hours;
  });
