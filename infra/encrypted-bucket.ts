/** A bucket as all of ours are: private, TLS only, versioned, encrypted with the stage's key, never emptied by a deploy. */
import { key } from "./encryption.ts";
import { bucketName, holdsData } from "./stage.ts";

export interface EncryptedBucketArgs {
  name: string;
  /** S3's own key, for the one writer that cannot use ours (load balancer access logs). */
  awsManagedKey?: boolean;
  objectLock?: boolean;
  /** Days until Glacier, and days until the object is gone. A null leaves that step out. */
  lifecycle: { glacierAfterDays: number | null; expireAfterDays: number | null };
  policy?: sst.aws.BucketArgs["policy"];
}

export function encryptedBucket(logicalName: string, args: EncryptedBucketArgs): sst.aws.Bucket {
  const bucket = new sst.aws.Bucket(logicalName, {
    versioning: true,
    // SST allows every origin unless told otherwise.
    cors: false,
    ...(args.policy && { policy: args.policy }),
    // SST makes the lifecycle resource only when there is a rule; the transform below replaces them all.
    lifecycle: [{ id: "replaced", expiresIn: "1 day", enabled: false }],
    transform: {
      bucket: (resource, opts) => {
        resource.bucket = bucketName(args.name);
        // SST's default would delete what is in it together with the bucket.
        resource.forceDestroy = false;
        resource.objectLockEnabled = args.objectLock ?? false;
        Object.assign(opts, holdsData);
      },
      lifecycle: (resource) => {
        resource.rules = lifecycleRules(args);
      },
    },
  });
  new aws.s3.BucketServerSideEncryptionConfiguration(`${logicalName}Encryption`, {
    bucket: bucket.name,
    rules: [
      args.awsManagedKey
        ? { applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }
        : {
            // One data key for many objects: without it each audit object costs a call to KMS.
            bucketKeyEnabled: true,
            applyServerSideEncryptionByDefault: { sseAlgorithm: "aws:kms", kmsMasterKeyId: key.arn },
          },
    ],
  });
  return bucket;
}

function lifecycleRules({ lifecycle: { glacierAfterDays, expireAfterDays } }: EncryptedBucketArgs) {
  const abandoned = {
    id: "abandoned-uploads",
    status: "Enabled",
    filter: { prefix: "" },
    abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
  };
  const archive = {
    id: "archive-then-expire",
    status: "Enabled",
    filter: { prefix: "" },
    ...(glacierAfterDays !== null && { transitions: [{ days: glacierAfterDays, storageClass: "GLACIER" }] }),
    ...(expireAfterDays !== null && {
      expiration: { days: expireAfterDays },
      noncurrentVersionExpiration: { noncurrentDays: 30 },
    }),
  };
  return glacierAfterDays === null && expireAfterDays === null ? [abandoned] : [archive, abandoned];
}
