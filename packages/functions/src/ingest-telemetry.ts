/** The ingest function's logs, metrics and traces. Names and reasons only: nothing of an object's content. */
import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import { Tracer } from "@aws-lambda-powertools/tracer";
import type { IngestReport } from "@central-llm/core/ingest";
import { INGEST_FUNCTION } from "@central-llm/core/platform";

const serviceName = INGEST_FUNCTION;

export const logger = new Logger({ serviceName });
export const metrics = new Metrics({ namespace: "CentralLLM", serviceName });
/** Lambda names its X-Ray daemon here; without one there is nobody to send to. */
export const tracer = new Tracer({
  serviceName,
  enabled: process.env.AWS_XRAY_DAEMON_ADDRESS !== undefined,
  captureHTTPsRequests: false,
});

/** A message that goes back to the queue. The identifier is the record's own. */
export function returned(reason: unknown, record: { messageId: string }): void {
  const error = reason instanceof Error ? { error: reason.name, detail: reason.message } : {};
  logger.createChild({ persistentKeys: { messageId: record.messageId } }).warn("left to the queue", error);
}

export function report({ rows, lagsMs, deadLetters, retried }: IngestReport): void {
  metrics.addMetric("RowsWritten", MetricUnit.Count, rows);
  for (const lag of lagsMs) metrics.addMetric("IngestLag", MetricUnit.Milliseconds, lag);
  for (const { object, reason, detail, receives } of deadLetters) {
    logger.error("sent to the dead-letter queue", { ...object, reason, detail, receives });
    count("DeadLetters", reason);
  }
  for (const { reason } of retried) count("Retries", reason);
}

/** One metric with the reason as its dimension. */
function count(name: string, reason: string): void {
  const single = metrics.singleMetric();
  single.addDimension("reason", reason);
  single.addMetric(name, MetricUnit.Count, 1);
}
