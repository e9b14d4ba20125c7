/** What calling the gateway's models takes of AWS. */
import type { BedrockModel } from "./gateway-models.ts";
import type { Right } from "./service-role.ts";

const INVOKE = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"];
/** Of an inference profile: the geography in front of the model's id. */
const PROFILE = /^(?:us-gov|us|eu|apac|au|jp|ca|global)\.(.+)$/;

/**
 * Rights to call these models and no others. Calls of an inference profile go to the same model in regions that AWS chooses, so that
 * those are allowed too, but by way of the profile alone.
 * Source: https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html
 */
export function bedrockRights(models: readonly BedrockModel[], accountId: $util.Input<string>): Right[] {
  const arn = ({ region, modelId }: BedrockModel) => `arn:aws:bedrock:${region}::foundation-model/${modelId}`;
  const direct = models.filter(({ modelId }) => !PROFILE.test(modelId) && !modelId.startsWith("arn:"));
  const profiled = models.filter((model) => !direct.includes(model));
  return [
    ...(direct.length > 0 ? [{ actions: INVOKE, resources: direct.map(arn) }] : []),
    ...profiled.flatMap(({ modelId, region }) => {
      const [, model = "*"] = PROFILE.exec(modelId) ?? [];
      const profile = modelId.startsWith("arn:")
        ? modelId
        : $interpolate`arn:aws:bedrock:${region}:${accountId}:inference-profile/${modelId}`;
      return [
        { actions: INVOKE, resources: [profile] },
        {
          actions: INVOKE,
          // Global profiles' models have no region in their ARN.
          resources: ["*", ""].map((anywhere) => `arn:aws:bedrock:${anywhere}::foundation-model/${model}`),
          conditions: [{ test: "StringEquals", variable: "bedrock:InferenceProfileArn", values: [profile] }],
        },
      ];
    }),
  ];
}

/** Tokens are counted by the foundation model itself, in the profile's own region. */
export function countingRights(models: readonly BedrockModel[]): Right[] {
  const resources = models
    .filter(({ modelId }) => !modelId.startsWith("arn:"))
    .map(
      ({ region, modelId }) =>
        `arn:aws:bedrock:${region}::foundation-model/${PROFILE.exec(modelId)?.[1] ?? modelId}`,
    );
  return resources.length > 0 ? [{ actions: ["bedrock:CountTokens"], resources }] : [];
}
