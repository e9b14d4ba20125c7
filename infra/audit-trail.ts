/** Who read which audit object: CloudTrail data events, a switch of the stage (seed 004 §6.9). */
import { AUDIT_PREFIX } from "@central-llm/core/platform";
import { bucket } from "./audit-storage.ts";
import { encryptedBucket } from "./encrypted-bucket.ts";
import { key } from "./encryption.ts";
import { accountId, bucketName, named, region, settings } from "./stage.ts";

if (settings.audit.dataEvents) {
  const trailName = named("central-llm-audit-access");
  const trailArn = $interpolate`arn:aws:cloudtrail:${region}:${accountId}:trail/${trailName}`;
  const ofTrail = { test: "StringEquals", variable: "aws:SourceArn", values: [trailArn] };
  const name = `central-llm-trail${settings.suffix}-${region}-{account-id}`;
  const logs = encryptedBucket("TrailBucket", {
    name,
    lifecycle: {
      glacierAfterDays: settings.audit.glacierAfterDays,
      expireAfterDays: settings.audit.expireAfterDays,
    },
    policy: [
      {
        principals: [{ type: "service", identifiers: ["cloudtrail.amazonaws.com"] }],
        actions: ["s3:GetBucketAcl"],
        paths: [""],
        conditions: [ofTrail],
      },
      {
        principals: [{ type: "service", identifiers: ["cloudtrail.amazonaws.com"] }],
        actions: ["s3:PutObject"],
        paths: [$interpolate`AWSLogs/${accountId}/*`],
        conditions: [
          ofTrail,
          { test: "StringEquals", variable: "s3:x-amz-acl", values: ["bucket-owner-full-control"] },
        ],
      },
    ],
  });
  new aws.cloudtrail.Trail(
    "AuditAccessTrail",
    {
      name: trailName,
      s3BucketName: bucketName(name),
      kmsKeyId: key.arn,
      enableLogFileValidation: true,
      isMultiRegionTrail: false,
      includeGlobalServiceEvents: false,
      advancedEventSelectors: [
        {
          name: "Reads and deletes of audit objects",
          fieldSelectors: [
            { field: "eventCategory", equals: ["Data"] },
            { field: "resources.type", equals: ["AWS::S3::Object"] },
            { field: "resources.ARN", startsWiths: [$interpolate`${bucket.arn}/${AUDIT_PREFIX}/`] },
          ],
        },
        {
          name: "Changes to the account",
          fieldSelectors: [{ field: "eventCategory", equals: ["Management"] }],
        },
      ],
    },
    { dependsOn: [logs] },
  );
}
