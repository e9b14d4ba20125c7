/** The stage that is being planned or deployed. */
import { placeholdersIn, settingsOf } from "./settings.ts";

export const settings = settingsOf($app.stage);

const unfilled = placeholdersIn(settings);
if (unfilled.length > 0 && !process.env.CENTRAL_LLM_PLAN) {
  throw new Error(
    `stage "${$app.stage}" cannot be deployed: fill in ${unfilled.join(", ")} in infra/stages.ts (docs/deploy.md)`,
  );
}

export const accountId = aws.getCallerIdentityOutput({}).accountId;
export const region = settings.region;
/** The two availability zones in use. */
export const zones = [`${region}a`, `${region}b`] as const;

/** A name in AWS: the seeds' own in prod, with the stage's suffix elsewhere. */
export const named = (name: string): string => `${name}${settings.suffix}`;

/** Bucket names are the world's: those that the seeds end in `{account-id}` get the account's number. */
export const bucketName = (name: string) => accountId.apply((id) => name.replace("{account-id}", id));

/** Options of whatever holds data: prod keeps it when it leaves the program, and refuses to replace it. */
export const holdsData = { protect: settings.production, retainOnDelete: settings.production };
