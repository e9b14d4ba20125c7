import { describe, expect, test } from "vitest";
import { planOf } from "./plan/plan.ts";
import { type Inputs, ofType, only, type Plan } from "./plan/resource.ts";

const [prod, dev] = [await planOf("prod"), await planOf("dev")];
const alarm = (plan: Plan, name: string): Inputs =>
  ofType(plan, "aws:cloudwatch/metricAlarm:MetricAlarm").find(({ inputs }) => inputs.name === name)?.inputs ??
  {};

describe("the central path", () => {
  test("has an alarm for missing tasks, failing functions, dead letters and missing audit objects", () => {
    expect(alarm(prod, "central-llm-tasks-missing").metricQueries).toContainEqual(
      expect.objectContaining({ expression: "desired - running", returnData: true }),
    );
    expect(alarm(prod, "llm-audit-ingest-errors")).toMatchObject({ metricName: "Errors", threshold: 0 });
    expect(alarm(prod, "llm-audit-reconcile-errors")).toMatchObject({ metricName: "Errors", threshold: 0 });
    expect(alarm(prod, "llm-audit-dlq-not-empty")).toMatchObject({
      metricName: "ApproximateNumberOfMessagesVisible",
      dimensions: { QueueName: "llm-audit-dlq" },
      threshold: 0,
    });
    for (const name of ["digest", "replay"]) {
      expect(alarm(prod, `llm-audit-${name}-errors`)).toMatchObject({
        metricName: "Errors",
        dimensions: { FunctionName: `llm-audit-${name}` },
        threshold: 0,
      });
    }
    // Its metric's name is packages/functions/src/digest.ts's. A function that is not called must not stay unseen.
    expect(alarm(prod, "llm-audit-digests-late")).toMatchObject({
      metricName: "DigestHoursBehind",
      dimensions: { service: "llm-audit-digest" },
      threshold: 0,
      treatMissingData: "breaching",
    });
    // The names that packages/functions/src/reconcile.ts gives its metrics.
    for (const [name, metricName] of [
      ["llm-audit-objects-missing", "AuditMissing"],
      ["llm-audit-writers-silent", "AuditSilentWriters"],
    ] as const) {
      expect(alarm(prod, name)).toMatchObject({
        namespace: "CentralLLM",
        metricName,
        dimensions: { service: "llm-audit-reconcile" },
        threshold: 0,
      });
    }
  });

  test("has an alarm for a card that hangs while requests run, where there is a card", () => {
    const { metricQueries } = alarm(prod, "central-llm-gpu-hung");
    expect(metricQueries.map((query: Inputs) => query.metric?.metricName ?? query.expression)).toEqual([
      "IF(requests > 0 AND busy < 1, 1, 0)",
      "vllm:num_requests_running",
      "DCGM_FI_DEV_GPU_UTIL",
    ]);
    expect(alarm(dev, "central-llm-gpu-hung-dev")).toEqual({});
  });

  test("has the dashboard central-llm-ops with traffic, the card, the queue and tokens per second", () => {
    const body = only(prod, "aws:cloudwatch/dashboard:Dashboard", "CentralDashboard").inputs;
    expect(body.dashboardName).toBe("central-llm-ops");
    const titles = JSON.parse(body.dashboardBody).widgets.map(({ properties }: Inputs) => properties.title);
    expect(titles).toEqual(
      expect.arrayContaining([
        "Requests",
        "Errors",
        "Latency",
        "GPU utilisation %",
        "GPU memory, MB",
        "Model queue",
        "Tokens per second",
      ]),
    );
  });

  test("counts the model's errors in the proxy's log", () => {
    const { inputs } = only(
      prod,
      "aws:cloudwatch/logMetricFilter:LogMetricFilter",
      "CentralUpstreamFailures",
    );
    expect(inputs).toMatchObject({
      logGroupName: "/ecs/central-llm-service",
      pattern: '{ $.msg = "The upstream failed" }',
      metricTransformation: { name: "LlmErrors" },
    });
  });
});
