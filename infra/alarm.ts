/** An alarm as all of ours are: it tells the one topic, when it starts and when it is over. */
import { key } from "./encryption.ts";
import { accountId, named, settings } from "./stage.ts";

export const topic = new aws.sns.Topic("Alarms", {
  name: named("central-llm-alarms"),
  kmsMasterKeyId: key.arn,
});
new aws.sns.TopicSubscription("AlarmsMail", {
  topic: topic.arn,
  protocol: "email",
  endpoint: settings.alarmEmail,
});
new aws.sns.TopicPolicy("AlarmsPolicy", {
  arn: topic.arn,
  policy: aws.iam.getPolicyDocumentOutput({
    statements: [
      {
        sid: "AlarmsAndRulesOfThisAccount",
        principals: [{ type: "Service", identifiers: ["cloudwatch.amazonaws.com", "events.amazonaws.com"] }],
        actions: ["sns:Publish"],
        resources: [topic.arn],
        conditions: [{ test: "StringEquals", variable: "aws:SourceAccount", values: [accountId] }],
      },
    ],
  }).json,
});

export interface Metric {
  namespace: string;
  metricName: string;
  dimensions?: Record<string, $util.Input<string>>;
  /** `Sum`, `Average`, `Maximum`, `Minimum`, or a percentile such as `p95`. */
  statistic: string;
  /** Seconds. */
  period: number;
}

/** A number worked out of several metrics (CloudWatch metric math). */
export interface Formula {
  expression: string;
  metrics: Record<string, Metric>;
}

export interface AlarmArgs {
  name: string;
  /** What it means and what to do, for whoever gets the mail. */
  description: string;
  metric: Metric | Formula;
  threshold: { above: number } | { below: number } | { belowUsual: number };
  periods: number;
  /** Default: no data is no alarm. */
  missingData?: "breaching" | "notBreaching" | "ignore";
}

const isFormula = (metric: Metric | Formula): metric is Formula => "expression" in metric;

/** What one metric is called inside a formula. */
function ingredient(id: string, { statistic: stat, ...metric }: Metric, returnData: boolean) {
  return { id, metric: { ...metric, stat }, returnData };
}

export function alarm(logicalName: string, args: AlarmArgs) {
  return new aws.cloudwatch.MetricAlarm(logicalName, {
    name: named(args.name),
    alarmDescription: args.description,
    evaluationPeriods: args.periods,
    datapointsToAlarm: args.periods,
    treatMissingData: args.missingData ?? "notBreaching",
    alarmActions: [topic.arn],
    okActions: [topic.arn],
    ...condition(args),
  });
}

function condition({ metric, threshold }: AlarmArgs) {
  if ("belowUsual" in threshold) {
    if (isFormula(metric)) throw new Error("an alarm on what is usual takes one metric");
    return {
      comparisonOperator: "LessThanLowerThreshold",
      thresholdMetricId: "usual",
      metricQueries: [
        ingredient("m1", metric, true),
        { id: "usual", expression: `ANOMALY_DETECTION_BAND(m1, ${threshold.belowUsual})`, returnData: true },
      ],
    };
  }
  const compared =
    "above" in threshold
      ? { comparisonOperator: "GreaterThanThreshold", threshold: threshold.above }
      : { comparisonOperator: "LessThanThreshold", threshold: threshold.below };
  if (isFormula(metric)) {
    return {
      ...compared,
      metricQueries: [
        { id: "result", expression: metric.expression, label: "result", returnData: true },
        ...Object.entries(metric.metrics).map(([id, one]) => ingredient(id, one, false)),
      ],
    };
  }
  const { statistic, ...rest } = metric;
  return {
    ...compared,
    ...rest,
    ...(/^p\d/.test(statistic) ? { extendedStatistic: statistic } : { statistic }),
  };
}
