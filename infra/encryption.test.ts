import { describe, expect, test } from "vitest";
import { planOf } from "./plan/plan.ts";
import { ofType, only, statementsOf } from "./plan/resource.ts";

const plans = [
  ["prod", await planOf("prod")],
  ["dev", await planOf("dev")],
] as const;
const KEY = /:kms:.*:key\/DataKey-id$/;
/** Buckets whose one writer or reader cannot use a key of ours; S3's own key protects them. */
const WITHOUT_OUR_KEY = ["AccessLogBucketBucket", "ConsoleAssetsBucket"];

describe.each(plans)("at rest in %s", (_, plan) => {
  test("one key turns over every year and can be used by this account's services only", () => {
    const { inputs } = only(plan, "aws:kms/key:Key", "DataKey");
    expect(inputs).toMatchObject({ enableKeyRotation: true, rotationPeriodInDays: 365 });
    for (const statement of statementsOf(inputs.policy)) {
      const { AWS, Service } = statement.Principal as { AWS?: string[]; Service?: string[] };
      if (AWS) expect(AWS).toEqual(["arn:aws:iam::123456789012:root"]);
      else {
        expect(Service?.length).toBeGreaterThan(0);
        expect(JSON.stringify(statement.Condition)).toContain("123456789012");
      }
    }
  });

  test("every bucket is encrypted, all but two with our key, versioned and for TLS only", () => {
    const rules = ofType(
      plan,
      "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    );
    const versioned = ofType(plan, "aws:s3/bucketVersioning:BucketVersioning").map(
      ({ inputs }) => inputs.bucket,
    );
    const policies = ofType(plan, "aws:s3/bucketPolicy:BucketPolicy");
    for (const bucket of ofType(plan, "aws:s3/bucket:Bucket")) {
      const name = bucket.inputs.bucket ?? bucket.name;
      const rule = rules.find(({ inputs }) => inputs.bucket === name)?.inputs.rules[0];
      const byDefault = rule?.applyServerSideEncryptionByDefault;
      if (WITHOUT_OUR_KEY.includes(bucket.name)) expect(byDefault?.sseAlgorithm).toBe("AES256");
      else {
        expect(byDefault?.sseAlgorithm, bucket.name).toBe("aws:kms");
        expect(byDefault?.kmsMasterKeyId).toMatch(KEY);
        expect(rule.bucketKeyEnabled).toBe(true);
      }
      expect(versioned, bucket.name).toContain(name);
      const policy = policies.find(({ inputs }) => inputs.bucket === name);
      expect(statementsOf(policy?.inputs.policy)).toContainEqual(
        expect.objectContaining({
          Effect: "Deny",
          Principal: "*",
          Action: ["s3:*"],
          Condition: { Bool: { "aws:SecureTransport": ["false"] } },
        }),
      );
    }
  });

  test("every log group has our key and an end", () => {
    const groups = ofType(plan, "aws:cloudwatch/logGroup:LogGroup");
    expect(groups.length).toBeGreaterThan(15);
    for (const { name, inputs } of groups) {
      expect(inputs.kmsKeyId, name).toMatch(KEY);
      expect(inputs.retentionInDays, name).toBe(plan.stage === "prod" ? 90 : 7);
    }
  });

  test("every queue, topic, table, database, volume, image and secret has a key", () => {
    for (const { name, inputs } of ofType(plan, "aws:sqs/queue:Queue"))
      expect(inputs.kmsMasterKeyId, name).toMatch(KEY);
    for (const { name, inputs } of ofType(plan, "aws:sns/topic:Topic"))
      expect(inputs.kmsMasterKeyId, name).toMatch(KEY);
    const table = only(plan, "aws:dynamodb/table:Table").inputs.serverSideEncryption;
    expect(table).toEqual({ enabled: true, kmsKeyArn: expect.stringMatching(KEY) });
    expect(only(plan, "aws:rds/instance:Instance").inputs).toMatchObject({
      storageEncrypted: true,
      kmsKeyId: expect.stringMatching(KEY),
      performanceInsightsKmsKeyId: expect.stringMatching(KEY),
      masterUserSecretKmsKeyId: expect.stringMatching(KEY),
    });
    for (const { inputs } of ofType(plan, "aws:ec2/launchTemplate:LaunchTemplate")) {
      for (const { ebs } of inputs.blockDeviceMappings) expect(ebs.encrypted).toBe("true");
    }
    for (const { inputs } of ofType(plan, "aws:ecr/repository:Repository")) {
      expect(inputs.encryptionConfigurations).toEqual([
        { encryptionType: "KMS", kmsKey: expect.stringMatching(KEY) },
      ]);
    }
    for (const { inputs } of ofType(plan, "aws:secretsmanager/secret:Secret"))
      expect(inputs.kmsKeyId).toMatch(KEY);
    for (const { inputs } of ofType(plan, "aws:lambda/function:Function")) {
      if (/^llm-audit/.test(inputs.name)) expect(inputs.kmsKeyArn).toMatch(KEY);
    }
    expect(only(plan, "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream").inputs).toMatchObject({
      serverSideEncryption: { keyArn: expect.stringMatching(KEY) },
    });
  });
});
