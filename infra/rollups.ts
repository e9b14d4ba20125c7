/** What charts and facets are made of: every minute the function counts the rows that came (docs/decisions/rollups.md). */
import { alarm } from "./alarm.ts";
import { table } from "./audit-table.ts";
import { key } from "./encryption.ts";
import { lambdaFunction } from "./lambda-function.ts";
import { LAMBDA_FUNCTIONS } from "./lambda-functions.ts";
import { named } from "./stage.ts";

const { rollup } = LAMBDA_FUNCTIONS;

/** Items of the audit table that are rollups, and no others. */
const rollupItems = [
  { test: "ForAllValues:StringLike", variable: "dynamodb:LeadingKeys", values: ["rollup#*"] },
];

new sst.aws.CronV2("Rollup", {
  schedule: "rate(1 minute)",
  function: {
    ...lambdaFunction(rollup, { TABLE_NAME: table.name }, [
      { actions: ["dynamodb:Query"], resources: [table.arn, $interpolate`${table.arn}/index/*`] },
      {
        actions: [
          "dynamodb:GetItem",
          "dynamodb:BatchGetItem",
          "dynamodb:PutItem",
          "dynamodb:BatchWriteItem",
          "dynamodb:DeleteItem",
        ],
        resources: [table.arn],
        conditions: rollupItems,
      },
      { actions: ["kms:Decrypt", "kms:GenerateDataKey"], resources: [key.arn] },
    ]),
    // Of two runs at once, the slower could put back an older count.
    concurrency: { reserved: 1 },
  },
});

alarm("RollupErrors", {
  name: `${rollup.name}-errors`,
  description: "Charts and totals of the console fall behind; the next run makes up for it.",
  metric: {
    namespace: "AWS/Lambda",
    metricName: "Errors",
    dimensions: { FunctionName: named(rollup.name) },
    statistic: "Sum",
    period: 900,
  },
  threshold: { above: 3 },
  periods: 1,
});
