/** Seeds 000 to 003: the model on a GPU with our proxy in front; central-api.ts is the way in. */
import { PORTS } from "@central-llm/core/platform";
import { CentralModel } from "./components/central-model.ts";
import { modelRepository, proxyRepository } from "./image-build.ts";
import { logGroup } from "./log-group.ts";
import { modelContainer, watchers } from "./model-containers.ts";
import { privateSubnetIds, vpc } from "./network.ts";
import { proxyContainer, proxyRights, SPOOL_VOLUME } from "./proxy-container.ts";
import { centralSecurity } from "./security-groups.ts";
import { type Right, serviceRole } from "./service-role.ts";
import { accountId, named, region, settings } from "./stage.ts";
import { executionRole } from "./task-execution.ts";

const { central } = settings;
if (!central || !centralSecurity || !modelRepository) throw new Error("this stage has no central path");

export const containerLogs = logGroup("CentralLogs", `/ecs/${named("central-llm-service")}`);
const metricsLogs = logGroup("CentralMetricsLogs", `/ecs/${named("central-llm-service")}/metrics`);

const remoteWrite: Right[] = central.prometheusRemoteWriteUrl
  ? [
      {
        actions: ["aps:RemoteWrite"],
        resources: [
          $interpolate`arn:aws:aps:${region}:${accountId}:workspace/${central.prometheusRemoteWriteUrl.split("/workspaces/")[1]?.split("/")[0] ?? ""}`,
        ],
      },
    ]
  : [];
const execRights: Right[] = central.exec
  ? [
      {
        // ECS Exec; these four have no narrower resource.
        actions: [
          "ssmmessages:CreateControlChannel",
          "ssmmessages:CreateDataChannel",
          "ssmmessages:OpenControlChannel",
          "ssmmessages:OpenDataChannel",
        ],
        resources: ["*"],
      },
    ]
  : [];
const taskRole = serviceRole("CentralTaskRole", "ecs-tasks.amazonaws.com", [
  ...proxyRights,
  {
    actions: ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
    resources: [$interpolate`${metricsLogs.arn}:*`],
  },
  ...remoteWrite,
  ...execRights,
]);

const gpu = central.compute.kind === "gpu";
export const model = new CentralModel("CentralModel", {
  names: {
    cluster: named("central-llm-service-cluster"),
    service: named("central-llm-service"),
    balancer: named("central-llm-nlb"),
    targets: named("central-llm-service"),
    template: named("central-llm-launch-template"),
    instance: named("central-llm-ec2"),
  },
  compute: central.compute,
  containers: [
    modelContainer(central, containerLogs),
    proxyContainer({
      port: PORTS.centralProxy,
      memoryMb: gpu ? 2048 : 1024,
      logGroup: containerLogs,
      environment: {
        PROFILE: "central",
        UPSTREAM_URL: `http://127.0.0.1:${PORTS.demoModel}`,
        // Just below the 5 minutes of silence after which API Gateway cuts a stream: a late answer is then an error of
        // ours, in OpenAI's shape and in the audit.
        FIRST_BYTE_TIMEOUT_MS: "290000",
      },
      // A target is healthy only when its model has been loaded.
      dependsOn: [{ containerName: "vllm-server", condition: "HEALTHY" }],
    }),
    ...watchers(central, containerLogs, metricsLogs.name),
  ],
  target: { container: "audit-proxy", port: PORTS.centralProxy },
  spoolVolume: SPOOL_VOLUME,
  taskRole,
  executionRole: executionRole("CentralExecutionRole", {
    repositories: [modelRepository, proxyRepository],
    logGroups: [containerLogs],
  }),
  vpcId: vpc.id,
  subnetIds: privateSubnetIds,
  security: centralSecurity,
  desiredTasks: central.desiredTasks,
  exec: central.exec,
  deletionProtection: settings.production,
});

if (central.officeHours) {
  const { start, stop, timezone } = central.officeHours;
  const target = new aws.appautoscaling.Target("CentralTasks", {
    serviceNamespace: "ecs",
    scalableDimension: "ecs:service:DesiredCount",
    resourceId: $interpolate`service/${model.cluster.name}/${model.service.name}`,
    minCapacity: 0,
    maxCapacity: central.desiredTasks,
  });
  for (const [label, schedule, tasks] of [
    ["Start", start, central.desiredTasks],
    ["Stop", stop, 0],
  ] as const) {
    new aws.appautoscaling.ScheduledAction(`CentralOfficeHours${label}`, {
      serviceNamespace: target.serviceNamespace,
      scalableDimension: target.scalableDimension,
      resourceId: target.resourceId,
      schedule: `cron(${schedule})`,
      timezone,
      scalableTargetAction: { minCapacity: tasks, maxCapacity: tasks },
    });
  }
}

export const service = model.service.name;
