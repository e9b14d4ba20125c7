/** What differs between stages: parsed once, so that a stage that misses a setting says which before AWS is asked. */
import { type Model as ListedModel, ModelEntry } from "@central-llm/core/model";
import { z } from "zod";
import { stages } from "./stages.ts";

/** A container image by digest: a tag can be moved under our feet, a digest cannot. `tag` tells people what it is. */
export const Image = z.strictObject({
  repository: z.string(),
  tag: z.string(),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
});
export type Image = z.infer<typeof Image>;
export const reference = (image: Image): string => `${image.repository}@${image.digest}`;

const cidr = z.string().regex(/^\d+\.\d+\.\d+\.\d+\/\d+$/);
/** One subnet in each of the two zones. */
const pair = z.tuple([cidr, cidr]);

const Network = z.strictObject({
  cidr,
  public: pair,
  private: pair,
  database: pair,
  /** `one` saves a NAT gateway's price; losing its zone then takes the other zone's way out with it. */
  nat: z.enum(["one", "per-zone"]),
  /** Private links to the AWS services that tasks call: no traffic through NAT, about 8 USD a month each per zone. */
  interfaceEndpoints: z.boolean(),
});

const Audit = z.strictObject({
  bucket: z.string(),
  rawArchiveBucket: z.string(),
  costTrackingBucket: z.string(),
  wafLogBucket: z.string(),
  accessLogBucket: z.string(),
  /** Days during which nobody, the account's root included, can delete an audit object; null switches the lock off. */
  objectLockDays: z.int().positive().nullable(),
  glacierAfterDays: z.int().positive(),
  expireAfterDays: z.int().positive(),
  /** CloudTrail data events on the audit bucket: who read which object. Billed per event. */
  dataEvents: z.boolean(),
  /** How late an object may come and still be in a digest; more while old objects are copied into the bucket. */
  digestLookBackDays: z.int().positive(),
  /** AUDIT_MODE of the proxy. */
  mode: z.enum(["async", "spool", "strict"]),
});

const UsagePlan = z.strictObject({
  name: z.string(),
  keyName: z.string(),
  rate: z.int(),
  burst: z.int(),
  quota: z.strictObject({ limit: z.int(), period: z.enum(["day", "week", "month"]) }),
});

const Model = z.strictObject({
  /** What clients name in `model`. */
  servedName: z.string(),
  /** Hugging Face repository that the build bakes into the image. */
  source: z.string(),
  maxModelLen: z.int(),
  gpuMemoryUtilization: z.number().min(0.1).max(0.98),
  /** The longest that a cold start may take: reading the weights into the GPU. Seconds, ECS allows 300. */
  startSeconds: z.int().max(300),
});

/** `gpu`: vLLM on EC2 with a graphics card; `fargate`: vLLM's CPU build, for a stage that is to cost little. */
const Compute = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("gpu"),
    instanceType: z.string(),
    /** An image of our own (seed 003's pre-baked one); null takes AWS's ECS GPU image by its SSM parameter. */
    ami: z
      .string()
      .regex(/^ami-[0-9a-f]+$/)
      .nullable(),
    volumeGb: z.int(),
    maxInstances: z.int().positive(),
    /** Of the whole task, MB. The instance's memory less what its agent and system need. */
    modelMemoryMb: z.int(),
  }),
  z.strictObject({ kind: z.literal("fargate"), cpu: z.int(), memoryMb: z.int() }),
]);

const Central = z.strictObject({
  compute: Compute,
  model: Model,
  vllmBase: Image,
  desiredTasks: z.int().nonnegative(),
  usagePlans: z.array(UsagePlan).min(1),
  /** Scheduled start and stop (EventBridge cron fields, time zone); null keeps `desiredTasks` all day. */
  officeHours: z.strictObject({ start: z.string(), stop: z.string(), timezone: z.string() }).nullable(),
  collector: Image,
  gpuExporter: Image,
  prometheusRemoteWriteUrl: z.url().nullable(),
  /** ECS Exec into a running task. Never in prod: it is a shell beside people's prompts. */
  exec: z.boolean(),
});

const Firewall = z.strictObject({
  /** `count` watches a new rule group without blocking (seed 004 §6.4); `block` is the working state. */
  mode: z.enum(["block", "count"]),
  rateLimit: z.int().min(100),
  /** ISO country codes that may call; null leaves geography alone. */
  allowedCountries: z.array(z.string().length(2)).nullable(),
  trustedIps: z.array(cidr),
});

