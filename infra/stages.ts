/**
 * The stages. prod is the whole platform with the seeds' values in one region; prod-frankfurt and prod-london are the
 * seeds' two regions as two stages of the one app: deploy either prod, or those two. Digests of zeros and example.com
 * are placeholders that a deployment refuses: docs/deploy.md says how to fill them in.
 */
import { CENTRAL_PLAN, CLIENT_PLAN } from "@central-llm/core/usage-plan";

const placeholderDigest = `sha256:${"0".repeat(64)}`;
const image = (repository: string, tag: string) => ({ repository, tag, digest: placeholderDigest });

const network = {
  // Seed 004 §5.1. Its database subnets lie outside its own range; the advisory's remedy is taken.
  cidr: "10.1.0.0/20",
  public: ["10.1.1.0/24", "10.1.2.0/24"],
  private: ["10.1.11.0/24", "10.1.12.0/24"],
  database: ["10.1.13.0/24", "10.1.14.0/24"],
  nat: "per-zone",
  interfaceEndpoints: false,
};

const SEVEN_YEARS_IN_DAYS = 2557;

const audit = {
  bucket: "central-llm-audit",
  rawArchiveBucket: "central-llm-audit-raw",
  costTrackingBucket: "llmlite-cost-tracking-{account-id}",
  wafLogBucket: "llmlite-waf-logs-{account-id}",
  accessLogBucket: "llmlite-access-logs-{account-id}",
  objectLockDays: SEVEN_YEARS_IN_DAYS,
  glacierAfterDays: 90,
  expireAfterDays: SEVEN_YEARS_IN_DAYS,
  dataEvents: true,
  digestLookBackDays: 2,
  mode: "spool",
};

const central = {
  compute: {
    kind: "gpu",
    instanceType: "g6e.2xlarge",
    ami: null,
    volumeGb: 100,
    maxInstances: 2,
    // g6e.2xlarge has 64 GB; the sidecars and the host keep 8.
    modelMemoryMb: 56_000,
  },
  model: {
    servedName: "ministral-8b-instruct",
    source: "mistralai/Ministral-8B-Instruct-2410",
    maxModelLen: 32_768,
    gpuMemoryUtilization: 0.9,
    startSeconds: 300,
  },
  vllmBase: image("vllm/vllm-openai", "v0.11.0"),
  desiredTasks: 1,
  // Seed 002 §7 and seed 003 give two sets of limits for what both call the usage plan; a key belongs to one plan.
  usagePlans: [
    { ...CENTRAL_PLAN, keyName: "central-llm-generic-key" },
    { ...CLIENT_PLAN, keyName: "central-llm-client" },
  ],
  officeHours: null,
  collector: image("public.ecr.aws/aws-observability/aws-otel-collector", "v0.43.3"),
  gpuExporter: image("nvcr.io/nvidia/k8s/dcgm-exporter", "4.2.0-4.1.0-ubuntu22.04"),
  prometheusRemoteWriteUrl: null,
  exec: false,
};

const gateway = {
  engine: "litellm",
  litellm: image("ghcr.io/berriai/litellm", "main-stable"),
  models: [
    { name: "claude-3-5-sonnet", bedrockId: "anthropic.claude-3-5-sonnet-20241022-v2:0" },
    { name: "claude-3-opus", bedrockId: "anthropic.claude-3-opus-20240229-v1:0" },
  ],
  guardrail: null,
  proxy: { cpu: 1024, memoryMb: 2048 },
  litellmSize: { cpu: 1024, memoryMb: 2048 },
  minTasks: 2,
  maxTasks: 5,
  cpuTarget: 70,
  // Seed 004 §3.1. A longer one must stay below the proxy's keep-alive time of 75 s: docs/decisions/streaming.md.
  idleTimeoutSeconds: 60,
  firewall: { mode: "block", rateLimit: 2000, allowedCountries: null, trustedIps: [] },
  database: {
    instanceClass: "db.t4g.small",
    engineVersion: "15",
    storageGb: 20,
    maxStorageGb: 100,
    multiAz: true,
    backupDays: 7,
    deletionProtection: true,
  },
};

const prod = {
  region: "eu-central-1",
  suffix: "",
  production: true,
  domain: "llm.example.com",
  alarmEmail: "platform@example.com",
  logRetentionDays: 90,
  sourceRepository: "https://git.example.com/central-llm.git",
  nodeImage: image("public.ecr.aws/docker/library/node", "24-slim"),
  network,
  audit,
  central,
  gateway,
  console: { issuer: null },
};

const dev = {
  ...prod,
  suffix: "-dev",
  production: false,
  domain: "dev.llm.example.com",
  logRetentionDays: 7,
  network: { ...network, nat: "one" },
  audit: {
    ...audit,
    bucket: "central-llm-audit-dev",
    rawArchiveBucket: "central-llm-audit-raw-dev",
    costTrackingBucket: "llmlite-cost-tracking-dev-{account-id}",
    wafLogBucket: "llmlite-waf-logs-dev-{account-id}",
    accessLogBucket: "llmlite-access-logs-dev-{account-id}",
    objectLockDays: null,
    expireAfterDays: 120,
    dataEvents: false,
  },
  central: {
    ...central,
    // No graphics card: vLLM's CPU build with a model that fits a task. Off until `central-llm gpu up`.
    compute: { kind: "fargate", cpu: 4096, memoryMb: 16_384 },
    model: {
      servedName: "ministral-8b-instruct",
      source: "Qwen/Qwen2.5-0.5B-Instruct",
      maxModelLen: 4096,
      gpuMemoryUtilization: 0.9,
      startSeconds: 300,
    },
    vllmBase: image("public.ecr.aws/q9t5s3a7/vllm-cpu-release-repo", "v0.11.0"),
    desiredTasks: 0,
    exec: true,
  },
  gateway: {
    ...gateway,
    engine: "native",
    proxy: { cpu: 256, memoryMb: 512 },
    minTasks: 1,
    maxTasks: 2,
    firewall: { ...gateway.firewall, mode: "count" },
    database: {
      ...gateway.database,
      instanceClass: "db.t4g.micro",
      multiAz: false,
      backupDays: 1,
      deletionProtection: false,
    },
  },
};

/** Seeds 000 to 003: the GPU platform and the console on its audit trail. */
const prodFrankfurt = { ...prod, gateway: null };

/** Seed 004: the Bedrock gateway. Its audit bucket has a name of its own, since S3's names are the whole world's. */
const prodLondon = {
  ...prod,
  region: "eu-west-2",
  audit: {
    ...audit,
    bucket: "llmlite-audit-logs-{account-id}",
    rawArchiveBucket: "llmlite-audit-raw-{account-id}",
  },
  central: null,
  // A zone of its own, so that the two stages can stand side by side.
  domain: "london.llm.example.com",
};

export const stages: Record<string, unknown> = {
  dev,
  prod,
  "prod-frankfurt": prodFrankfurt,
  "prod-london": prodLondon,
};
