/** The programs of the local platform: what runs, with which environment, in the order in which it starts. */
import { join } from "node:path";
import * as Platform from "@central-llm/core/platform";
import { CREDENTIALS } from "./audit-platform.ts";
import { REGION } from "./aws-endpoint.ts";
import type { GatewayKeys } from "./gateway-keys.ts";
import type { LocalFolder } from "./local-folder.ts";
import type { PortName } from "./local-ports.ts";
import { databaseUrl } from "./postgres.ts";
import type { Program } from "./supervised-process.ts";

/** LiteLLM's tables are in it. */
const GATEWAY_DATABASE = "litellm";

export interface PlatformSettings {
  folder: LocalFolder;
  ports: Record<PortName, number>;
  usagePlan: string;
  /** Of the gateway. */
  masterKey: string;
  /** An OpenAI-compatible server in place of the demo model. */
  upstreamUrl: string | undefined;
  /** Of the person at the terminal: variables that reach the proxy unchanged. */
  environment: NodeJS.ProcessEnv;
}

/** What a person may set for the proxy. */
const PROXY_VARIABLES = [
  "AUDIT_MODE",
  "AUDIT_MAX_BODY_BYTES",
  "LOG_LEVEL",
  "STREAM_USAGE",
  "UPSTREAM_API_KEY",
  "UPSTREAM_PROVIDER",
  "FIRST_BYTE_TIMEOUT_MS",
  "IDLE_TIMEOUT_MS",
];

/** What a person may set for the gateway. */
const GATEWAY_VARIABLES = [
  "AUDIT_MODE",
  "AUDIT_MAX_BODY_BYTES",
  "LOG_LEVEL",
  "MODELS",
  "DROP_PARAMS",
  "KEY_TIERS",
  "PII_ENGINE",
  "PII_POLICY",
  "GUARDRAIL_ID",
  "GUARDRAIL_VERSION",
  "WHEN_DATABASE_AWAY",
];

const local = (port: number) => `http://127.0.0.1:${port}`;

/** `AWS_ENDPOINT_URL` and its companions for any AWS client. */
export function awsVariables(ports: Record<PortName, number>): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: local(ports.aws),
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
  };
}

function present(environment: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])));
}

/** OpenTelemetry's standard variables, the exporters' own included. */
function openTelemetry(environment: NodeJS.ProcessEnv): Record<string, string> {
  return present(
    environment,
    Object.keys(environment).filter((name) => name.startsWith("OTEL_")),
  );
}

/** What takes requests stops first, what keeps the data last: the proxy uploads what it holds, then its store goes. */
export const STOP_ORDER = [
  "console",
  "edge",
  "gateway",
  "proxy",
  "lambda",
  "model",
  "bedrock",
  "postgres",
  "aws",
] as const;

