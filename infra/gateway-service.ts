/** Seed 004: the gateway to Bedrock. Which engine answers, LiteLLM or ours, is one setting. */
import { GATEWAY_NODE_OPTIONS, PORTS } from "@central-llm/core/platform";
import { costTracking } from "./audit-storage.ts";
import { LiteLlmGateway } from "./components/litellm-gateway.ts";
import { certificateFor, pointTo } from "./domain.ts";
import { encryptedBucket } from "./encrypted-bucket.ts";
import { key } from "./encryption.ts";
import { DATABASE_NAME, database, passwordSecretArn } from "./gateway-database.ts";
import { bedrockModels, keyVariables } from "./gateway-models.ts";
import { bedrockRights, countingRights } from "./gateway-rights.ts";
import { proxyRepository } from "./image-build.ts";
import { LITELLM_PORT, litellmContainers, SCRATCH_VOLUME } from "./litellm-container.ts";
import { logGroup } from "./log-group.ts";
import { privateSubnetIds, publicSubnetIds, vpc } from "./network.ts";
import { proxyContainer, proxyRights, SPOOL_VOLUME } from "./proxy-container.ts";
import { gatewaySecurity } from "./security-groups.ts";
import { serviceRole } from "./service-role.ts";
import { accountId, holdsData, named, region, settings } from "./stage.ts";
import { executionRole } from "./task-execution.ts";
import { webAcl } from "./web-firewall.ts";

const { gateway: configured } = settings;
if (!configured || !gatewaySecurity) throw new Error("this stage has no gateway");
const { guardrail } = configured;
const litellm = configured.engine === "litellm";
export const onBedrock = bedrockModels(configured.models, region);

export const containerLogs = logGroup("GatewayLogs", `/ecs/${named("llmlite-proxy")}`);
logGroup("GatewayInsightsLogs", `/aws/ecs/containerinsights/${named("llmlite-cluster")}/performance`);

// `npx sst secret set GatewayMasterKey sk-…` once a stage; from there it goes to Secrets Manager and no further.
const masterKey = new sst.Secret("GatewayMasterKey");
const masterKeySecret = new aws.secretsmanager.Secret(
  "MasterKey",
  {
    name: named("llmlite-master-key"),
    description: "Administers virtual keys on the gateway",
    kmsKeyId: key.arn,
    recoveryWindowInDays: settings.production ? 30 : 7,
  },
  holdsData,
);
export const masterKeySecretArn = masterKeySecret.arn;
new aws.secretsmanager.SecretVersion("MasterKeyValue", {
  secretId: masterKeySecret.id,
  secretString: masterKey.value,
});

/** `OPENAI_API_KEY` → `OpenaiApiKey`: SST's secrets have names like classes. */
const className = (variable: string) =>
  variable
    .split("_")
    .map((word) => word.slice(0, 1) + word.slice(1).toLowerCase())
    .join("");

// Keys of OpenAI-compatible servers, each set once a stage as the master key is.
const serverKeys = keyVariables(configured.models).map((variable) => {
  const name = className(variable);
  const secret = new aws.secretsmanager.Secret(
    `${name}Secret`,
    {
      name: named(`llmlite-${variable.toLowerCase().replaceAll("_", "-")}`),
      description: `Key of a model's server: ${variable}`,
      kmsKeyId: key.arn,
      recoveryWindowInDays: settings.production ? 30 : 7,
    },
    holdsData,
  );
  new aws.secretsmanager.SecretVersion(`${name}Value`, {
    secretId: secret.id,
    secretString: new sst.Secret(name).value,
  });
  return { variable, arn: secret.arn };
});

const databaseEnvironment = {
  DATABASE_HOST: database.address,
  DATABASE_PORT: "5432",
  DATABASE_NAME,
};
const secrets = {
  DATABASE_USERNAME: $interpolate`${passwordSecretArn}:username::`,
  DATABASE_PASSWORD: $interpolate`${passwordSecretArn}:password::`,
  LITELLM_MASTER_KEY: masterKeySecret.arn,
  ...Object.fromEntries(serverKeys.map(({ variable, arn }) => [variable, arn])),
};

