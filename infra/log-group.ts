/** A log group as all of ours are: kept for the stage's retention, encrypted with the stage's key. */
import { key } from "./encryption.ts";
import { settings } from "./stage.ts";

export function logGroup(
  logicalName: string,
  name: $util.Input<string>,
  opts?: $util.ComponentResourceOptions,
) {
  return new aws.cloudwatch.LogGroup(
    logicalName,
    { name, retentionInDays: settings.logRetentionDays, kmsKeyId: key.arn },
    opts,
  );
}
