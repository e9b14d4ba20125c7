/** The twelve alarms of seed 004 §8.3, in its order. */
import { alarm } from "./alarm.ts";
import { backupFinished } from "./database-backup-events.ts";
import { database } from "./gateway-database.ts";
import { containerLogs, gateway } from "./gateway-service.ts";
import { named, region } from "./stage.ts";
import { webAcl } from "./web-firewall.ts";

const MINUTES = 60;

export const firewall = (metricName: string, rule = "ALL") => ({
  namespace: "AWS/WAFV2",
  metricName,
  dimensions: { WebACL: webAcl.name, Region: region, Rule: rule },
  statistic: "Sum",
  period: 5 * MINUTES,
});
const balancerOnly = { LoadBalancer: gateway.balancer.arnSuffix };
export const balancer = (metricName: string, statistic = "Sum") => ({
  namespace: "AWS/ApplicationELB",
  metricName,
  dimensions:
    metricName === "HealthyHostCount"
      ? { ...balancerOnly, TargetGroup: gateway.targets.arnSuffix }
      : balancerOnly,
  statistic,
  period: 5 * MINUTES,
});
export const rds = (metricName: string, statistic = "Average") => ({
  namespace: "AWS/RDS",
  metricName,
  dimensions: { DBInstanceIdentifier: database.identifier },
  statistic,
  period: 5 * MINUTES,
});

alarm("WafHighBlockRate", {
  name: "llmlite-WAFHighBlockRate",
  description:
    "HIGH. Over 100 requests blocked in 5 minutes: an attack, or a rule that blocks our own people.",
  metric: firewall("BlockedRequests"),
  threshold: { above: 100 },
  periods: 1,
});
alarm("WafAllowedRequestsDrop", {
  name: "llmlite-WAFAllowedRequestsDrop",
  description:
    "HIGH. Far fewer requests pass the firewall than usual at this hour: a wrong rule, or an outage.",
  metric: firewall("AllowedRequests"),
  // "50 % of the baseline" as CloudWatch can say it: below the band that it has learnt for this hour and weekday.
  threshold: { belowUsual: 2 },
  periods: 2,
});
alarm("HighErrorRate", {
  name: "llmlite-HighErrorRate",
  description: "CRITICAL. Over 5 % of requests fail with 5xx, for 10 minutes.",
  metric: {
    expression: "IF(requests > 0, 100 * errors / requests, 0)",
    metrics: { errors: balancer("HTTPCode_Target_5XX_Count"), requests: balancer("RequestCount") },
  },
  threshold: { above: 5 },
  periods: 2,
});
alarm("HighLatency", {
  name: "llmlite-HighLatency",
  description: "HIGH. The 95th percentile of the response time is over 3 seconds.",
  metric: balancer("TargetResponseTime", "p95"),
  threshold: { above: 3 },
  periods: 2,
});
alarm("UnhealthyTargets", {
  name: "llmlite-UnhealthyTargets",
  description: "CRITICAL. No healthy task: the gateway is down.",
  metric: { ...balancer("HealthyHostCount", "Minimum"), period: 1 * MINUTES },
  threshold: { below: 1 },
  periods: 1,
  missingData: "breaching",
});

// A load balancer counts 4xx together; the 401s among them are in the containers' logs: ours are JSON, LiteLLM's are
// its web server's access lines.
new aws.cloudwatch.LogMetricFilter("Unauthorized", {
  name: named("llmlite-unauthorized"),
  logGroupName: containerLogs.name,
  pattern: '?"\\"statusCode\\":401" ?"HTTP/1.1\\" 401"',
  metricTransformation: {
    namespace: "CentralLLM",
    name: named("Unauthorized"),
    value: "1",
    defaultValue: "0",
  },
});
alarm("High401Rate", {
  name: "llmlite-High401Rate",
  description: "MEDIUM. Over 50 requests with an invalid key in 5 minutes.",
  metric: {
    namespace: "CentralLLM",
    metricName: named("Unauthorized"),
    statistic: "Sum",
    period: 5 * MINUTES,
  },
  threshold: { above: 50 },
  periods: 1,
});

alarm("RdsHighCpu", {
  name: "llmlite-RDSHighCPU",
  description: "HIGH. The database's CPU is over 80 %: consider a larger instance.",
  metric: rds("CPUUtilization"),
  threshold: { above: 80 },
  periods: 2,
});
alarm("RdsLowStorage", {
  name: "llmlite-RDSLowStorage",
  description: "HIGH. Less than 2 GB of the database's storage is free.",
  metric: rds("FreeStorageSpace", "Minimum"),
  threshold: { below: 2_000_000_000 },
  periods: 1,
});
alarm("RdsHighConnections", {
  name: "llmlite-RDSHighConnections",
  description: "MEDIUM. Over 80 of 100 connections are in use: look for a leak.",
  metric: rds("DatabaseConnections", "Maximum"),
  threshold: { above: 80 },
  periods: 2,
});
alarm("RdsHighLatency", {
  name: "llmlite-RDSHighLatency",
  description: "MEDIUM. A read or a write takes over 100 ms: see Performance Insights.",
  metric: {
    expression: "MAX([reads, writes])",
    metrics: { reads: rds("ReadLatency"), writes: rds("WriteLatency") },
  },
  // RDS reports seconds.
  threshold: { above: 0.1 },
  periods: 3,
});
alarm("RdsReplicationLag", {
  name: "llmlite-RDSReplicationLag",
  // A Multi-AZ standby is synchronous and reports no lag; this speaks when somebody adds a read replica.
  description: "HIGH. A replica of the database is over a second behind.",
  metric: rds("ReplicaLag", "Maximum"),
  threshold: { above: 1 },
  periods: 2,
});
alarm("RdsBackupFailure", {
  name: "llmlite-RDSBackupFailure",
  description: "CRITICAL. No backup of the database has finished for 26 hours: see RDS's events.",
  // The seed's metric exists for Aurora only; RDS's own event of a finished backup is counted instead.
  metric: { ...backupFinished, statistic: "Sum", period: 60 * MINUTES },
  threshold: { below: 1 },
  periods: 26,
  missingData: "breaching",
});
