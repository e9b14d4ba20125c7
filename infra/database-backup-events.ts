/** RDS says when a backup has finished (RDS-EVENT-0002); counted, silence becomes visible. */
import { database } from "./gateway-database.ts";
import { logGroup } from "./log-group.ts";
import { accountId, named } from "./stage.ts";

const events = logGroup("DatabaseEvents", `/aws/events/${named("llmlite-postgres")}`);
new aws.cloudwatch.LogResourcePolicy("DatabaseEventsPolicy", {
  policyName: named("llmlite-database-events"),
  policyDocument: aws.iam.getPolicyDocumentOutput({
    statements: [
      {
        principals: [
          { type: "Service", identifiers: ["events.amazonaws.com", "delivery.logs.amazonaws.com"] },
        ],
        actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
        resources: [$interpolate`${events.arn}:*`],
        conditions: [{ test: "StringEquals", variable: "aws:SourceAccount", values: [accountId] }],
      },
    ],
  }).json,
});
const finished = new aws.cloudwatch.EventRule("DatabaseBackupFinished", {
  name: named("llmlite-database-backup-finished"),
  eventPattern: $jsonStringify({
    source: ["aws.rds"],
    "detail-type": ["RDS DB Instance Event"],
    detail: { EventID: ["RDS-EVENT-0002"], SourceIdentifier: [database.identifier] },
  }),
});
new aws.cloudwatch.EventTarget("DatabaseBackupFinishedLog", { rule: finished.name, arn: events.arn });

export const backupFinished = { namespace: "CentralLLM", metricName: named("DatabaseBackupFinished") };
new aws.cloudwatch.LogMetricFilter("DatabaseBackups", {
  name: named("llmlite-database-backups"),
  logGroupName: events.name,
  pattern: '{ $.detail.EventID = "RDS-EVENT-0002" }',
  metricTransformation: { namespace: backupFinished.namespace, name: backupFinished.metricName, value: "1" },
});
