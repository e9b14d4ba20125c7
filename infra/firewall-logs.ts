/** The firewall's record (seed 004 §4.1): CloudWatch for questions, a bucket for the long term, keys redacted. */
import { encryptedBucket } from "./encrypted-bucket.ts";
import { key } from "./encryption.ts";
import { logGroup } from "./log-group.ts";
import { serviceRole } from "./service-role.ts";
import { accountId, named, region, settings } from "./stage.ts";
import { webAcl } from "./web-firewall.ts";

// An access list writes to one place only: to the log group, which hands a copy to the bucket through Firehose.
export const firewallLogs = logGroup("FirewallLogs", `aws-waf-logs-${named("llmlite")}`);
new aws.cloudwatch.LogResourcePolicy("FirewallLogsPolicy", {
  policyName: named("llmlite-waf-logs"),
  policyDocument: aws.iam.getPolicyDocumentOutput({
    statements: [
      {
        principals: [{ type: "Service", identifiers: ["delivery.logs.amazonaws.com"] }],
        actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
        resources: [$interpolate`${firewallLogs.arn}:*`],
        conditions: [{ test: "StringEquals", variable: "aws:SourceAccount", values: [accountId] }],
      },
    ],
  }).json,
});
new aws.wafv2.WebAclLoggingConfiguration("FirewallLogging", {
  resourceArn: webAcl.arn,
  logDestinationConfigs: [firewallLogs.arn],
  // Virtual keys must not appear in logs.
  redactedFields: ["authorization", "x-api-key", "cookie"].map((name) => ({ singleHeader: { name } })),
});

const archive = encryptedBucket("FirewallLogBucket", {
  name: settings.audit.wafLogBucket,
  lifecycle: {
    glacierAfterDays: settings.audit.glacierAfterDays,
    expireAfterDays: settings.audit.expireAfterDays,
  },
});
const deliveryLogs = logGroup("FirewallDeliveryLogs", `/aws/kinesisfirehose/${named("llmlite-waf-logs")}`);
const deliveryRole = serviceRole("FirewallDeliveryRole", "firehose.amazonaws.com", [
  {
    actions: ["s3:PutObject", "s3:AbortMultipartUpload", "s3:GetBucketLocation", "s3:ListBucket"],
    resources: [archive.arn, $interpolate`${archive.arn}/*`],
  },
  { actions: ["kms:Decrypt", "kms:GenerateDataKey"], resources: [key.arn] },
  { actions: ["logs:PutLogEvents"], resources: [$interpolate`${deliveryLogs.arn}:*`] },
]);
const delivery = new aws.kinesis.FirehoseDeliveryStream("FirewallDelivery", {
  name: named("llmlite-waf-logs"),
  destination: "extended_s3",
  serverSideEncryption: { enabled: true, keyType: "CUSTOMER_MANAGED_CMK", keyArn: key.arn },
  extendedS3Configuration: {
    roleArn: deliveryRole.arn,
    bucketArn: archive.arn,
    kmsKeyArn: key.arn,
    bufferingInterval: 300,
    bufferingSize: 64,
    // CloudWatch hands its events over compressed already.
    compressionFormat: "UNCOMPRESSED",
    cloudwatchLoggingOptions: { enabled: true, logGroupName: deliveryLogs.name, logStreamName: "delivery" },
  },
});
const subscriptionRole = serviceRole("FirewallSubscriptionRole", `logs.${region}.amazonaws.com`, [
  { actions: ["firehose:PutRecord", "firehose:PutRecordBatch"], resources: [delivery.arn] },
]);
new aws.cloudwatch.LogSubscriptionFilter("FirewallToArchive", {
  logGroup: firewallLogs.name,
  filterPattern: "",
  destinationArn: delivery.arn,
  roleArn: subscriptionRole.arn,
});
