/** Lambda `llm-audit-rollup`, every minute: counts what charts and facets show. */
import { Logger } from "@aws-lambda-powertools/logger";
import { injectLambdaContext } from "@aws-lambda-powertools/logger/middleware";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import { logMetrics } from "@aws-lambda-powertools/metrics/middleware";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import * as AuditTable from "@central-llm/core/audit-table";
import { ROLLUP_FUNCTION } from "@central-llm/core/platform";
import * as RollupRun from "@central-llm/core/rollup-run";
import middy from "@middy/core";
import type { Context } from "aws-lambda";
import { RollupEvent, rollupConfig } from "./rollup-config.ts";

const serviceName = ROLLUP_FUNCTION;
const logger = new Logger({ serviceName });
const metrics = new Metrics({ namespace: "CentralLLM", serviceName });
const table = AuditTable.open(new DynamoDBClient({}), rollupConfig(process.env).TABLE_NAME);

/** Kept for the piece in hand. */
const RESERVE_MS = 20_000;

export const handler = middy()
  .use(injectLambdaContext(logger))
  .use(logMetrics(metrics))
  .handler(async (event: unknown, context: Context) => {
    const signal = AbortSignal.timeout(Math.max(context.getRemainingTimeInMillis() - RESERVE_MS, 1_000));
    const window = RollupEvent.parse(event) ?? undefined;
    const report = await RollupRun.run(table, Date.now(), { window, signal });
    metrics.addMetric("RollupRows", MetricUnit.Count, report.rows);
    if (!report.complete) logger.warn("out of time; the next run goes on", { ...report });
    const { reached } = report;
    return { ...report, ...(reached !== undefined && { reached: new Date(reached).toISOString() }) };
  });
