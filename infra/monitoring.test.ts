import { describe, expect, test } from "vitest";
import { planOf } from "./plan/plan.ts";
import { type Inputs, ofType, only, type Plan } from "./plan/resource.ts";

const [prod, dev] = [await planOf("prod"), await planOf("dev")];
const both = [
  ["prod", prod],
  ["dev", dev],
] as const;

const alarms = (plan: Plan) => ofType(plan, "aws:cloudwatch/metricAlarm:MetricAlarm");
const alarm = (plan: Plan, name: string): Inputs =>
  alarms(plan).find(({ inputs }) => inputs.name === name)?.inputs ?? {};

describe.each(both)("the alarms of %s", (_, plan) => {
  test("all tell the one topic, which tells people, and say what they mean", () => {
    const topic = only(plan, "aws:sns/topic:Topic");
    expect(only(plan, "aws:sns/topicSubscription:TopicSubscription").inputs).toMatchObject({
      protocol: "email",
      endpoint: "platform@example.com",
    });
    for (const { inputs } of alarms(plan)) {
      expect(inputs.alarmActions, inputs.name).toEqual([topic.id]);
      expect(inputs.okActions, inputs.name).toEqual([topic.id]);
      expect(inputs.alarmDescription.length, inputs.name).toBeGreaterThan(30);
    }
  });

  test("look at every queue and every function", () => {
    const dimensions = alarms(plan).map(({ inputs }) => JSON.stringify(inputs.dimensions ?? {}));
    for (const { inputs } of ofType(plan, "aws:sqs/queue:Queue")) {
      expect(dimensions, inputs.name).toContain(JSON.stringify({ QueueName: inputs.name }));
    }
    for (const { inputs } of ofType(plan, "aws:lambda/function:Function")) {
      if (!/^llm-/.test(inputs.name)) continue;
      expect(dimensions, inputs.name).toContain(JSON.stringify({ FunctionName: inputs.name }));
    }
  });

  test("look only at metrics with a name and a place", () => {
    for (const { inputs } of alarms(plan)) {
      const metrics = inputs.metricQueries?.flatMap((query: Inputs) => query.metric ?? []) ?? [inputs];
      for (const metric of metrics) {
        expect(metric.metricName, inputs.name).toBeTruthy();
        expect(metric.namespace, inputs.name).toMatch(/^(AWS\/|ECS\/|CentralLLM)/);
        expect(metric.period * inputs.evaluationPeriods, inputs.name).toBeLessThanOrEqual(7 * 86_400);
      }
      // CloudWatch's rule: beyond a day in all, a period must be an hour or more.
      const [{ period }] = metrics;
      if (period * inputs.evaluationPeriods > 86_400) expect(period).toBeGreaterThanOrEqual(3600);
    }
  });
});

/** Threshold, comparison, periods and seconds of each of seed 004 §8.3's twelve alarms. */
const TWELVE: [name: string, expected: Inputs][] = [
  ["WAFHighBlockRate", { metricName: "BlockedRequests", threshold: 100, evaluationPeriods: 1, period: 300 }],
  ["WAFAllowedRequestsDrop", { comparisonOperator: "LessThanLowerThreshold", evaluationPeriods: 2 }],
  ["HighErrorRate", { threshold: 5, evaluationPeriods: 2 }],
  [
    "HighLatency",
    { metricName: "TargetResponseTime", extendedStatistic: "p95", threshold: 3, evaluationPeriods: 2 },
  ],
  [
    "UnhealthyTargets",
    {
      metricName: "HealthyHostCount",
      comparisonOperator: "LessThanThreshold",
      threshold: 1,
      evaluationPeriods: 1,
      treatMissingData: "breaching",
    },
  ],
  ["High401Rate", { metricName: "Unauthorized", threshold: 50, period: 300 }],
  ["RDSHighCPU", { metricName: "CPUUtilization", threshold: 80, evaluationPeriods: 2 }],
  [
    "RDSLowStorage",
    {
      metricName: "FreeStorageSpace",
      comparisonOperator: "LessThanThreshold",
      threshold: 2_000_000_000,
      evaluationPeriods: 1,
    },
  ],
  ["RDSHighConnections", { metricName: "DatabaseConnections", threshold: 80, evaluationPeriods: 2 }],
  ["RDSHighLatency", { threshold: 0.1, evaluationPeriods: 3 }],
  ["RDSReplicationLag", { metricName: "ReplicaLag", threshold: 1, evaluationPeriods: 2 }],
  [
    "RDSBackupFailure",
    { comparisonOperator: "LessThanThreshold", threshold: 1, treatMissingData: "breaching" },
  ],
];

