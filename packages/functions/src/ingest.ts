/** Lambda `llm-audit-ingest`: S3's events from SQS become rows. Events and bodies are audit data and are never logged. */
import { injectLambdaContext } from "@aws-lambda-powertools/logger/middleware";
import { logMetrics } from "@aws-lambda-powertools/metrics/middleware";
import { captureLambdaHandler } from "@aws-lambda-powertools/tracer/middleware";
import * as Ingest from "@central-llm/core/ingest";
import middy from "@middy/core";
import sqsPartialBatchFailure from "@middy/sqs-partial-batch-failure";
import { ingestContext } from "./ingest-context.ts";
import * as IngestTelemetry from "./ingest-telemetry.ts";
import { SqsEvent } from "./sqs-event.ts";

const context = ingestContext(process.env);
const { logger, metrics, tracer } = IngestTelemetry;

export const handler = middy()
  .use(injectLambdaContext(logger))
  .use(captureLambdaHandler(tracer, { captureResponse: false }))
  .use(logMetrics(metrics, { captureColdStartMetric: true }))
  // Its own logger would print the whole record.
  .use(sqsPartialBatchFailure({ logger: IngestTelemetry.returned }))
  .handler(async (event: unknown) => {
    const report = await Ingest.ingest(SqsEvent.parse(event), context);
    IngestTelemetry.report(report);
    return report.results;
  });
