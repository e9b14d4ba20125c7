/** Lambda `llm-audit-reconcile`, every hour: are the settled hours of the trail complete? What lacks a row is ingested again. */
import { Logger } from "@aws-lambda-powertools/logger";
import { injectLambdaContext } from "@aws-lambda-powertools/logger/middleware";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import { logMetrics } from "@aws-lambda-powertools/metrics/middleware";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { SQSClient } from "@aws-sdk/client-sqs";
import * as AuditTable from "@central-llm/core/audit-table";
import { RECONCILE_FUNCTION } from "@central-llm/core/platform";
import { ledger, reconcileHours } from "@central-llm/core/reconcile-ledger";
import { verdict } from "@central-llm/core/reconcile-report";
import { awsSource } from "@central-llm/core/reconcile-source";
import middy from "@middy/core";
import type { Context } from "aws-lambda";
import { reconcileConfig } from "./reconcile-config.ts";

const serviceName = RECONCILE_FUNCTION;
const logger = new Logger({ serviceName });
const metrics = new Metrics({ namespace: "CentralLLM", serviceName });

const config = reconcileConfig(process.env);
const s3 = new S3Client({ forcePathStyle: process.env.AWS_ENDPOINT_URL !== undefined });
const source = awsSource({
  s3,
  sqs: new SQSClient({}),
  table: AuditTable.open(new DynamoDBClient({}), config.TABLE_NAME),
  bucket: config.AUDIT_BUCKET,
  prefix: config.AUDIT_PREFIX,
  ingestQueueUrl: config.INGEST_QUEUE_URL,
});

/** Kept for saving the state and sending the metrics. */
const RESERVE_MS = 15_000;

export const handler = middy()
  .use(injectLambdaContext(logger))
  .use(logMetrics(metrics))
  .handler(async (_event: unknown, context: Context) => {
    const signal = AbortSignal.timeout(Math.max(1_000, context.getRemainingTimeInMillis() - RESERVE_MS));
    const results = await reconcileHours(source, ledger(s3, config.AUDIT_BUCKET), Date.now(), signal);
    for (const { hour, report } of results) {
      if (report === null) logger.warn("out of time; the next run goes on", { hour });
      else
        logger[report.complete ? "info" : "error"]("reconciled", {
          hour,
          verdict: verdict(report),
          requeued: report.requeued,
        });
    }
    const reports = results.flatMap(({ report }) => report ?? []);
    metrics.addMetric(
      "AuditMissing",
      MetricUnit.Count,
      reports.reduce((sum, { missing }) => sum + missing, 0),
    );
    metrics.addMetric(
      "AuditSilentWriters",
      MetricUnit.Count,
      reports.reduce((sum, { silent }) => sum + silent.length, 0),
    );
    metrics.addMetric(
      "AuditHoursIncomplete",
      MetricUnit.Count,
      results.filter(({ report }) => !report?.complete).length,
    );
    return results.map(({ hour, report }) => ({ hour, verdict: report ? verdict(report) : "unfinished" }));
  });
