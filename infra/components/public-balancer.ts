/** A public HTTPS load balancer with its firewall, in front of targets in private subnets (seed 004 §4.3). */

export interface PublicBalancerArgs {
  names: { balancer: string; targets: string };
  target: { port: number };
  certificateArn: $util.Input<string>;
  webAclArn: $util.Input<string>;
  vpcId: $util.Input<string>;
  subnetIds: $util.Input<string>[];
  securityGroupId: $util.Input<string>;
  idleTimeoutSeconds: number;
  accessLogBucket: $util.Input<string>;
  deletionProtection: boolean;
}

export class PublicBalancer extends $util.ComponentResource {
  readonly balancer: aws.lb.LoadBalancer;
  readonly targets: aws.lb.TargetGroup;
  readonly https: aws.lb.Listener;

  constructor(name: string, args: PublicBalancerArgs, opts?: $util.ComponentResourceOptions) {
    super("central-llm:infra:PublicBalancer", `${name}Front`, {}, opts);
    const parent = { parent: this };
    this.balancer = new aws.lb.LoadBalancer(
      `${name}Balancer`,
      {
        name: args.names.balancer,
        internal: false,
        loadBalancerType: "application",
        ipAddressType: "ipv4",
        subnets: args.subnetIds,
        securityGroups: [args.securityGroupId],
        idleTimeout: args.idleTimeoutSeconds,
        dropInvalidHeaderFields: true,
        enableDeletionProtection: args.deletionProtection,
        accessLogs: { enabled: true, bucket: args.accessLogBucket, prefix: "alb" },
      },
      parent,
    );
    this.targets = this.targetGroup(name, args);
    this.https = this.listeners(name, args);
    this.hideOperatorPaths(name, this.https);
    new aws.wafv2.WebAclAssociation(
      `${name}Firewall`,
      { resourceArn: this.balancer.arn, webAclArn: args.webAclArn },
      parent,
    );
    this.registerOutputs({});
  }

  private targetGroup(name: string, args: PublicBalancerArgs) {
    return new aws.lb.TargetGroup(
      `${name}Targets`,
      {
        name: args.names.targets,
        targetType: "ip",
        protocol: "HTTP",
        port: args.target.port,
        vpcId: args.vpcId,
        deregistrationDelay: 30,
        stickiness: { enabled: false, type: "lb_cookie" },
        healthCheck: {
          protocol: "HTTP",
          path: "/health",
          port: String(args.target.port),
          interval: 30,
          timeout: 5,
          healthyThreshold: 2,
          unhealthyThreshold: 3,
          matcher: "200",
        },
      },
      { parent: this },
    );
  }

  private listeners(name: string, args: PublicBalancerArgs) {
    const parent = { parent: this };
    new aws.lb.Listener(
      `${name}Http`,
      {
        loadBalancerArn: this.balancer.arn,
        port: 80,
        protocol: "HTTP",
        defaultActions: [
          { type: "redirect", redirect: { protocol: "HTTPS", port: "443", statusCode: "HTTP_301" } },
        ],
      },
      parent,
    );
    return new aws.lb.Listener(
      `${name}Https`,
      {
        loadBalancerArn: this.balancer.arn,
        port: 443,
        protocol: "HTTPS",
        sslPolicy: "ELBSecurityPolicy-TLS13-1-2-2021-06",
        certificateArn: args.certificateArn,
        routingHttpResponseStrictTransportSecurityHeaderValue: "max-age=31536000; includeSubDomains",
        defaultActions: [{ type: "forward", targetGroupArn: this.targets.arn }],
      },
      parent,
    );
  }

  /** The proxy answers its operators on the same port; what it tells them is nobody's business outside. */
  private hideOperatorPaths(name: string, listener: aws.lb.Listener) {
    new aws.lb.ListenerRule(
      `${name}OperatorPaths`,
      {
        listenerArn: listener.arn,
        priority: 1,
        conditions: [{ pathPattern: { values: ["/metrics", "/ready"] } }],
        actions: [
          {
            type: "fixed-response",
            fixedResponse: { statusCode: "404", contentType: "text/plain", messageBody: "Not found" },
          },
        ],
      },
      { parent: this },
    );
  }
}