/** In order of start; those of one row start together. */
export function platformPrograms(settings: PlatformSettings): Program[][] {
  const { folder, ports } = settings;
  const queueUrl = (name: string) => `${local(ports.aws)}/000000000000/${name}`;
  const program = (
    name: (typeof STOP_ORDER)[number],
    file: string,
    environment: Record<string, string>,
    healthUrl: string | null,
  ): Program => ({
    name,
    file: join(import.meta.dirname, file),
    // TZ and the like are left out on purpose: a server's processes have none of a person's settings.
    environment: {
      NODE_ENV: "development",
      NODE_COMPILE_CACHE: folder.cache,
      // Without it, Node has no network on Windows.
      ...present(settings.environment, ["SystemRoot"]),
      ...environment,
    },
    healthUrl,
  });
  const aws = awsVariables(ports);
  const trail = {
    TABLE_NAME: Platform.TABLE_NAME,
    INGEST_QUEUE_URL: queueUrl(Platform.INGEST_QUEUE),
    AUDIT_DLQ_URL: queueUrl(Platform.DEAD_LETTER_QUEUE),
    EXPORT_QUEUE_URL: queueUrl(Platform.EXPORT_QUEUE),
    EXPORT_BUCKET: Platform.EXPORT_BUCKET,
    AUDIT_BUCKET: Platform.AUDIT_BUCKET,
    AUDIT_PREFIX: Platform.AUDIT_PREFIX,
    ...present(settings.environment, ["FUNCTIONS_DIR"]),
  };
  return [
    [
      program(
        "aws",
        "aws-main.ts",
        { PORT: String(ports.aws), DATA_DIR: folder.data },
        `${local(ports.aws)}/health`,
      ),
      ...(settings.upstreamUrl
        ? []
        : [
            program(
              "model",
              "demo-model-main.ts",
              { PORT: String(ports.demoModel) },
              `${local(ports.demoModel)}/health`,
            ),
          ]),
      program(
        "edge",
        "edge-main.ts",
        {
          PORT: String(ports.edge),
          UPSTREAM_URL: local(ports.centralProxy),
          DATA_DIR: folder.edge,
          USAGE_PLAN: settings.usagePlan,
        },
        `${local(ports.edge)}/ping`,
      ),
      program(
        "postgres",
        "postgres-main.ts",
        { PORT: String(ports.postgres), DATA_DIR: join(folder.data, "postgres"), DATABASE: GATEWAY_DATABASE },
        null,
      ),
      program("bedrock", "bedrock-main.ts", { PORT: String(ports.bedrock) }, null),
    ],
    [
      program(
        "gateway",
        "../../proxy/src/main.ts",
        {
          ...aws,
          NODE_OPTIONS: Platform.GATEWAY_NODE_OPTIONS,
          PROFILE: "gateway",
          HOST: "127.0.0.1",
          PORT: String(ports.gateway),
          DATABASE_URL: databaseUrl(ports.postgres, GATEWAY_DATABASE),
          LITELLM_MASTER_KEY: settings.masterKey,
          AWS_ENDPOINT_URL_BEDROCK_RUNTIME: local(ports.bedrock),
          AUDIT_BUCKET: Platform.AUDIT_BUCKET,
          AUDIT_PREFIX: Platform.AUDIT_PREFIX,
          COST_TRACKING_BUCKET: Platform.COST_TRACKING_BUCKET,
          SPOOL_DIR: join(folder.spool, "gateway"),
          WRITER_NAME: "local-gateway",
          DRAIN_TIMEOUT_MS: "3000",
          FLUSH_TIMEOUT_MS: "2000",
          ...present(settings.environment, GATEWAY_VARIABLES),
        },
        `${local(ports.gateway)}/health`,
      ),
      program(
        "proxy",
        "../../proxy/src/main.ts",
        {
          ...aws,
          NODE_OPTIONS: Platform.PROXY_NODE_OPTIONS,
          PROFILE: "central",
          HOST: "127.0.0.1",
          PORT: String(ports.centralProxy),
          UPSTREAM_URL: settings.upstreamUrl ?? local(ports.demoModel),
          AUDIT_BUCKET: Platform.AUDIT_BUCKET,
          AUDIT_PREFIX: Platform.AUDIT_PREFIX,
          SPOOL_DIR: join(folder.spool, "central"),
          WRITER_NAME: "local",
          DRAIN_TIMEOUT_MS: "3000",
          FLUSH_TIMEOUT_MS: "2000",
          ...present(settings.environment, PROXY_VARIABLES),
          ...openTelemetry(settings.environment),
        },
        `${local(ports.centralProxy)}/health`,
      ),
      program(
        "lambda",
        "lambda-main.ts",
        {
          ...aws,
          ...trail,
          ...present(settings.environment, ["RETRY_AFTER", "ROLLUP_EVERY"]),
        },
        null,
      ),
      program(
        "console",
        "console-main.ts",
        {
          ...aws,
          ...trail,
          PORT: String(ports.console),
          ISSUER_PORT: String(ports.issuer),
          DATA_DIR: folder.console,
          GATEWAY_URL: local(ports.gateway),
          LITELLM_MASTER_KEY: settings.masterKey,
          ...present(settings.environment, ["SITE_DIR", "ACCESS_TOKEN_SECONDS"]),
        },
        `${local(ports.console)}/health`,
      ),
    ],
  ];
}

/** The contents of `.local/env`. */
export function platformVariables(
  ports: Record<PortName, number>,
  apiKey: string,
  gatewayKeys: GatewayKeys,
): Record<string, string> {
  const queueUrl = (name: string) => `${local(ports.aws)}/000000000000/${name}`;
  return {
    ...awsVariables(ports),
    AUDIT_BUCKET: Platform.AUDIT_BUCKET,
    AUDIT_PREFIX: Platform.AUDIT_PREFIX,
    TABLE_NAME: Platform.TABLE_NAME,
    INGEST_QUEUE_URL: queueUrl(Platform.INGEST_QUEUE),
    AUDIT_DLQ_URL: queueUrl(Platform.DEAD_LETTER_QUEUE),
    CENTRAL_URL: local(ports.edge),
    CENTRAL_PROXY_URL: local(ports.centralProxy),
    CENTRAL_API_KEY: apiKey,
    GATEWAY_URL: local(ports.gateway),
    GATEWAY_API_KEY: gatewayKeys.demo,
    LITELLM_MASTER_KEY: gatewayKeys.master,
    DATABASE_URL: databaseUrl(ports.postgres, GATEWAY_DATABASE),
    CONSOLE_URL: local(ports.console),
  };
}
