/** What operators of the GPU path see, and what wakes them (seeds 001 §4.2 and §6, 003). */
import { DEAD_LETTER_QUEUE, INGEST_FUNCTION } from "@central-llm/core/platform";
import { alarm } from "./alarm.ts";
import { restApi } from "./central-api.ts";
import { containerLogs, model } from "./central-service.ts";
import { chart, dashboard, logTable } from "./dashboard-widget.ts";
import { logGroup } from "./log-group.ts";
import { GPU_METRICS, GPU_NAMESPACE, MODEL_METRICS } from "./metrics-collector.ts";
import { named, settings } from "./stage.ts";

const MINUTE = 60;
const service = { ClusterName: model.cluster.name, ServiceName: model.service.name };
const ecs = (metricName: string) => ({
  namespace: "ECS/ContainerInsights",
  metricName,
  dimensions: service,
  statistic: "Average",
  period: 5 * MINUTE,
});
const api = (metricName: string, statistic: string) => ({
  namespace: "AWS/ApiGateway",
  metricName,
  dimensions: { ApiName: restApi.name, Stage: $app.stage },
  statistic,
  period: 5 * MINUTE,
});
const card = (metricName: string, statistic = "Average", period = MINUTE) => ({
  namespace: GPU_NAMESPACE,
  metricName,
  dimensions: { service: named("central-llm-service") },
  statistic,
  period,
});

// Container Insights would make this group itself, without encryption or an end.
logGroup(
  "CentralInsightsLogs",
  `/aws/ecs/containerinsights/${named("central-llm-service-cluster")}/performance`,
);

alarm("CentralTasksMissing", {
  name: "central-llm-tasks-missing",
  description: "Fewer model tasks run than are wanted, for longer than a host and a model need to start.",
  metric: {
    expression: "desired - running",
    metrics: { desired: ecs("DesiredTaskCount"), running: ecs("RunningTaskCount") },
  },
  threshold: { above: 0 },
  periods: 4,
});
alarm("CentralServerErrors", {
  name: "central-llm-server-errors",
  description: "Over 5 % of central requests fail with 5xx.",
  metric: {
    expression: "IF(requests > 0, 100 * errors / requests, 0)",
    metrics: { errors: api("5XXError", "Sum"), requests: api("Count", "Sum") },
  },
  threshold: { above: 5 },
  periods: 2,
});
if (settings.central?.compute.kind === "gpu") {
  alarm("GpuHung", {
    name: "central-llm-gpu-hung",
    description: "Requests are running, yet the card does nothing: replace the task, then the host.",
    metric: {
      expression: "IF(requests > 0 AND busy < 1, 1, 0)",
      metrics: {
        requests: card(MODEL_METRICS.running, "Maximum"),
        busy: card(GPU_METRICS.utilisation, "Maximum"),
      },
    },
    threshold: { above: 0 },
    periods: 10,
  });
  alarm("GpuTooHot", {
    name: "central-llm-gpu-hot",
    description: "The card is above 85 degrees and will slow itself down.",
    metric: card(GPU_METRICS.temperature, "Maximum"),
    threshold: { above: 85 },
    periods: 5,
  });
}

// The proxy's own log lines are JSON (pino): level 50 and up are errors; an upstream's failure is a warning.
for (const [label, metricName, pattern] of [
  ["UpstreamFailures", "LlmErrors", '{ $.msg = "The upstream failed" }'],
  ["ProxyErrors", "ProxyErrors", "{ $.level >= 50 }"],
] as const) {
  new aws.cloudwatch.LogMetricFilter(`Central${label}`, {
    name: named(`central-llm-${metricName}`),
    logGroupName: containerLogs.name,
    pattern,
    metricTransformation: { namespace: "CentralLLM", name: named(metricName), value: "1", defaultValue: "0" },
  });
}
const logged = (metricName: string) => ({
  namespace: "CentralLLM",
  metricName: named(metricName),
  statistic: "Sum",
  period: 5 * MINUTE,
});
alarm("LlmErrors", {
  name: "central-llm-model-errors",
  description: "The model failed for more than ten requests in five minutes.",
  metric: logged("LlmErrors"),
  threshold: { above: 10 },
  periods: 1,
});

const queueDepth = (QueueName: string) => ({
  namespace: "AWS/SQS",
  metricName: "ApproximateNumberOfMessagesVisible",
  dimensions: { QueueName: named(QueueName) },
  statistic: "Maximum",
  period: 5 * MINUTE,
});
const lambda = (metricName: string) => ({
  namespace: "AWS/Lambda",
  metricName,
  dimensions: { FunctionName: named(INGEST_FUNCTION) },
  statistic: "Sum",
  period: 5 * MINUTE,
});

dashboard("CentralDashboard", named("central-llm-ops"), [
  chart("Requests", [{ label: "requests", metric: api("Count", "Sum") }]),
  chart("Errors", [
    { label: "4xx", metric: api("4XXError", "Sum") },
    { label: "5xx", metric: api("5XXError", "Sum") },
  ]),
  chart(
    "Latency",
    ["p50", "p95", "p99"].map((label) => ({ label, metric: api("Latency", label) })),
  ),
  chart("Tasks", [
    { label: "running", metric: ecs("RunningTaskCount") },
    { label: "desired", metric: ecs("DesiredTaskCount") },
  ]),
  chart("GPU utilisation %", [{ label: "utilisation", metric: card(GPU_METRICS.utilisation) }]),
  chart("GPU memory, MB", [
    { label: "used", metric: card(GPU_METRICS.memoryUsed) },
    { label: "free", metric: card(GPU_METRICS.memoryFree) },
  ]),
  chart("GPU temperature, power", [
    { label: "degrees", metric: card(GPU_METRICS.temperature, "Maximum") },
    { label: "watts", metric: card(GPU_METRICS.power, "Maximum") },
  ]),
  chart("Model queue", [
    { label: "running", metric: card(MODEL_METRICS.running) },
    { label: "waiting", metric: card(MODEL_METRICS.waiting, "Maximum") },
    { label: "KV cache", metric: card(MODEL_METRICS.cacheUsage, "Maximum") },
  ]),
  chart("Tokens per second", [
    { label: "prompt", id: "p", hidden: true, metric: card(MODEL_METRICS.promptTokens, "Sum") },
    { label: "generated", id: "g", hidden: true, metric: card(MODEL_METRICS.generatedTokens, "Sum") },
    { label: "prompt tokens/s", expression: "p / PERIOD(p)" },
    { label: "generated tokens/s", expression: "g / PERIOD(g)" },
  ]),
  chart("Model and proxy errors", [
    { label: "model", metric: logged("LlmErrors") },
    { label: "proxy", metric: logged("ProxyErrors") },
  ]),
  chart("Audit ingest", [
    { label: "invocations", metric: lambda("Invocations") },
    { label: "errors", metric: lambda("Errors") },
    { label: "dead letters", metric: queueDepth(DEAD_LETTER_QUEUE) },
  ]),
  logTable(
    "Recent errors",
    [containerLogs.name],
    "fields @timestamp, msg, requestId | filter level >= 40 | sort @timestamp desc | limit 20",
  ),
]);
