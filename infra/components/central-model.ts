/**
 * A model server behind an internal load balancer: cluster, capacity, one task with vLLM and our proxy on a shared
 * localhost. Raw ECS resources, because sst.aws.Service is Fargate only (docs/decisions/raw-resources.md).
 */
import { ModelCapacity } from "./model-capacity.ts";
import { PrivateBalancer } from "./private-balancer.ts";

interface GpuCompute {
  kind: "gpu";
  instanceType: string;
  ami: string | null;
  volumeGb: number;
  maxInstances: number;
}
interface FargateCompute {
  kind: "fargate";
  cpu: number;
  memoryMb: number;
}

export interface CentralModelArgs {
  names: {
    cluster: string;
    service: string;
    balancer: string;
    targets: string;
    template: string;
    instance: string;
  };
  compute: GpuCompute | FargateCompute;
  containers: object[];
  /** The container and port that the load balancer reaches. */
  target: { container: string; port: number };
  spoolVolume: string;
  taskRole: aws.iam.Role;
  executionRole: aws.iam.Role;
  vpcId: $util.Input<string>;
  subnetIds: $util.Input<string>[];
  security: { balancer: aws.ec2.SecurityGroup; tasks: aws.ec2.SecurityGroup; host: aws.ec2.SecurityGroup };
  desiredTasks: number;
  exec: boolean;
  deletionProtection: boolean;
}

/** Starting a host, pulling an image of 20 GB and loading a model, before an unhealthy target counts. */
const LONGEST_START_SECONDS = 1800;

export class CentralModel extends $util.ComponentResource {
  readonly cluster: aws.ecs.Cluster;
  readonly service: aws.ecs.Service;
  readonly balancer: aws.lb.LoadBalancer;
  readonly targets: aws.lb.TargetGroup;
  readonly capacity: ModelCapacity | undefined;

  constructor(name: string, args: CentralModelArgs, opts?: $util.ComponentResourceOptions) {
    super("central-llm:infra:CentralModel", name, {}, opts);
    const parent = { parent: this };
    this.cluster = new aws.ecs.Cluster(
      `${name}Cluster`,
      { name: args.names.cluster, settings: [{ name: "containerInsights", value: "enabled" }] },
      parent,
    );
    this.capacity = args.compute.kind === "gpu" ? this.gpuCapacity(name, args, args.compute) : undefined;
    const provider = this.capacity?.provider.name ?? "FARGATE";
    const attached = new aws.ecs.ClusterCapacityProviders(
      `${name}ClusterCapacity`,
      { clusterName: this.cluster.name, capacityProviders: [provider] },
      parent,
    );
    const front = new PrivateBalancer(
      name,
      {
        names: args.names,
        target: args.target,
        vpcId: args.vpcId,
        subnetIds: args.subnetIds,
        securityGroupId: args.security.balancer.id,
        deletionProtection: args.deletionProtection,
      },
      parent,
    );
    this.balancer = front.balancer;
    this.targets = front.targets;
    this.service = this.ecsService(name, args, provider, [attached, front.listener]);
    this.registerOutputs({});
  }

  private gpuCapacity(name: string, args: CentralModelArgs, compute: GpuCompute) {
    return new ModelCapacity(
      `${name}Capacity`,
      {
        instanceType: compute.instanceType,
        ami: compute.ami,
        volumeGb: compute.volumeGb,
        maxInstances: compute.maxInstances,
        clusterName: args.names.cluster,
        names: args.names,
        subnetIds: args.subnetIds,
        securityGroupIds: [args.security.host.id],
      },
      { parent: this },
    );
  }

  private ecsService(
    name: string,
    args: CentralModelArgs,
    capacityProvider: $util.Input<string>,
    dependsOn: $util.Resource[],
  ) {
    return new aws.ecs.Service(
      `${name}Service`,
      {
        name: args.names.service,
        cluster: this.cluster.arn,
        taskDefinition: this.task(name, args).arn,
        desiredCount: args.desiredTasks,
        capacityProviderStrategies: [{ capacityProvider, weight: 1 }],
        networkConfiguration: {
          subnets: args.subnetIds,
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
        healthCheckGracePeriodSeconds: LONGEST_START_SECONDS,
        deploymentMinimumHealthyPercent: 50,
        deploymentMaximumPercent: 200,
        deploymentCircuitBreaker: { enable: true, rollback: true },
        enableExecuteCommand: args.exec,
        propagateTags: "SERVICE",
      },
      // `central-llm gpu up|down` and office hours set the number of tasks; a deployment is not to undo them.
      { parent: this, dependsOn, ignoreChanges: ["desiredCount"] },
    );
  }

  private task(name: string, args: CentralModelArgs) {
    const { compute } = args;
    const gpu = compute.kind === "gpu";
    return new aws.ecs.TaskDefinition(
      `${name}Task`,
      {
        family: args.names.service,
        networkMode: "awsvpc",
        requiresCompatibilities: [gpu ? "EC2" : "FARGATE"],
        ...(compute.kind === "fargate" && { cpu: String(compute.cpu), memory: String(compute.memoryMb) }),
        taskRoleArn: args.taskRole.arn,
        executionRoleArn: args.executionRole.arn,
        volumes: [
          {
            name: args.spoolVolume,
            // On a host of ours the spool outlives its task, and the next one sends what was left.
            ...(gpu && {
              dockerVolumeConfiguration: { scope: "shared", autoprovision: true, driver: "local" },
            }),
          },
        ],
        containerDefinitions: $jsonStringify(args.containers),
      },
      { parent: this },
    );
  }
}
