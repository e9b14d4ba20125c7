// biome-ignore-all lint/suspicious/noTemplateCurlyInString: pieces of source text
/** Settings whose breaking a test must notice: one of each line of the platform's description. */
export interface Mutation {
  /** The test file that must notice. */
  suite: string;
  file: string;
  from: string;
  to: string;
}

const change =
  (suite: string) =>
  (file: string, from: string, to: string): Mutation => ({ suite, file: `infra/${file}`, from, to });
const network = change("network");
const encryption = change("encryption");
const audit = change("audit");
const permissions = change("permissions");
const central = change("central");
const api = change("central-api");
const centralAlarms = change("central-monitoring");
const database = change("gateway-database");
const gateway = change("gateway");
const firewall = change("web-firewall");
const console = change("console");
const monitoring = change("monitoring");
const switches = change("switches");

export const MUTATIONS: Mutation[] = [
  network("stages.ts", '["10.1.13.0/24", "10.1.14.0/24"]', '["10.1.21.0/24", "10.1.22.0/24"]'),
  network("stages.ts", 'nat: "per-zone"', 'nat: "one"'),
  network(
    "network.ts",
    'routes("DatabaseRoutes", databaseSubnets)',
    'routes("DatabaseRoutes", databaseSubnets, { gatewayId: internet.id })',
  ),
  network(
    "security-groups.ts",
    '"TasksToDatabase", tasks, "egress", DATABASE_PORT',
    '"TasksToDatabase", tasks, "egress", 5433',
  ),
  encryption("encryption.ts", "enableKeyRotation: true", "enableKeyRotation: false"),
  encryption("log-group.ts", ", kmsKeyId: key.arn", ""),
  encryption("audit-ingest.ts", "        queue.kmsMasterKeyId = key.arn;\n", ""),
  audit("audit-storage.ts", 'mode: "COMPLIANCE"', 'mode: "GOVERNANCE"'),
  audit("audit-storage.ts", '"s3:DeleteObjectVersion", ', ""),
  audit("audit-storage.ts", 'variable: "s3:if-none-match"', 'variable: "s3:if-match"'),
  audit("stages.ts", "glacierAfterDays: 90", "glacierAfterDays: 180"),
  audit("audit-ingest.ts", "partialResponses: true", "partialResponses: false"),
  audit("audit-ingest.ts", "retry: INGEST.maxReceiveCount", "retry: 3"),
  audit("audit-ingest.ts", 'filterSuffix: ".json"', 'filterSuffix: ".jsonl"'),
  audit("audit-table.ts", "TTL_ATTRIBUTE, enabled: true", "TTL_ATTRIBUTE, enabled: false"),
  audit("stage.ts", "retainOnDelete: settings.production", "retainOnDelete: false"),
  permissions("audit-ingest.ts", 'actions: ["dynamodb:BatchWriteItem"]', 'actions: ["dynamodb:*"]'),
  api("central-api.ts", 'args.responseTransferMode = "STREAM"', 'args.responseTransferMode = "BUFFERED"'),
  api(
    "central-api.ts",
    '"context.identity.apiKeyId",\n    },\n  },',
    '"method.request.header.x",\n    },\n  },',
  ),
  api("central-api.ts", "apiKey: true", "apiKey: false"),
  api("central-api.ts", "validateRequestParameters: true", "validateRequestParameters: false"),
  api("components/private-balancer.ts", "const IDLE_SECONDS = 960", "const IDLE_SECONDS = 350"),
  central("stages.ts", 'instanceType: "g6e.2xlarge"', 'instanceType: "g6e.4xlarge"'),
  central("components/model-capacity.ts", 'httpTokens: "required"', 'httpTokens: "optional"'),
  central("components/central-model.ts", "rollback: true", "rollback: false"),
  central("model-containers.ts", "startPeriod: model.startSeconds", "startPeriod: 60"),
  central("stages.ts", "  exec: false,", "  exec: true,"),
  gateway(
    "components/public-balancer.ts",
    "ELBSecurityPolicy-TLS13-1-2-2021-06",
    "ELBSecurityPolicy-2016-08",
  ),
  firewall("stages.ts", "rateLimit: 2000", "rateLimit: 20000"),
  firewall("web-firewall.ts", '["SizeRestrictions_BODY", "SizeRestrictions_Body"],', ""),
  firewall("firewall-logs.ts", '["authorization", "x-api-key", "cookie"]', '["x-api-key", "cookie"]'),
  database(
    "gateway-database.ts",
    '{ name: "rds.force_ssl", value: "1" }',
    '{ name: "rds.force_ssl", value: "0" }',
  ),
  database("stages.ts", "multiAz: true", "multiAz: false"),
  gateway("components/litellm-gateway.ts", "scaleInCooldown: 300", "scaleInCooldown: 60"),
  gateway("gateway-service.ts", "DATABASE_PASSWORD: $interpolate`${passwordSecretArn}:password::`,", ""),
  gateway("gateway-service.ts", "MODELS: JSON.stringify(configured.models),", "MODELS: masterKey.value,"),
  permissions("gateway-rights.ts", "foundation-model/${modelId}", "foundation-model/*"),
  console("console-sign-in.ts", 'mfa: "on"', 'mfa: "optional"'),
  monitoring("alarm.ts", "alarmActions: [topic.arn]", "alarmActions: []"),
  monitoring("gateway-alarms.ts", "threshold: { above: 3 }", "threshold: { above: 30 }"),
  centralAlarms("central-monitoring.ts", '"desired - running"', '"running - desired"'),
  audit("digest-key.ts", 'keyUsage: "SIGN_VERIFY"', 'keyUsage: "ENCRYPT_DECRYPT"'),
  audit("schedules.ts", "cron(30 * * * ? *)", "cron(0 * * * ? *)"),
  audit("schedules.ts", "SIGNING_KEY_ID: signingKey.arn", "SIGNING_KEY_ID: key.arn"),
  permissions("schedules.ts", '"kms:GetPublicKey"]', '"kms:GetPublicKey", "kms:ScheduleKeyDeletion"]'),
  permissions("audit-ingest.ts", ', "sqs:ChangeMessageVisibility"', ""),
  centralAlarms("schedules.ts", 'missingData: "breaching"', 'missingData: "notBreaching"'),
  api("central-api.ts", "String(known.status)", '"500"'),
  gateway("gateway-service.ts", "DATABASE_HOST: database.address,", ""),
  gateway("gateway-service.ts", "GATEWAY_ENGINE: configured.engine", 'GATEWAY_ENGINE: "native"'),
  switches("gateway-rights.ts", 'variable: "bedrock:InferenceProfileArn"', 'variable: "aws:PrincipalArn"'),
  switches("gateway-service.ts", ", ...serverKeys.map(({ arn }) => arn)]", "]"),
];