const Database = z.strictObject({
  instanceClass: z.string(),
  engineVersion: z.string().startsWith("15"),
  storageGb: z.int(),
  maxStorageGb: z.int(),
  multiAz: z.boolean(),
  backupDays: z.int().positive(),
  deletionProtection: z.boolean(),
});

const ShortModel = z.strictObject({ name: z.string(), bedrockId: z.string() });
const isShort = (entry: unknown) => typeof entry === "object" && entry !== null && "bedrockId" in entry;
/** A union of the two would say of a wrong entry only that it is neither. */
const GatewayModel = z.unknown().transform((entry, context): z.infer<typeof ShortModel> | ListedModel => {
  const parsed = (isShort(entry) ? ShortModel : ModelEntry).safeParse(entry);
  if (parsed.success) return parsed.data;
  for (const { path, message } of parsed.error.issues) context.addIssue({ code: "custom", path, message });
  return z.NEVER;
});

const Gateway = z.strictObject({
  /** docs/decisions/gateway-engine.md says when to choose which. */
  engine: z.enum(["litellm", "native"]),
  litellm: Image,
  /** A name and Bedrock's id (of a model or an inference profile), or a whole entry: docs/models.md. */
  models: z.array(GatewayModel).min(1),
  /** A Bedrock guardrail of the account that finds personal data, in place of our own filter; null takes ours. */
  guardrail: z.strictObject({ id: z.string().regex(/^[a-z0-9]+$/), version: z.string() }).nullable(),
  /** Fargate units; the issue's 1 vCPU and 2 GB are our proxy's, LiteLLM's container gets as much again. */
  proxy: z.strictObject({ cpu: z.int(), memoryMb: z.int() }),
  litellmSize: z.strictObject({ cpu: z.int(), memoryMb: z.int() }),
  minTasks: z.int().positive(),
  maxTasks: z.int().positive(),
  cpuTarget: z.number(),
  idleTimeoutSeconds: z.int().positive().max(74),
  firewall: Firewall,
  database: Database,
});

const Console = z.strictObject({
  /** Another OpenID Connect issuer in place of our Cognito pool. */
  issuer: z.strictObject({ url: z.url(), audience: z.string() }).nullable(),
});

const Settings = z.strictObject({
  region: z.string(),
  /** Appended to every name in AWS, so that stages can share an account; the seeds' names belong to prod. */
  suffix: z.string(),
  /** Protects and retains what holds data, and refuses to be removed. */
  production: z.boolean(),
  /** A Route 53 zone of the account; certificates and names are made in it. */
  domain: z.string(),
  alarmEmail: z.email(),
  logRetentionDays: z.int(),
  nodeImage: Image,
  /** Where CodeBuild fetches this repository. */
  sourceRepository: z.url(),
  network: Network,
  audit: Audit,
  central: Central.nullable(),
  gateway: Gateway.nullable(),
  console: Console.nullable(),
});
export type Settings = z.infer<typeof Settings>;
export type Central = z.infer<typeof Central>;
export type Gateway = z.infer<typeof Gateway>;

/** @throws naming the stage and every setting that is missing or wrong, one a line */
export function parseSettings(stage: string, values: unknown): Settings {
  const parsed = Settings.safeParse(values);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    (issue) => `  ${issue.path.join(".") || "(all)"}: ${issue.message}`,
  );
  throw new Error(
    `stage "${stage}" (infra/stages.ts) has missing or wrong settings:\n${problems.join("\n")}`,
  );
}

/** @throws when the stage is unknown or its settings are incomplete */
export function settingsOf(stage: string): Settings {
  const values = stages[stage];
  if (!values) {
    throw new Error(`there is no stage "${stage}": infra/stages.ts has ${Object.keys(stages).join(", ")}`);
  }
  return parseSettings(stage, values);
}

const PLACEHOLDER = /example\.com|sha256:0{64}/;

/** Paths of the settings that still hold a committed placeholder: a plan can do with them, a deployment cannot. */
export function placeholdersIn(settings: Settings): string[] {
  const visit = (value: unknown, path: string): string[] => {
    if (typeof value === "string") return PLACEHOLDER.test(value) ? [path] : [];
    if (value === null || typeof value !== "object") return [];
    return Object.entries(value).flatMap(([key, item]) => visit(item, path ? `${path}.${key}` : key));
  };
  return visit(settings, "");
}
