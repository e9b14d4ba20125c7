/** LiteLLM's own container, for `engine: "litellm"`: behind our proxy, on the task's localhost. */
import { litellmModels } from "./gateway-models.ts";
import { logsTo, pairs } from "./proxy-container.ts";
import { type Gateway, reference } from "./settings.ts";
import { region } from "./stage.ts";

export const LITELLM_PORT = 4001;
/** Where the container writes the generated configuration to when it starts: its scratch volume. */
const CONFIG_FILE = "/tmp/config.yaml";
export const SCRATCH_VOLUME = "scratch";

/** LiteLLM's config.yaml, as JSON (which is YAML). No value in it is a secret: it names environment variables. */
export function litellmConfig(models: Gateway["models"]): string {
  return JSON.stringify({
    model_list: litellmModels(models, region),
    litellm_settings: { drop_params: true, request_timeout: 900, telemetry: false },
    general_settings: {
      master_key: "os.environ/LITELLM_MASTER_KEY",
      store_model_in_db: true,
      // Per task; five tasks stay below the 100 connections that the alarm's threshold counts with.
      database_connection_pool_limit: 10,
      disable_spend_logs: false,
    },
  });
}

export interface LiteLlmContainerArgs {
  gateway: Gateway;
  logGroup: aws.cloudwatch.LogGroup;
  databaseEnvironment: Record<string, $util.Input<string>>;
  secrets: { name: string; valueFrom: $util.Input<string> }[];
}

/** The migration ends before the server starts; when it fails, the task fails and the deployment rolls back. */
export function litellmContainers(args: LiteLlmContainerArgs) {
  const { gateway, logGroup, secrets } = args;
  const shared = {
    image: reference(gateway.litellm),
    // Prisma unpacks its engine into the home directory.
    mountPoints: [{ sourceVolume: SCRATCH_VOLUME, containerPath: "/tmp", readOnly: false }],
    secrets,
    logConfiguration: logsTo(logGroup, "litellm"),
  };
  const environment = {
    ...args.databaseEnvironment,
    AWS_REGION: region,
    LITELLM_LOG: "INFO",
    STORE_MODEL_IN_DB: "True",
    DATABASE_CONNECTION_POOL_MIN_SIZE: "10",
    DATABASE_CONNECTION_POOL_MAX_SIZE: "50",
  };
  const migration = {
    ...shared,
    name: "litellm-migration",
    essential: false,
    memory: 512,
    entryPoint: ["python", "/app/litellm/proxy/prisma_migration.py"],
    environment: pairs({ ...environment, DISABLE_SCHEMA_UPDATE: "False" }),
  };
  const server = {
    ...shared,
    name: "litellm-proxy",
    essential: true,
    cpu: gateway.litellmSize.cpu,
    memory: gateway.litellmSize.memoryMb - migration.memory,
    dependsOn: [{ containerName: migration.name, condition: "SUCCESS" }],
    entryPoint: ["sh", "-c"],
    command: [
      `printf '%s' "$LITELLM_CONFIG" > ${CONFIG_FILE} && exec litellm --config ${CONFIG_FILE} --host 127.0.0.1 --port ${LITELLM_PORT}`,
    ],
    environment: pairs({
      ...environment,
      LITELLM_CONFIG: litellmConfig(gateway.models),
      DISABLE_SCHEMA_UPDATE: "True",
    }),
    stopTimeout: 120,
    healthCheck: {
      command: [
        "CMD-SHELL",
        `python -c "import urllib.request as r; r.urlopen('http://127.0.0.1:${LITELLM_PORT}/health/liveliness', timeout=4)"`,
      ],
      interval: 30,
      timeout: 5,
      retries: 3,
      startPeriod: 120,
    },
  };
  return [migration, server];
}
