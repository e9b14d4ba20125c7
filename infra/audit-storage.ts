/** Where the truth is: one object per request, written once, never changed, deleted by nobody but the lifecycle. */
import { encryptedBucket } from "./encrypted-bucket.ts";
import { settings } from "./stage.ts";

const { audit } = settings;
const lifecycle = { glacierAfterDays: audit.glacierAfterDays, expireAfterDays: audit.expireAfterDays };

export const bucket = encryptedBucket("AuditBucket", {
  name: audit.bucket,
  objectLock: audit.objectLockDays !== null,
  lifecycle,
  policy: [
    {
      // An upload without `If-None-Match: *` could replace an object. AWS's page "Enforce conditional writes" gives
      // this pair: the second condition spares the parts of a multipart upload, which carry no such header.
      effect: "deny",
      principals: "*",
      actions: ["s3:PutObject"],
      paths: ["*"],
      conditions: [
        { test: "Null", variable: "s3:if-none-match", values: ["true"] },
        { test: "Bool", variable: "s3:ObjectCreationOperation", values: ["true"] },
      ],
    },
    {
      // A bucket's policy does not bind its own lifecycle, so this leaves the lifecycle as the only one that deletes.
      effect: "deny",
      principals: "*",
      actions: ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"],
      paths: ["*"],
    },
  ],
});

if (audit.objectLockDays !== null) {
  new aws.s3.BucketObjectLockConfiguration("AuditBucketLock", {
    bucket: bucket.name,
    rule: { defaultRetention: { mode: "COMPLIANCE", days: audit.objectLockDays } },
  });
}

/** Seed 001 §1.5: copies for the long term, e.g. of what an old installation wrote. */
export const rawArchive = encryptedBucket("RawArchiveBucket", { name: audit.rawArchiveBucket, lifecycle });

/** Seed 004 §3.2: spend reports; only administrators may read them, by IAM. */
export const costTracking = encryptedBucket("CostTrackingBucket", {
  name: audit.costTrackingBucket,
  lifecycle: { glacierAfterDays: null, expireAfterDays: audit.expireAfterDays },
});
