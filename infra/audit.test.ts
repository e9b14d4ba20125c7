import { DescribeTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { GetBucketNotificationConfigurationCommand, S3Client } from "@aws-sdk/client-s3";
import { GetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import * as Platform from "@central-llm/core/platform";
import { clientSettings, createAuditPlatform } from "@central-llm/local/audit-platform";
import { startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { describe, expect, test } from "vitest";
import { planOf } from "./plan/plan.ts";
import { ofType, only, type Plan, rightsOf, statementsOf } from "./plan/resource.ts";

const [prod, dev] = [await planOf("prod"), await planOf("dev")];
const both = [
  ["prod", prod],
  ["dev", dev],
] as const;

const policyOf = (plan: Plan, name: string) =>
  statementsOf(only(plan, "aws:s3/bucketPolicy:BucketPolicy", `${name}Policy`).inputs.policy);

describe.each(both)("the audit bucket of %s", (stage, plan) => {
  test("cannot be written over, nor deleted from by anybody but its lifecycle", () => {
    const statements = policyOf(plan, "AuditBucket");
    expect(statements).toContainEqual({
      Effect: "Deny",
      Principal: "*",
      Action: ["s3:PutObject"],
      Resource: [expect.stringMatching(/^arn:aws:s3:::central-llm-audit(-dev)?\/\*$/)],
      Condition: { Null: { "s3:if-none-match": ["true"] }, Bool: { "s3:ObjectCreationOperation": ["true"] } },
    });
    const noDeletes = statements.find(({ Action }) => Action.includes("s3:DeleteObject"));
    expect(noDeletes).toMatchObject({
      Effect: "Deny",
      Principal: "*",
      Action: ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"],
    });
    expect(noDeletes?.Condition).toBeUndefined();
  });

  test("moves to Glacier after 90 days and has an end", () => {
    const [rule] = only(
      plan,
      "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
      "AuditBucketLifecycle",
    ).inputs.rules;
    expect(rule.transitions).toEqual([{ days: 90, storageClass: "GLACIER" }]);
    expect(rule.expiration.days).toBe(stage === "prod" ? 2557 : 120);
    expect(rule.status).toBe("Enabled");
  });

  test("is never emptied by a deployment", () => {
    expect(only(plan, "aws:s3/bucket:Bucket", "AuditBucketBucket").inputs.forceDestroy).toBe(false);
  });
});

test("prod locks audit objects in compliance mode for as long as they live; dev does not", () => {
  const lock = only(prod, "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration").inputs;
  expect(lock).toMatchObject({
    bucket: "central-llm-audit",
    rule: { defaultRetention: { mode: "COMPLIANCE", days: 2557 } },
  });
  expect(only(prod, "aws:s3/bucket:Bucket", "AuditBucketBucket").inputs.objectLockEnabled).toBe(true);
  expect(only(dev, "aws:s3/bucket:Bucket", "AuditBucketBucket").inputs.objectLockEnabled).toBe(false);
  expect(ofType(dev, "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration")).toEqual([]);
});

test("prod protects and retains all that holds data, dev leaves no trace", () => {
  expect(prod.app).toMatchObject({ protect: true, removal: "retain" });
  expect(dev.app).toMatchObject({ protect: false, removal: "remove" });
  for (const type of [
    "aws:s3/bucket:Bucket",
    "aws:dynamodb/table:Table",
    "aws:rds/instance:Instance",
    "aws:kms/key:Key",
  ]) {
    for (const resource of ofType(prod, type)) {
      if (resource.name === "ConsoleAssetsBucket") continue; // holds copies of files in this repository
      expect(resource, resource.name).toMatchObject({ protect: true, retainOnDelete: true });
    }
    for (const { protect, name } of ofType(dev, type)) expect(protect, name).toBe(false);
  }
  expect(only(prod, "aws:dynamodb/table:Table").inputs.deletionProtectionEnabled).toBe(true);
});

test("prod records who reads audit objects; dev does not pay for that", () => {
  const trail = only(prod, "aws:cloudtrail/trail:Trail").inputs;
  expect(JSON.stringify(trail.advancedEventSelectors)).toContain("arn:aws:s3:::central-llm-audit/logs/");
  expect(trail.enableLogFileValidation).toBe(true);
  expect(ofType(dev, "aws:cloudtrail/trail:Trail")).toEqual([]);
});

describe.each(both)("the digests of %s", (stage, plan) => {
  const suffix = stage === "dev" ? "-dev" : "";
  const key = only(plan, "aws:kms/key:Key", "DigestKey");

  test("are signed by a key that signs and does nothing else, and that nobody but the account's IAM gives away", () => {
    expect(key.inputs).toMatchObject({ keyUsage: "SIGN_VERIFY", customerMasterKeySpec: "ECC_NIST_P256" });
    expect(statementsOf(key.inputs.policy).map(({ Principal }) => Principal)).toEqual([
      { AWS: ["arn:aws:iam::123456789012:root"] },
    ]);
    // Where `central-llm verify` looks for it.
    expect(only(plan, "aws:kms/alias:Alias", "DigestKeyAlias").inputs).toMatchObject({
      name: Platform.DIGEST_KEY_ALIAS + suffix,
      targetKeyId: key.inputs.keyId ?? expect.any(String),
    });
  });

  test("are made every hour, behind the quarter in which S3 may still show late objects", () => {
    const schedule = ofType(plan, "aws:scheduler/schedule:Schedule").find(({ name }) => /Digest/.test(name));
    expect(schedule?.inputs).toMatchObject({
      scheduleExpression: "cron(30 * * * ? *)",
      scheduleExpressionTimezone: "UTC",
      state: "ENABLED",
    });
    const fn = ofType(plan, "aws:lambda/function:Function").find(
      ({ inputs }) => inputs.name === Platform.DIGEST_FUNCTION + suffix,
    );
    expect(fn?.inputs.environment.variables).toMatchObject({
      SIGNING_KEY_ID: expect.stringMatching(/:key\/DigestKey-id$/),
      DIGEST_LOOK_BACK_DAYS: String(Platform.DIGEST.lookBackDays),
    });
  });

  test("can be signed by their function alone", () => {
    const signers = ofType(plan, "aws:iam/role:Role").filter((role) =>
      rightsOf(plan, role).statements.some(({ Action }) => Action.includes("kms:Sign")),
    );
    expect(signers.map(({ name }) => name)).toEqual(["DigestHandlerRole"]);
  });
});

describe.each(both)("the queue of %s", (_, plan) => {
  test("feeds the ingest function in batches, with answers for each message", () => {
    const queue = only(plan, "aws:sqs/queue:Queue", "IngestQueueQueue").inputs;
    const mapping = ofType(plan, "aws:lambda/eventSourceMapping:EventSourceMapping").find(({ inputs }) =>
      String(inputs.eventSourceArn).endsWith(`:${queue.name}`),
    );
    expect(mapping?.inputs).toMatchObject({
      eventSourceArn: expect.stringMatching(new RegExp(`:${queue.name}$`)),
      batchSize: 100,
      maximumBatchingWindowInSeconds: 1,
      functionResponseTypes: ["ReportBatchItemFailures"],
      scalingConfig: { maximumConcurrency: 10 },
    });
  });
});

describe("local and AWS", () => {
  test("have the same bucket, notification, queues and table", async () => {
    const endpoint = await startAwsEndpoint();
    try {
      const platform = await createAuditPlatform(endpoint);
      const settings = clientSettings(endpoint);
      const sqs = new SQSClient(settings);
      const attributes = async (QueueUrl: string) =>
        (await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }))).Attributes ??
        {};
      const [ingest, dead] = [
        await attributes(platform.ingestQueueUrl),
        await attributes(platform.deadLetterQueueUrl),
      ];
      const notification = await new S3Client(settings).send(
        new GetBucketNotificationConfigurationCommand({ Bucket: platform.bucket }),
      );
      const { Table } = await new DynamoDBClient(settings).send(
        new DescribeTableCommand({ TableName: platform.tableName }),
      );

      const queue = (name: string) => only(prod, "aws:sqs/queue:Queue", name).inputs;
      expect(only(prod, "aws:s3/bucket:Bucket", "AuditBucketBucket").inputs.bucket).toBe(platform.bucket);
      expect(only(prod, "aws:s3/bucket:Bucket", "RawArchiveBucketBucket").inputs.bucket).toBe(
        Platform.RAW_ARCHIVE_BUCKET,
      );
      expect(String(queue("IngestQueueQueue").visibilityTimeoutSeconds)).toBe(ingest.VisibilityTimeout);
      expect(String(queue("IngestQueueQueue").messageRetentionSeconds)).toBe(ingest.MessageRetentionPeriod);
      expect(String(queue("IngestDeadLettersQueue").messageRetentionSeconds)).toBe(
        dead.MessageRetentionPeriod,
      );
      expect(queue("IngestQueueQueue").name).toBe(ingest.QueueArn?.split(":").at(-1));
      expect(queue("IngestDeadLettersQueue").name).toBe(dead.QueueArn?.split(":").at(-1));
      const redrive = ({
        maxReceiveCount,
        deadLetterTargetArn,
      }: {
        maxReceiveCount: number;
        deadLetterTargetArn: string;
      }) => ({
        maxReceiveCount: Number(maxReceiveCount),
        to: deadLetterTargetArn.split(":").at(-1),
      });
      expect(redrive(JSON.parse(queue("IngestQueueQueue").redrivePolicy))).toEqual(
        redrive(JSON.parse(ingest.RedrivePolicy ?? "{}")),
      );

      const [local] = notification.QueueConfigurations ?? [];
      const [planned] = only(prod, "aws:s3/bucketNotification:BucketNotification").inputs.queues;
      const filter = Object.fromEntries(
        (local?.Filter?.Key?.FilterRules ?? []).map(({ Name, Value }) => [Name?.toLowerCase(), Value]),
      );
      expect({ prefix: planned.filterPrefix, suffix: planned.filterSuffix }).toEqual(filter);
      expect(planned.events).toEqual(local?.Events);

      expect(tableOf(prod)).toEqual({
        name: Table?.TableName,
        keys: Table?.KeySchema?.map(({ AttributeName }) => AttributeName),
        indexes: Object.fromEntries(
          (Table?.GlobalSecondaryIndexes ?? []).map((index) => [
            index.IndexName,
            [
              index.KeySchema?.map(({ AttributeName }) => AttributeName),
              index.Projection?.ProjectionType,
              [...(index.Projection?.NonKeyAttributes ?? [])].sort(),
            ],
          ]),
        ),
      });
    } finally {
      await endpoint.stop();
    }
  });

  test("give the table a time to live, point-in-time recovery and prices by use", () => {
    expect(only(prod, "aws:dynamodb/table:Table").inputs).toMatchObject({
      billingMode: "PAY_PER_REQUEST",
      ttl: { attributeName: "expiresAt", enabled: true },
      pointInTimeRecovery: { enabled: true, recoveryPeriodInDays: 35 },
    });
  });
});

function tableOf(plan: Plan) {
  const { inputs } = only(plan, "aws:dynamodb/table:Table");
  const keys = (of: { hashKey: string; rangeKey?: string }) => [of.hashKey, of.rangeKey].filter(Boolean);
  return {
    name: inputs.name,
    keys: keys(inputs as { hashKey: string }),
    indexes: Object.fromEntries(
      inputs.globalSecondaryIndexes.map(
        (index: { name: string; hashKey: string; projectionType: string; nonKeyAttributes?: string[] }) => [
          index.name,
          [keys(index), index.projectionType, [...(index.nonKeyAttributes ?? [])].sort()],
        ],
      ),
    ),
  };
}
