/** Lambda `llm-audit-replay`: sends dead letters to ingest again. Invoked with a `ReplayOrder`, by the console or by hand. */
import { Logger } from "@aws-lambda-powertools/logger";
import { injectLambdaContext } from "@aws-lambda-powertools/logger/middleware";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import { logMetrics } from "@aws-lambda-powertools/metrics/middleware";
import { SQSClient } from "@aws-sdk/client-sqs";
import * as DeadLetterQueue from "@central-llm/core/dead-letter-queue";
import { REPLAY_FUNCTION } from "@central-llm/core/platform";
import middy from "@middy/core";
import type { Context } from "aws-lambda";
import { ReplayOrder, replayConfig } from "./replay-config.ts";

const serviceName = REPLAY_FUNCTION;
const logger = new Logger({ serviceName });
const metrics = new Metrics({ namespace: "CentralLLM", serviceName });

const config = replayConfig(process.env);
const queue: DeadLetterQueue.DeadLetterQueue = {
  sqs: new SQSClient({}),
  deadLetterQueueUrl: config.AUDIT_DLQ_URL,
  ingestQueueUrl: config.INGEST_QUEUE_URL,
};

/** Kept for giving back what was looked at. */
const RESERVE_MS = 30_000;

export const handler = middy()
  .use(injectLambdaContext(logger))
  .use(logMetrics(metrics))
  .handler(async (event: unknown, context: Context) => {
    const { all: _, ...order } = ReplayOrder.parse(event);
    const signal = AbortSignal.timeout(Math.max(1_000, context.getRemainingTimeInMillis() - RESERVE_MS));
    const done = await DeadLetterQueue.replay(queue, { ...order, signal });
    logger.info("replayed", { ...done, dryRun: order.dryRun });
    metrics.addMetric("LettersReplayed", MetricUnit.Count, done.replayed);
    return { ...done, complete: !signal.aborted };
  });
