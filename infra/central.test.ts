import { PORTS } from "@central-llm/core/platform";
import { parseConfig } from "@central-llm/proxy/config";
import { describe, expect, test } from "vitest";
import { planOf } from "./plan/plan.ts";
import { containersOf, environmentOf, type Inputs, ofType, only, type Plan } from "./plan/resource.ts";

const [prod, dev] = [await planOf("prod"), await planOf("dev")];
const both = [
  ["prod", prod],
  ["dev", dev],
] as const;

const task = (plan: Plan) => only(plan, "aws:ecs/taskDefinition:TaskDefinition", "CentralModelTask");
const service = (plan: Plan) => only(plan, "aws:ecs/service:Service", "CentralModelService").inputs;
function container(plan: Plan, name: string): Inputs {
  const found = containersOf(task(plan)).find((one) => one.name === name);
  if (!found) throw new Error(`no container ${name}`);
  return found;
}

describe.each(both)("the model service of %s", (_, plan) => {
  test("runs vLLM and the proxy in one task on one localhost", () => {
    expect(task(plan).inputs.networkMode).toBe("awsvpc");
    const model = container(plan, "vllm-server");
    expect(model.command.join(" ")).toContain("--host 127.0.0.1 --port 8001");
    expect(model.healthCheck).toMatchObject({ interval: 30, timeout: 5, startPeriod: 300, retries: 10 });
    expect(model.healthCheck.command[1]).toContain(":8001/health");
    const proxy = container(plan, "audit-proxy");
    expect(proxy.portMappings).toEqual([{ containerPort: PORTS.centralProxy, protocol: "tcp" }]);
    expect(proxy.dependsOn).toEqual([{ containerName: "vllm-server", condition: "HEALTHY" }]);
    expect(proxy).toMatchObject({ readonlyRootFilesystem: true, user: "node", essential: true });
    expect(proxy.mountPoints).toEqual([
      { sourceVolume: "spool", containerPath: environmentOf(proxy).SPOOL_DIR, readOnly: false },
    ]);
  });

  test("gives the proxy an environment that it starts with", () => {
    const environment = environmentOf(container(plan, "audit-proxy"));
    const config = parseConfig(environment);
    expect(config).toMatchObject({
      PROFILE: "central",
      PORT: 8000,
      UPSTREAM_URL: "http://127.0.0.1:8001",
      AUDIT_BUCKET: only(plan, "aws:s3/bucket:Bucket", "AuditBucketBucket").inputs.bucket,
      AUDIT_PREFIX: "logs",
      AWS_REGION: "eu-central-1",
    });
    // API Gateway cuts a stream after 5 minutes of silence; the proxy must be first.
    expect(config.FIRST_BYTE_TIMEOUT_MS).toBeLessThan(300_000);
    expect((config.DRAIN_TIMEOUT_MS + config.FLUSH_TIMEOUT_MS) / 1000 + 5).toBeLessThan(
      container(plan, "audit-proxy").stopTimeout,
    );
    // What the environment sets is what the proxy knows: a misspelt name would do nothing.
    const { HOST: _, ...known } = environment;
    for (const name of Object.keys(known)) expect(config, name).toHaveProperty(name);
  });

  test("is reached and checked at the proxy's port", () => {
    const targets = only(plan, "aws:lb/targetGroup:TargetGroup", "CentralModelTargets").inputs;
    expect(targets).toMatchObject({ port: 8000, protocol: "TCP", targetType: "ip" });
    expect(targets.healthCheck).toMatchObject({
      path: "/health",
      interval: 30,
      timeout: 5,
      healthyThreshold: 3,
      unhealthyThreshold: 3,
    });
    expect(service(plan).loadBalancers).toEqual([
      expect.objectContaining({ containerName: "audit-proxy", containerPort: 8000 }),
    ]);
    expect(service(plan).healthCheckGracePeriodSeconds).toBeGreaterThanOrEqual(600);
  });

  test("rolls back a deployment that does not come up, and keeps the number of tasks that operators set", () => {
    expect(service(plan)).toMatchObject({
      deploymentMinimumHealthyPercent: 50,
      deploymentMaximumPercent: 200,
      deploymentCircuitBreaker: { enable: true, rollback: true },
    });
    expect(only(plan, "aws:ecs/service:Service", "CentralModelService").ignoreChanges).toContain(
      "desiredCount",
    );
  });

  test("uses a capacity provider that its cluster has", () => {
    const [{ capacityProvider }] = service(plan).capacityProviderStrategies;
    expect(
      only(plan, "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders").inputs.capacityProviders,
    ).toContain(capacityProvider);
  });

  test("has its metrics collected from vLLM, the proxy and the card", () => {
    const config = JSON.parse(environmentOf(container(plan, "metrics-collector")).AOT_CONFIG_CONTENT ?? "{}");
    const targets = config.receivers.prometheus.config.scrape_configs.map(
      (job: Inputs) => job.static_configs[0].targets[0],
    );
    expect(targets).toEqual(
      plan.stage === "prod"
        ? ["127.0.0.1:8001", "127.0.0.1:8000", "127.0.0.1:9400"]
        : ["127.0.0.1:8001", "127.0.0.1:8000"],
    );
    expect(config.service.pipelines.metrics).toMatchObject({
      receivers: ["prometheus"],
      exporters: ["awsemf"],
    });
    expect(config.exporters.awsemf).toMatchObject({ namespace: "CentralLLM/GPU", region: "eu-central-1" });
  });
});

