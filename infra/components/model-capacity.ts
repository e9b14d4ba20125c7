/** GPU hosts for ECS: launch template, auto scaling group, capacity provider. Empty until a task asks for a GPU. */
import { serviceRole } from "../service-role.ts";

export interface ModelCapacityArgs {
  clusterName: string;
  names: { template: string; instance: string };
  instanceType: string;
  /** null: AWS's ECS GPU image, looked up at each launch. */
  ami: string | null;
  volumeGb: number;
  maxInstances: number;
  subnetIds: $util.Input<string>[];
  securityGroupIds: $util.Input<string>[];
}

const ECS_GPU_IMAGE = "resolve:ssm:/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id";

/** The NVIDIA runtime as default lets the exporter see the card that the ECS agent has given to vLLM alone. */
const userData = (clusterName: string) => `#!/bin/bash
cat >> /etc/ecs/ecs.config <<'CONFIG'
ECS_CLUSTER=${clusterName}
ECS_ENABLE_GPU_SUPPORT=true
ECS_AWSVPC_BLOCK_IMDS=true
ECS_CONTAINER_STOP_TIMEOUT=150s
CONFIG
nvidia-ctk runtime configure --runtime=docker --set-as-default
systemctl restart docker
`;

export class ModelCapacity extends $util.ComponentResource {
  readonly provider: aws.ecs.CapacityProvider;
  readonly group: aws.autoscaling.Group;

  constructor(name: string, args: ModelCapacityArgs, opts?: $util.ComponentResourceOptions) {
    super("central-llm:infra:ModelCapacity", name, {}, opts);
    const parent = { parent: this };
    this.group = new aws.autoscaling.Group(
      `${name}Group`,
      {
        minSize: 0,
        maxSize: args.maxInstances,
        vpcZoneIdentifiers: args.subnetIds,
        // ECS decides which host has no task; the group must not choose by itself.
        protectFromScaleIn: true,
        launchTemplate: { id: this.template(name, args).id, version: "$Latest" },
        healthCheckType: "EC2",
        tags: [
          { key: "Name", value: args.names.instance, propagateAtLaunch: true },
          { key: "AmazonECSManaged", value: "true", propagateAtLaunch: true },
        ],
      },
      { ...parent, ignoreChanges: ["desiredCapacity"] },
    );
    this.provider = new aws.ecs.CapacityProvider(
      `${name}Provider`,
      {
        autoScalingGroupProvider: {
          autoScalingGroupArn: this.group.arn,
          managedTerminationProtection: "ENABLED",
          managedDraining: "ENABLED",
          managedScaling: {
            status: "ENABLED",
            targetCapacity: 100,
            minimumScalingStepSize: 1,
            maximumScalingStepSize: 1,
            instanceWarmupPeriod: 300,
          },
        },
      },
      parent,
    );
    this.registerOutputs({});
  }

  private template(name: string, args: ModelCapacityArgs) {
    const parent = { parent: this };
    const role = serviceRole(
      `${name}HostRole`,
      "ec2.amazonaws.com",
      [],
      {
        managedPolicyArns: [
          // AWS's own for ECS hosts, and a shell without SSH. Both are listed in docs/least-privilege.md.
          "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role",
          "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore",
        ],
      },
      parent,
    );
    const profile = new aws.iam.InstanceProfile(`${name}Profile`, { role: role.name }, parent);
    return new aws.ec2.LaunchTemplate(
      `${name}Template`,
      {
        name: args.names.template,
        imageId: args.ami ?? ECS_GPU_IMAGE,
        instanceType: args.instanceType,
        iamInstanceProfile: { arn: profile.arn },
        vpcSecurityGroupIds: args.securityGroupIds,
        // One hop: a container cannot reach the host's credentials.
        metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1 },
        monitoring: { enabled: true },
        blockDeviceMappings: [
          {
            deviceName: "/dev/xvda",
            ebs: {
              volumeSize: args.volumeGb,
              volumeType: "gp3",
              encrypted: "true",
              deleteOnTermination: "true",
            },
          },
        ],
        userData: Buffer.from(userData(args.clusterName)).toString("base64"),
        updateDefaultVersion: true,
      },
      parent,
    );
  }
}
