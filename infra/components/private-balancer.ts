/** An internal network load balancer: the hop that a REST API's VPC link needs (docs/decisions/vpc-link.md). */

export interface PrivateBalancerArgs {
  names: { balancer: string; targets: string };
  target: { port: number };
  vpcId: $util.Input<string>;
  subnetIds: $util.Input<string>[];
  securityGroupId: $util.Input<string>;
  deletionProtection: boolean;
}

/** Above the 15 minutes that API Gateway lets an answer take; the default of 350 s would cut a quiet connection. */
const IDLE_SECONDS = 960;

export class PrivateBalancer extends $util.ComponentResource {
  readonly balancer: aws.lb.LoadBalancer;
  readonly targets: aws.lb.TargetGroup;
  readonly listener: aws.lb.Listener;

  constructor(name: string, args: PrivateBalancerArgs, opts?: $util.ComponentResourceOptions) {
    super("central-llm:infra:PrivateBalancer", `${name}Front`, {}, opts);
    const parent = { parent: this };
    this.balancer = new aws.lb.LoadBalancer(
      `${name}Balancer`,
      {
        name: args.names.balancer,
        internal: true,
        loadBalancerType: "network",
        subnets: args.subnetIds,
        securityGroups: [args.securityGroupId],
        // A VPC link's traffic comes from addresses of API Gateway's, which no rule could name. With this it passes,
        // and as the group lets nothing in, nothing else does.
        enforceSecurityGroupInboundRulesOnPrivateLinkTraffic: "off",
        enableCrossZoneLoadBalancing: true,
        enableDeletionProtection: args.deletionProtection,
      },
      parent,
    );
    this.targets = this.targetGroup(name, args);
    this.listener = new aws.lb.Listener(
      `${name}Listener`,
      {
        loadBalancerArn: this.balancer.arn,
        port: args.target.port,
        protocol: "TCP",
        tcpIdleTimeoutSeconds: IDLE_SECONDS,
        defaultActions: [{ type: "forward", targetGroupArn: this.targets.arn }],
      },
      parent,
    );
    this.registerOutputs({});
  }

  private targetGroup(name: string, args: PrivateBalancerArgs) {
    return new aws.lb.TargetGroup(
      `${name}Targets`,
      {
        name: args.names.targets,
        port: args.target.port,
        protocol: "TCP",
        targetType: "ip",
        vpcId: args.vpcId,
        deregistrationDelay: 120,
        healthCheck: {
          protocol: "HTTP",
          path: "/health",
          port: String(args.target.port),
          matcher: "200",
          interval: 30,
          timeout: 5,
          healthyThreshold: 3,
          unhealthyThreshold: 3,
        },
      },
      { parent: this },
    );
  }
}
