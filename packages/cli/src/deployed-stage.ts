/** Names of a deployed stage's parts: the seeds' in prod and its two halves, with the stage's suffix elsewhere. */

/** @see infra/stages.ts `suffix`; a test there compares the two */
export const suffixOf = (stage: string): string => (/^prod(-|$)/.test(stage) ? "" : `-${stage}`);

export function deployedStage(stage: string) {
  const named = (name: string) => name + suffixOf(stage);
  return {
    central: {
      cluster: named("central-llm-service-cluster"),
      service: named("central-llm-service"),
      targetGroup: named("central-llm-service"),
      /** The `Name` tag of GPU hosts. */
      host: named("central-llm-ec2"),
    },
    logGroups: {
      central: `/ecs/${named("central-llm-service")}`,
      gateway: `/ecs/${named("llmlite-proxy")}`,
      ingest: `/aws/lambda/${named("llm-audit-ingest")}`,
      api: `/aws/apigateway/${named("central-llm-rest-api")}/${stage}`,
    },
  };
}
export type DeployedStage = ReturnType<typeof deployedStage>;
