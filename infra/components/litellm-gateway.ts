/** Fargate tasks in private subnets behind a public load balancer, scaled by CPU (seed 004 §4.5). */
import { PublicBalancer } from "./public-balancer.ts";

export interface LiteLlmGatewayArgs {
  names: { cluster: string; service: string; balancer: string; targets: string; task: string };
  /** Of the whole task. */
  cpu: number;
  memoryMb: number;
  containers: object[];
  volumes: string[];
  target: { container: string; port: number };
  taskRole: aws.iam.Role;
  executionRole: aws.iam.Role;
  certificateArn: $util.Input<string>;
  webAclArn: $util.Input<string>;
  vpcId: $util.Input<string>;
  publicSubnetIds: $util.Input<string>[];
  privateSubnetIds: $util.Input<string>[];
  security: { balancer: aws.ec2.SecurityGroup; tasks: aws.ec2.SecurityGroup };
  scaling: { min: number; max: number; cpuTarget: number };
  idleTimeoutSeconds: number;
  accessLogBucket: $util.Input<string>;
  deletionProtection: boolean;
}

export class LiteLlmGateway extends $util.ComponentResource {
  readonly cluster: aws.ecs.Cluster;
  readonly service: aws.ecs.Service;
  readonly balancer: aws.lb.LoadBalancer;
  readonly targets: aws.lb.TargetGroup;

  constructor(name: string, args: LiteLlmGatewayArgs, opts?: $util.ComponentResourceOptions) {
    super("central-llm:infra:LiteLlmGateway", name, {}, opts);
    const parent = { parent: this };
    this.cluster = new aws.ecs.Cluster(
      `${name}Cluster`,
      { name: args.names.cluster, settings: [{ name: "containerInsights", value: "enabled" }] },
      parent,
    );
    const front = new PublicBalancer(
      name,
      {
        names: args.names,
        target: args.target,
        certificateArn: args.certificateArn,
        webAclArn: args.webAclArn,
        vpcId: args.vpcId,
        subnetIds: args.publicSubnetIds,
        securityGroupId: args.security.balancer.id,
        idleTimeoutSeconds: args.idleTimeoutSeconds,
        accessLogBucket: args.accessLogBucket,
        deletionProtection: args.deletionProtection,
      },
      parent,
    );
    this.balancer = front.balancer;
    this.targets = front.targets;
    this.service = this.ecsService(name, args, front.https);
    this.scale(name, args);
    this.registerOutputs({});
  }

  private ecsService(name: string, args: LiteLlmGatewayArgs, listener: aws.lb.Listener) {
    const task = new aws.ecs.TaskDefinition(
      `${name}Task`,
      {
        family: args.names.task,
        networkMode: "awsvpc",
        requiresCompatibilities: ["FARGATE"],
        cpu: String(args.cpu),
        memory: String(args.memoryMb),
        runtimePlatform: { cpuArchitecture: "X86_64", operatingSystemFamily: "LINUX" },
        taskRoleArn: args.taskRole.arn,
        executionRoleArn: args.executionRole.arn,
        volumes: args.volumes.map((volume) => ({ name: volume })),
        containerDefinitions: $jsonStringify(args.containers),
      },
      { parent: this },
    );
    return new aws.ecs.Service(
      `${name}Service`,
      {
        name: args.names.service,
        cluster: this.cluster.arn,
        taskDefinition: task.arn,
        launchType: "FARGATE",
        platformVersion: "LATEST",
        desiredCount: args.scaling.min,
        networkConfiguration: {
          subnets: args.privateSubnetIds,
          securityGroups: [args.security.tasks.id],
          assignPublicIp: false,
        },
        loadBalancers: [
          {
            targetGroupArn: this.targets.arn,
            containerName: args.target.container,
            containerPort: args.target.port,
          },
        ],
        healthCheckGracePeriodSeconds: 60,
        deploymentMinimumHealthyPercent: 100,
        deploymentMaximumPercent: 200,
        deploymentCircuitBreaker: { enable: true, rollback: true },
        enableExecuteCommand: false,
        propagateTags: "SERVICE",
      },
      // Auto scaling sets the number of tasks; a deployment is not to undo it.
      { parent: this, dependsOn: [listener], ignoreChanges: ["desiredCount"] },
    );
  }

  private scale(name: string, args: LiteLlmGatewayArgs) {
    const target = new aws.appautoscaling.Target(
      `${name}Tasks`,
      {
        serviceNamespace: "ecs",
        scalableDimension: "ecs:service:DesiredCount",
        resourceId: $interpolate`service/${this.cluster.name}/${this.service.name}`,
        minCapacity: args.scaling.min,
        maxCapacity: args.scaling.max,
      },
      { parent: this },
    );
    new aws.appautoscaling.Policy(
      `${name}ByCpu`,
      {
        policyType: "TargetTrackingScaling",
        serviceNamespace: target.serviceNamespace,
        scalableDimension: target.scalableDimension,
        resourceId: target.resourceId,
        targetTrackingScalingPolicyConfiguration: {
          predefinedMetricSpecification: { predefinedMetricType: "ECSServiceAverageCPUUtilization" },
          targetValue: args.scaling.cpuTarget,
          scaleInCooldown: 300,
          scaleOutCooldown: 60,
        },
      },
      { parent: this },
    );
  }
}
