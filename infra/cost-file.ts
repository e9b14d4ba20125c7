/** The daily cost file (docs/decisions/cost-file.md): the gateway writes it; this tells when it does not. */
import { alarm } from "./alarm.ts";
import { containerLogs } from "./gateway-service.ts";
import { named } from "./stage.ts";

const metric = { namespace: "CentralLLM", metricName: named("CostFilesUpToDate") };
new aws.cloudwatch.LogMetricFilter("CostFilesUpToDate", {
  name: named("llmlite-cost-files"),
  logGroupName: containerLogs.name,
  pattern: '{ $.msg = "The cost files are up to date" }',
  metricTransformation: { namespace: metric.namespace, name: metric.metricName, value: "1" },
});
alarm("CostFilesStale", {
  name: "central-llm-cost-files-stale",
  description:
    "No gateway has brought the daily cost file up to date for three hours: see its log. A day can be made up for within a month.",
  metric: { ...metric, statistic: "Sum", period: 3600 },
  threshold: { below: 1 },
  periods: 3,
  // No line is exactly what is wrong.
  missingData: "breaching",
});