const accessLogs = encryptedBucket("AccessLogBucket", {
  name: settings.audit.accessLogBucket,
  // A load balancer cannot write with a key of ours (Elastic Load Balancing guide, "Access logs").
  awsManagedKey: true,
  lifecycle: { glacierAfterDays: null, expireAfterDays: settings.logRetentionDays },
  policy: [
    {
      principals: [{ type: "service", identifiers: ["logdelivery.elasticloadbalancing.amazonaws.com"] }],
      actions: ["s3:PutObject"],
      paths: [$interpolate`alb/AWSLogs/${accountId}/*`],
    },
  ],
});

const taskRole = serviceRole(
  "GatewayTaskRole",
  "ecs-tasks.amazonaws.com",
  [
    ...proxyRights,
    // The daily cost file; GetObject is for HeadObject, and ListBucket lets S3 say "not there" instead of "forbidden".
    { actions: ["s3:GetObject", "s3:PutObject"], resources: [$interpolate`${costTracking.arn}/daily/*`] },
    { actions: ["s3:ListBucket"], resources: [costTracking.arn] },
    ...bedrockRights(onBedrock, accountId),
    ...(litellm ? [] : countingRights(onBedrock)),
    ...(guardrail
      ? [
          {
            actions: ["bedrock:ApplyGuardrail"],
            resources: [$interpolate`arn:aws:bedrock:${region}:${accountId}:guardrail/${guardrail.id}`],
          },
        ]
      : []),
  ],
  { name: named("llmlite-task-role") },
);

const proxy = proxyContainer({
  port: PORTS.gateway,
  ...(litellm && { cpu: configured.proxy.cpu }),
  memoryMb: configured.proxy.memoryMb,
  logGroup: containerLogs,
  environment: {
    PROFILE: "gateway",
    // In place of the image's, which are profile central's.
    NODE_OPTIONS: GATEWAY_NODE_OPTIONS,
    MODELS: JSON.stringify(configured.models),
    ...databaseEnvironment,
    COST_TRACKING_BUCKET: costTracking.name,
    GATEWAY_ENGINE: configured.engine,
    ...(guardrail && {
      PII_ENGINE: "bedrock-guardrail",
      GUARDRAIL_ID: guardrail.id,
      GUARDRAIL_VERSION: guardrail.version,
    }),
    ...(litellm && { LITELLM_URL: `http://127.0.0.1:${LITELLM_PORT}` }),
  },
  secrets,
  ...(litellm && { dependsOn: [{ containerName: "litellm-proxy", condition: "HEALTHY" }] }),
});
const engine = litellm
  ? litellmContainers({
      gateway: configured,
      logGroup: containerLogs,
      databaseEnvironment,
      secrets: Object.entries(secrets).map(([name, valueFrom]) => ({ name, valueFrom })),
    })
  : [];

const host = `gateway.${settings.domain}`;
export const gateway = new LiteLlmGateway("Gateway", {
  names: {
    cluster: named("llmlite-cluster"),
    service: named("llmlite-service"),
    balancer: named("llmlite-alb"),
    targets: named("llmlite-tg"),
    task: named("llmlite-task"),
  },
  cpu: configured.proxy.cpu + (litellm ? configured.litellmSize.cpu : 0),
  memoryMb: configured.proxy.memoryMb + (litellm ? configured.litellmSize.memoryMb : 0),
  containers: [proxy, ...engine],
  volumes: litellm ? [SPOOL_VOLUME, SCRATCH_VOLUME] : [SPOOL_VOLUME],
  target: { container: "audit-proxy", port: PORTS.gateway },
  taskRole,
  executionRole: executionRole("GatewayExecutionRole", {
    name: named("ecsTaskExecutionRole"),
    repositories: [proxyRepository],
    logGroups: [containerLogs],
    secrets: [passwordSecretArn, masterKeySecret.arn, ...serverKeys.map(({ arn }) => arn)],
  }),
  certificateArn: certificateFor("Gateway", host),
  webAclArn: webAcl.arn,
  vpcId: vpc.id,
  publicSubnetIds,
  privateSubnetIds,
  security: gatewaySecurity,
  scaling: { min: configured.minTasks, max: configured.maxTasks, cpuTarget: configured.cpuTarget },
  idleTimeoutSeconds: configured.idleTimeoutSeconds,
  accessLogBucket: accessLogs.name,
  deletionProtection: settings.production,
});
pointTo("Gateway", host, gateway.balancer);

export const url = `https://${host}`;
export const service = gateway.service.name;