describe("prod's GPU", () => {
  test("is seed 003's machine: 100 GB gp3, no IMDSv1, AWS's image of the day", () => {
    const template = only(prod, "aws:ec2/launchTemplate:LaunchTemplate").inputs;
    expect(template).toMatchObject({
      name: "central-llm-launch-template",
      instanceType: "g6e.2xlarge",
      metadataOptions: { httpTokens: "required", httpPutResponseHopLimit: 1 },
    });
    expect(template.imageId).toMatch(/^resolve:ssm:\/aws\/service\/ecs\/optimized-ami\/.*gpu/);
    expect(template.blockDeviceMappings[0].ebs).toMatchObject({
      volumeSize: 100,
      volumeType: "gp3",
      deleteOnTermination: "true",
    });
    expect(Buffer.from(template.userData, "base64").toString()).toContain(
      "ECS_CLUSTER=central-llm-service-cluster\n",
    );
    expect(template.keyName).toBeUndefined();
  });

  test("comes and goes with the tasks", () => {
    const group = only(prod, "aws:autoscaling/group:Group").inputs;
    expect(group).toMatchObject({ minSize: 0, maxSize: 2, protectFromScaleIn: true });
    const { autoScalingGroupProvider: provider } = only(
      prod,
      "aws:ecs/capacityProvider:CapacityProvider",
    ).inputs;
    expect(provider.managedScaling.status).toBe("ENABLED");
    expect(provider.managedTerminationProtection).toBe("ENABLED");
    expect(task(prod).inputs.requiresCompatibilities).toEqual(["EC2"]);
  });

  test("belongs to vLLM, with the seed's environment", () => {
    const model = container(prod, "vllm-server");
    expect(model.resourceRequirements).toEqual([{ type: "GPU", value: "1" }]);
    expect(environmentOf(model).CUDA_VISIBLE_DEVICES).toBe("0");
    expect(container(prod, "audit-proxy").resourceRequirements).toBeUndefined();
  });

  test("has a spool that outlives its task", () => {
    expect(task(prod).inputs.volumes).toEqual([
      { name: "spool", dockerVolumeConfiguration: { scope: "shared", autoprovision: true, driver: "local" } },
    ]);
  });

  test("gives nobody a shell", () => {
    expect(service(prod).enableExecuteCommand).toBe(false);
  });
});

test("dev has no GPU and starts with no task at all", () => {
  expect(ofType(dev, "aws:ec2/launchTemplate:LaunchTemplate")).toEqual([]);
  expect(task(dev).inputs).toMatchObject({
    requiresCompatibilities: ["FARGATE"],
    cpu: "4096",
    memory: "16384",
  });
  expect(service(dev).desiredCount).toBe(0);
  expect(service(prod).desiredCount).toBe(1);
});
