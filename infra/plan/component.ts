/** Which part of the platform a resource belongs to, for people who read a plan. */
import type { Resource } from "./resource.ts";

/** The first rule that matches the logical name or the type decides. Order is from the particular to the general. */
const RULES: [component: string, rule: RegExp][] = [
  [
    "alarms and dashboards",
    /MetricAlarm|Dashboard$|LogMetricFilter|QueryDefinition|:Alarms|InsightsLogs|DatabaseEvents|DatabaseBackup/,
  ],
  ["image build", /(Proxy|Model)(Repository|Lifecycle|Build)/],
  ["web firewall", /Firewall|WebAcl|TrustedIps/],
  ["gateway database", /Database(?!Subnet[AB]|Routes|Acl)|Password|Rotation|RdsGroup/],
  [
    "gateway",
    /Gateway(?!NatGateway)(?!.*natGateway)|MasterKey|AlbGroup|Alb(From|To)|FargateGroup|Tasks(From|To)|AccessLogBucket/,
  ],
  ["central", /Central|API_?Gateway|apigateway\/|NlbGroup/],
  ["console", /Console|cloudfront|apigatewayv2|cognito|:(Export|Rollup)|LlmAudit(Api|Export|Rollup)/],
  ["schedules", /Reconcile|Digest(?!s)/],
  ["audit ingest", /Ingest|LlmAudit|NewAuditObject|Replay/],
  ["audit table", /AuditTable/],
  ["audit storage", /AuditBucket|RawArchive|CostTracking|Trail/],
  ["encryption", /DataKey/],
  [
    "network",
    /:(Vpc|.*Subnet|.*Routes|Internet|Nat|DefaultGroup|FlowLog|S3Endpoint|DynamoDbEndpoint|Endpoint)/,
  ],
];

/** SST's and Pulumi's own bookkeeping, which is nothing in AWS. */
const BOOKKEEPING = /^(pulumi|sst|central-llm):|^pulumi-nodejs:|^random:|^command:/;

export const isBookkeeping = (resource: Resource): boolean =>
  !resource.custom || BOOKKEEPING.test(resource.type);

/** @returns "other" when no rule fits: a test keeps that from happening */
export function componentOf(resource: Resource): string {
  const subject = `${resource.type}:${resource.name}`;
  // An internet gateway and a NAT gateway are no gateway of ours.
  if (
    /aws:ec2\/(internetGateway|natGateway|eip|vpc|subnet|route|networkAcl|flowLog|vpcEndpoint|default)/i.test(
      subject,
    )
  ) {
    return "network";
  }
  return RULES.find(([, rule]) => rule.test(subject))?.[0] ?? "other";
}

/** What a reader wants to know of a resource beside its name: a size, a class, a limit. */
export function sizeOf({ type, inputs }: Resource): string {
  const sizes: Record<string, () => unknown> = {
    "aws:rds/instance:Instance": () =>
      `${inputs.instanceClass}, ${inputs.allocatedStorage} GB${inputs.multiAz ? ", Multi-AZ" : ""}`,
    "aws:ec2/launchTemplate:LaunchTemplate": () => inputs.instanceType,
    "aws:ecs/service:Service": () => `${inputs.desiredCount} tasks`,
    "aws:ecs/taskDefinition:TaskDefinition": () =>
      inputs.cpu ? `${Number(inputs.cpu) / 1024} vCPU, ${Number(inputs.memory) / 1024} GB` : "on its host",
    "aws:autoscaling/group:Group": () => `${inputs.minSize} to ${inputs.maxSize} hosts`,
    "aws:appautoscaling/target:Target": () => `${inputs.minCapacity} to ${inputs.maxCapacity} tasks`,
    "aws:lambda/function:Function": () => `${inputs.memorySize} MB, ${inputs.timeout} s`,
    "aws:ec2/subnet:Subnet": () => inputs.cidrBlock,
    "aws:ec2/vpc:Vpc": () => inputs.cidrBlock,
    "aws:cloudwatch/logGroup:LogGroup": () => `${inputs.retentionInDays} days`,
    "aws:apigateway/usagePlan:UsagePlan": () =>
      `${inputs.throttleSettings.rateLimit}/s, burst ${inputs.throttleSettings.burstLimit}, ${inputs.quotaSettings.limit} a ${inputs.quotaSettings.period}`,
    "aws:codebuild/project:Project": () => inputs.environment.computeType,
  };
  return String(sizes[type]?.() ?? "");
}

/** The name in AWS, or the logical one where AWS gives none or Pulumi makes one up. */
export function nameOf({ name, inputs }: Resource): string {
  return inputs.name ?? inputs.bucket ?? inputs.identifier ?? inputs.family ?? inputs.dashboardName ?? name;
}
