/** The arguments of a function as all of ours are: Node 24 on ARM, own encrypted log group, named rights only. */
import { key } from "./encryption.ts";
import type { LambdaFunction } from "./lambda-functions.ts";
import { logGroup } from "./log-group.ts";
import type { Right } from "./service-role.ts";
import { named, settings } from "./stage.ts";

export function lambdaFunction(
  declared: LambdaFunction,
  environment: Record<string, $util.Input<string>>,
  rights: Right[],
): sst.aws.FunctionArgs {
  const label = declared.name.replace(/(^|-)(\w)/g, (_, __, letter: string) => letter.toUpperCase());
  const logs = logGroup(`${label}Logs`, `/aws/lambda/${named(declared.name)}`);
  return {
    name: named(declared.name),
    handler: declared.handler,
    runtime: "nodejs24.x",
    architecture: "arm64",
    timeout: `${declared.timeoutSeconds} seconds`,
    memory: `${declared.memoryMb} MB`,
    environment: {
      ...environment,
      POWERTOOLS_LOG_LEVEL: settings.production ? "INFO" : "DEBUG",
    },
    permissions: [
      ...rights,
      { actions: ["logs:CreateLogStream", "logs:PutLogEvents"], resources: [$interpolate`${logs.arn}:*`] },
    ],
    logging: { logGroup: logs.name, format: "json" },
    transform: {
      // AWSLambdaBasicExecutionRole would allow any log group of the account.
      role: (role) => {
        role.managedPolicyArns = [];
      },
      function: (args) => {
        args.kmsKeyArn = key.arn;
      },
    },
  };
}
