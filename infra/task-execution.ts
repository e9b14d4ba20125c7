/** What ECS itself does on a task's behalf before our code runs: pull its images, read its secrets, open its log. */
import { key } from "./encryption.ts";
import { type Right, serviceRole } from "./service-role.ts";

export function executionRole(
  logicalName: string,
  args: {
    repositories: aws.ecr.Repository[];
    logGroups: aws.cloudwatch.LogGroup[];
    secrets?: $util.Input<string>[];
    name?: string;
  },
) {
  const secrets: Right[] = args.secrets
    ? [
        { actions: ["secretsmanager:GetSecretValue"], resources: args.secrets },
        { actions: ["kms:Decrypt"], resources: [key.arn] },
      ]
    : [];
  return serviceRole(
    logicalName,
    "ecs-tasks.amazonaws.com",
    [
      // AWS has no narrower resource for the token; it opens only what the next statement allows.
      { actions: ["ecr:GetAuthorizationToken"], resources: ["*"] },
      {
        actions: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        resources: args.repositories.map((repository) => repository.arn),
      },
      {
        actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
        resources: args.logGroups.map((group) => $interpolate`${group.arn}:*`),
      },
      ...secrets,
    ],
    args.name ? { name: args.name } : {},
  );
}
