/** Seed 004 §5.2, and the same idea for the central path: each tier takes connections from the tier before it only. */
import { PORTS } from "@central-llm/core/platform";
import { vpc } from "./network.ts";
import { named, settings } from "./stage.ts";

type Peer = { cidrBlocks: string[] } | { securityGroups: $util.Input<string>[] };
const tcp = (port: number, description: string, peer: Peer) => ({
  protocol: "tcp",
  fromPort: port,
  toPort: port,
  description,
  ...peer,
});
const everywhere = { cidrBlocks: ["0.0.0.0/0"] };
const DATABASE_PORT = 5432;

/**
 * Rules as resources of their own where two groups name each other, inline where none does: a group with inline rules
 * loses foreign ones at the next deployment.
 */
function group(
  logicalName: string,
  name: string,
  description: string,
  rules: { ingress?: object[]; egress?: object[] },
) {
  return new aws.ec2.SecurityGroup(logicalName, {
    name: named(name),
    description,
    vpcId: vpc.id,
    ...rules,
  } as never);
}

function gatewayGroups() {
  const balancer = group("AlbGroup", "llmlite-alb-sg", "Gateway load balancer", {});
  const tasks = group("FargateGroup", "llmlite-fargate-sg", "Gateway tasks", {});
  const database = group("RdsGroup", "llmlite-rds-sg", "Gateway database", {
    ingress: [tcp(DATABASE_PORT, "From gateway tasks", { securityGroups: [tasks.id] })],
    egress: [],
  });
  const rule = (
    name: string,
    of: aws.ec2.SecurityGroup,
    type: "ingress" | "egress",
    port: number,
    peer: { cidrBlocks: string[] } | { sourceSecurityGroupId: $util.Input<string> },
  ) => {
    new aws.ec2.SecurityGroupRule(name, {
      securityGroupId: of.id,
      type,
      protocol: "tcp",
      fromPort: port,
      toPort: port,
      ...peer,
    });
  };
  rule("AlbFromInternetTls", balancer, "ingress", 443, everywhere);
  rule("AlbFromInternetPlain", balancer, "ingress", 80, everywhere);
  rule("AlbToTasks", balancer, "egress", PORTS.gateway, { sourceSecurityGroupId: tasks.id });
  rule("TasksFromAlb", tasks, "ingress", PORTS.gateway, { sourceSecurityGroupId: balancer.id });
  rule("TasksToAws", tasks, "egress", 443, everywhere);
  rule("TasksToDatabase", tasks, "egress", DATABASE_PORT, { sourceSecurityGroupId: database.id });
  return { balancer, tasks, database };
}

function centralGroups() {
  // Lets nothing in: the VPC link passes by another way, see components/private-balancer.ts.
  const balancer = group("NlbGroup", "central-llm-nlb-sg", "Central load balancer, reached by the VPC link", {
    ingress: [],
    egress: [tcp(PORTS.centralProxy, "To the proxy", { cidrBlocks: settings.network.private })],
  });
  const tasks = group("CentralGroup", "central-llm-service-sg", "Central model tasks", {
    ingress: [tcp(PORTS.centralProxy, "From the load balancer", { securityGroups: [balancer.id] })],
    egress: [tcp(443, "To AWS services", everywhere)],
  });
  // The host needs no inbound port at all: a shell comes through Systems Manager, not SSH (seed 003's open port 22).
  const host = group("CentralHostGroup", "central-llm-host-sg", "GPU hosts", {
    ingress: [],
    egress: [tcp(443, "To AWS services and image registries", everywhere)],
  });
  return { balancer, tasks, host };
}

export const gatewaySecurity = settings.gateway ? gatewayGroups() : undefined;
export const centralSecurity = settings.central ? centralGroups() : undefined;
