/** Every widget of seed 004 §8.2. */
import { chart, dashboard, logTable } from "./dashboard-widget.ts";
import { firewallLogs } from "./firewall-logs.ts";
import { balancer, firewall, rds } from "./gateway-alarms.ts";
import { databaseLogs } from "./gateway-database.ts";
import { containerLogs, gateway, onBedrock } from "./gateway-service.ts";
import { APPLICATION, FIREWALL } from "./log-queries.ts";
import { named } from "./stage.ts";

const MINUTES = 60;
const task = (metricName: string) => ({
  namespace: "AWS/ECS",
  metricName,
  dimensions: { ClusterName: gateway.cluster.name, ServiceName: gateway.service.name },
  statistic: "Average",
  period: 5 * MINUTES,
});
const bedrock = (metricName: string, ModelId: string) => ({
  namespace: "AWS/Bedrock",
  metricName,
  dimensions: { ModelId },
  statistic: "Sum",
  period: 5 * MINUTES,
});
const rules = [
  "AWSManagedRulesAmazonIpReputationList",
  "AWSManagedRulesCommonRuleSet",
  "AWSManagedRulesKnownBadInputsRuleSet",
  "RateLimit-PerIP",
  "BodyRulesOutsideModelRoutes",
];

dashboard("GatewayDashboard", named("LLMLite-Dashboard"), [
  chart("Request metrics", [
    { label: "requests", id: "requests", metric: balancer("RequestCount") },
    { label: "2xx", id: "ok", metric: balancer("HTTPCode_Target_2XX_Count") },
    { label: "4xx", metric: balancer("HTTPCode_Target_4XX_Count") },
    { label: "5xx", metric: balancer("HTTPCode_Target_5XX_Count") },
    { label: "success %", expression: "100 * ok / requests" },
  ]),
  chart(
    "Response time",
    ["p50", "p95", "p99"].map((label) => ({ label, metric: balancer("TargetResponseTime", label) })),
  ),
  chart("Container utilization", [
    { label: "CPU %", metric: task("CPUUtilization") },
    { label: "memory %", metric: task("MemoryUtilization") },
  ]),
  chart("WAF request summary", [
    { label: "allowed", metric: firewall("AllowedRequests") },
    { label: "blocked", metric: firewall("BlockedRequests") },
    { label: "counted", metric: firewall("CountedRequests") },
  ]),
  chart(
    "Top blocked rules",
    rules.map((rule) => ({ label: rule, metric: firewall("BlockedRequests", rule) })),
  ),
  chart("Block rate %", [
    { label: "blocked", id: "b", hidden: true, metric: firewall("BlockedRequests") },
    { label: "allowed", id: "a", hidden: true, metric: firewall("AllowedRequests") },
    { label: "block rate %", expression: "100 * b / (a + b)" },
  ]),
  chart("RDS CPU and memory", [
    { label: "CPU %", metric: rds("CPUUtilization") },
    { label: "free memory", metric: rds("FreeableMemory") },
    { label: "swap", metric: rds("SwapUsage") },
  ]),
  chart("Database connections", [{ label: "connections", metric: rds("DatabaseConnections", "Maximum") }]),
  chart("Query performance", [
    { label: "read latency", metric: rds("ReadLatency") },
    { label: "write latency", metric: rds("WriteLatency") },
    { label: "reads/s", metric: rds("ReadIOPS") },
    { label: "writes/s", metric: rds("WriteIOPS") },
  ]),
  chart("Storage", [{ label: "free", metric: rds("FreeStorageSpace", "Minimum") }]),
  chart("Replication", [{ label: "lag", metric: rds("ReplicaLag", "Maximum") }]),
  chart(
    "Bedrock requests per model",
    onBedrock.map(({ name, modelId }) => ({ label: name, metric: bedrock("Invocations", modelId) })),
  ),
  chart(
    "Bedrock token usage",
    onBedrock.flatMap(({ name, modelId }) => [
      { label: `${name} in`, metric: bedrock("InputTokenCount", modelId) },
      { label: `${name} out`, metric: bedrock("OutputTokenCount", modelId) },
    ]),
  ),
  logTable(
    "Recent errors",
    [containerLogs.name],
    "fields @timestamp, @message | filter level >= 40 or @message like /ERROR|WARN/ | sort @timestamp desc | limit 20",
  ),
  logTable(
    "Database errors",
    [databaseLogs.name],
    "fields @timestamp, @message | filter @message like /ERROR|FATAL/ | sort @timestamp desc | limit 20",
  ),
  logTable("WAF blocks", [firewallLogs.name], FIREWALL["recent-blocks"]),
  logTable("Top users by request count", [containerLogs.name], APPLICATION["top-users-by-requests"]),
  logTable("Top users by token usage", [containerLogs.name], APPLICATION["top-users-by-tokens"]),
  logTable("Budget utilization", [containerLogs.name], APPLICATION["budget-exceeded"]),
]);