describe("the gateway", () => {
  test.each(TWELVE)("has the seed's alarm %s", (name, expected) => {
    expect(alarm(prod, `llmlite-${name}`)).toMatchObject({
      comparisonOperator: "GreaterThanThreshold",
      ...expected,
    });
  });

  test("has these twelve alarms and no others", () => {
    const names = alarms(prod).flatMap(({ inputs }) =>
      inputs.name.startsWith("llmlite-") ? [inputs.name] : [],
    );
    expect(names.sort()).toEqual(TWELVE.map(([name]) => `llmlite-${name}`).sort());
  });

  test("counts 401s in its own log and in LiteLLM's, and finished backups", () => {
    const filter = (name: string) =>
      only(prod, "aws:cloudwatch/logMetricFilter:LogMetricFilter", name).inputs;
    expect(filter("Unauthorized")).toMatchObject({
      logGroupName: "/ecs/llmlite-proxy",
      metricTransformation: { name: "Unauthorized", namespace: "CentralLLM" },
    });
    expect(filter("Unauthorized").pattern).toBe('?"\\"statusCode\\":401" ?"HTTP/1.1\\" 401"');
    expect(filter("DatabaseBackups").metricTransformation.name).toBe("DatabaseBackupFinished");
    const rule = only(prod, "aws:cloudwatch/eventRule:EventRule", "DatabaseBackupFinished").inputs;
    expect(JSON.parse(rule.eventPattern).detail.EventID).toEqual(["RDS-EVENT-0002"]);
  });

  test("has every widget of seed 004 §8.2, with things that exist", () => {
    const body = only(prod, "aws:cloudwatch/dashboard:Dashboard", "GatewayDashboard").inputs;
    expect(body.dashboardName).toBe("LLMLite-Dashboard");
    const { widgets } = JSON.parse(body.dashboardBody) as { widgets: Inputs[] };
    expect(widgets.map(({ properties }) => properties.title)).toEqual([
      "Request metrics",
      "Response time",
      "Container utilization",
      "WAF request summary",
      "Top blocked rules",
      "Block rate %",
      "RDS CPU and memory",
      "Database connections",
      "Query performance",
      "Storage",
      "Replication",
      "Bedrock requests per model",
      "Bedrock token usage",
      "Recent errors",
      "Database errors",
      "WAF blocks",
      "Top users by request count",
      "Top users by token usage",
      "Budget utilization",
    ]);
    const groups = ofType(prod, "aws:cloudwatch/logGroup:LogGroup").map(({ inputs }) => inputs.name);
    for (const { properties, type } of widgets) {
      if (type === "log") expect(groups).toContain(/SOURCE '([^']+)'/.exec(properties.query)?.[1]);
      else expect(properties.metrics.length, properties.title).toBeGreaterThan(0);
    }
    for (const [index, widget] of widgets.entries()) {
      const overlapping = widgets.slice(index + 1).filter(({ x, y }) => x === widget.x && y === widget.y);
      expect(overlapping).toEqual([]);
    }
  });

  test("has the queries of seed 004 §8.4 saved, on groups that exist", () => {
    const queries = ofType(prod, "aws:cloudwatch/queryDefinition:QueryDefinition").map(
      ({ inputs }) => inputs,
    );
    const groups = ofType(prod, "aws:cloudwatch/logGroup:LogGroup").map(({ inputs }) => inputs.name);
    for (const { logGroupNames } of queries) expect(groups).toContain(logGroupNames[0]);
    expect(queries.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        "llmlite/waf/top-blocked-ips",
        "llmlite/waf/top-triggered-rules",
        "llmlite/waf/false-positives",
        "llmlite/waf/block-rate-over-time",
        "llmlite/application/top-errors",
        "llmlite/application/top-users-by-requests",
        "llmlite/application/authentication-failures",
        "llmlite/application/rate-limited-requests",
        "llmlite/application/budget-exceeded",
        "llmlite/application/response-time-by-model",
        "llmlite/database/slow-queries",
        "llmlite/database/connection-errors",
        "llmlite/database/deadlocks",
      ]),
    );
  });
});
