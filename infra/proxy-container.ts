/** Our proxy as a container: the same image and the same environment in front of vLLM and in front of Bedrock. */
import { AUDIT_PREFIX } from "@central-llm/core/platform";
import { STATEMENT_PREFIX } from "@central-llm/core/writer-statement";
import { bucket } from "./audit-storage.ts";
import { key } from "./encryption.ts";
import { proxyRepository } from "./image-build.ts";
import type { Right } from "./service-role.ts";
import { region, settings } from "./stage.ts";

export const SPOOL_VOLUME = "spool";
const SPOOL_DIR = "/var/spool/central-llm";

export interface ProxyContainerArgs {
  port: number;
  cpu?: number;
  memoryMb: number;
  logGroup: aws.cloudwatch.LogGroup;
  environment: Record<string, $util.Input<string>>;
  secrets?: Record<string, $util.Input<string>>;
  dependsOn?: { containerName: string; condition: string }[];
}

/** Name and value pairs as a container definition wants them. */
export const pairs = (values: Record<string, $util.Input<string>>) =>
  Object.entries(values).map(([name, value]) => ({ name, value }));

export const logsTo = (group: aws.cloudwatch.LogGroup, prefix: string) => ({
  logDriver: "awslogs",
  options: { "awslogs-group": group.name, "awslogs-region": region, "awslogs-stream-prefix": prefix },
});

export function proxyContainer(args: ProxyContainerArgs) {
  return {
    name: "audit-proxy",
    image: $interpolate`${proxyRepository.repositoryUrl}:latest`,
    essential: true,
    ...(args.cpu && { cpu: args.cpu }),
    memory: args.memoryMb,
    user: "node",
    readonlyRootFilesystem: true,
    mountPoints: [{ sourceVolume: SPOOL_VOLUME, containerPath: SPOOL_DIR, readOnly: false }],
    portMappings: [{ containerPort: args.port, protocol: "tcp" }],
    // Longer than the two time-outs below together: answers in flight end, then the spool is sent.
    stopTimeout: 120,
    environment: pairs({
      HOST: "0.0.0.0",
      PORT: String(args.port),
      AUDIT_BUCKET: bucket.name,
      AUDIT_PREFIX,
      AUDIT_MODE: settings.audit.mode,
      AWS_REGION: region,
      SPOOL_DIR,
      DRAIN_TIMEOUT_MS: "90000",
      FLUSH_TIMEOUT_MS: "20000",
      // A quarter for bodies: as much again is copied on their way to S3, and the rest is node's own.
      MAX_BUFFERED_BYTES: String(Math.floor(args.memoryMb / 4) * 1024 * 1024),
      ...args.environment,
    }),
    ...(args.secrets && {
      secrets: Object.entries(args.secrets).map(([name, valueFrom]) => ({ name, valueFrom })),
    }),
    ...(args.dependsOn && { dependsOn: args.dependsOn }),
    healthCheck: {
      // No curl in the image, and no shell needed.
      command: ["CMD", "node", "health-check.js"],
      interval: 30,
      timeout: 5,
      retries: 3,
      startPeriod: 60,
    },
    logConfiguration: logsTo(args.logGroup, "proxy"),
  };
}

/** What the proxy's code asks of AWS. GetObject is for HeadObject: after a lost answer the uploader looks whether its
 * own upload arrived. */
export const proxyRights: Right[] = [
  {
    actions: ["s3:PutObject"],
    resources: [AUDIT_PREFIX, STATEMENT_PREFIX].map((prefix) => $interpolate`${bucket.arn}/${prefix}/*`),
  },
  { actions: ["s3:GetObject"], resources: [$interpolate`${bucket.arn}/${AUDIT_PREFIX}/*`] },
  { actions: ["kms:GenerateDataKey", "kms:Decrypt"], resources: [key.arn] },
];
