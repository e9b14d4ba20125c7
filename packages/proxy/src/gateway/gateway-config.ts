/** The configuration of profile gateway: environment variables, parsed once at boot. */
import type { ModelList } from "@central-llm/core/model";
import { PORTS } from "@central-llm/core/platform";
import { TIERS, Tiers } from "@central-llm/core/virtual-key";
import { z } from "zod";
import { common, type Derived, derived, parseVariables, port, positive } from "../config.ts";
import { AdmissionSettings } from "./admission.ts";
import { GuardrailConfig } from "./bedrock-guardrail.ts";
import { DatabaseSettings } from "./database.ts";
import { modelList, upstreamKeys } from "./gateway-models.ts";
import type { Patience } from "./patient-stream.ts";
import { PlatformPolicy } from "./pii-guard.ts";

/** A variable that holds JSON; a fault in it is named, its value is not. */
const json = <Schema extends z.ZodType>(schema: Schema) =>
  z
    .string()
    .transform((text, context) => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        context.addIssue({ code: "custom", message: "not valid JSON" });
        return z.NEVER;
      }
    })
    .pipe(schema);

const database = {
  ...DatabaseSettings.shape,
  /** Absent when the parts are given one by one. */
  DATABASE_URL: DatabaseSettings.shape.DATABASE_URL.optional(),
  DATABASE_HOST: z.string().min(1).optional(),
  DATABASE_PORT: port(5432),
  DATABASE_NAME: z.string().min(1).optional(),
  DATABASE_USERNAME: z.string().min(1).optional(),
  DATABASE_PASSWORD: z.string().min(1).optional(),
  /**
   * Of a database that is given by its parts: `require` encrypts, as RDS demands; `verify` also checks the server's
   * certificate (NODE_EXTRA_CA_CERTS names RDS's authorities).
   */
  DATABASE_TLS: z.enum(["require", "verify", "off"]).default("require"),
};

const Gateway = z.object({
  PROFILE: z.literal("gateway"),
  PORT: port(PORTS.gateway),
  ...common,
  ...database,
  ...AdmissionSettings.shape,
  /** `native`: we decide on keys and limits and call Bedrock. `litellm`: a LiteLLM server behind us does. */
  GATEWAY_ENGINE: z.enum(["native", "litellm"]).default("native"),
  LITELLM_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** Administers keys. Whoever has it may also call every model. */
  LITELLM_MASTER_KEY: z.string().min(8, "at least 8 characters"),
  /** Where a file a day says what was spent; absent: nowhere. */
  COST_TRACKING_BUCKET: z.string().min(3).optional(),
  COST_FILE_EVERY_MS: positive(3_600_000),
  KEY_TIERS: json(Tiers).default(TIERS),

  MODELS: json(z.unknown()).optional(),
  /** Of the inference profiles: eu, us, apac, global …; default: the region's own continent. */
  MODEL_GEOGRAPHY: z
    .string()
    .regex(/^[a-z]{2,6}$/)
    .optional(),
  MODEL_ATTEMPTS: positive(3),
  MODEL_RETRY_BASE_MS: positive(200),
  MODEL_RETRY_MAX_MS: positive(2_000),
  /** For all attempts of a call until its answer begins; a client that names a shorter time is given that. */
  MODEL_DEADLINE_MS: positive(600_000),
  /** LiteLLM's switch: leave out what the provider cannot honour, instead of refusing it. */
  DROP_PARAMS: z.stringbool().default(false),
  AWS_ENDPOINT_URL_BEDROCK_RUNTIME: z.url().optional(),
  BEDROCK_TRANSPORT: z.enum(["signed", "sdk"]).default("signed"),
  BEDROCK_CONNECTIONS: positive(512),
  /** To each OpenAI-compatible server. */
  UPSTREAM_CONNECTIONS: positive(512),

  PII_ENGINE: z.enum(["local", "bedrock-guardrail"]).default("local"),
  /** What differs from the default policy, as JSON: {"EMAIL":"mask"}. */
  PII_POLICY: json(PlatformPolicy).optional(),
  GUARDRAIL_ID: z.string().min(1).optional(),
  GUARDRAIL_VERSION: GuardrailConfig.shape.guardrailVersion.optional(),
  GUARDRAIL_TIMEOUT_MS: positive(5_000),
});

type Parsed = z.output<typeof Gateway>;
type Variable = keyof Parsed & string;

/** What is needed because of another variable; asked also when others are at fault, so that all are named at once. */
const needs = (path: Variable, message: string, because: (config: Parsed) => boolean) =>
  [
    (config: Parsed) => config[path] !== undefined || !because(config),
    { path: [path] as PropertyKey[], message, when: () => true },
  ] as const;

const PARTS = ["DATABASE_HOST", "DATABASE_NAME", "DATABASE_USERNAME", "DATABASE_PASSWORD"] as const;
const IN_PARTS = "required, or DATABASE_URL in place of all DATABASE_* parts";
const GUARDRAIL = "required for PII_ENGINE=bedrock-guardrail";
const guarded = (config: Parsed) => config.PII_ENGINE === "bedrock-guardrail";
const NEEDS = [
  ...PARTS.map((part) => needs(part, IN_PARTS, ({ DATABASE_URL }) => DATABASE_URL === undefined)),
  needs(
    "LITELLM_URL",
    "required for GATEWAY_ENGINE=litellm",
    (config) => config.GATEWAY_ENGINE === "litellm",
  ),
  needs("GUARDRAIL_ID", GUARDRAIL, guarded),
  needs("GUARDRAIL_VERSION", GUARDRAIL, guarded),
];
const Checked = NEEDS.reduce((schema, [holds, fault]) => schema.refine(holds, fault), Gateway);

export interface GatewayConfig extends Omit<Parsed, "DATABASE_URL" | "MODELS">, Derived {
  DATABASE_URL: string;
  models: ModelList;
  /** Keys of OpenAI-compatible servers, by the variables that their models name. */
  upstreamKeys: ReadonlyMap<string, string>;
  guardrail: GuardrailConfig | null;
  /** With every provider. */
  patience: Patience & { connectTimeoutMs: number };
}

/** @throws Error whose one-line message names every variable that is missing or wrong */
export function parseGatewayConfig(environment: Record<string, unknown>): GatewayConfig {
  const config = parseVariables(Checked, environment);
  const { GUARDRAIL_ID, GUARDRAIL_VERSION, GUARDRAIL_TIMEOUT_MS } = config;
  const models = modelList(config.MODELS, { region: config.AWS_REGION, geography: config.MODEL_GEOGRAPHY });
  return {
    ...config,
    ...derived(config, config.PROFILE),
    DATABASE_URL: config.DATABASE_URL ?? databaseUrl(config),
    models,
    upstreamKeys: upstreamKeys(models, environment),
    patience: {
      connectTimeoutMs: config.CONNECT_TIMEOUT_MS,
      firstByteTimeoutMs: config.FIRST_BYTE_TIMEOUT_MS,
      idleTimeoutMs: config.IDLE_TIMEOUT_MS,
    },
    guardrail:
      config.PII_ENGINE === "local" || GUARDRAIL_ID === undefined || GUARDRAIL_VERSION === undefined
        ? null
        : {
            guardrailId: GUARDRAIL_ID,
            guardrailVersion: GUARDRAIL_VERSION,
            timeoutMs: GUARDRAIL_TIMEOUT_MS,
          },
  };
}

/** node-postgres's words (pg-connection-string). */
const TLS = { require: "?sslmode=no-verify", verify: "?sslmode=verify-full", off: "" };

function databaseUrl(config: Parsed): string {
  const [host, name, user, password] = PARTS.map((part) => encodeURIComponent(config[part] ?? ""));
  return `postgresql://${user}:${password}@${host}:${config.DATABASE_PORT}/${name}${TLS[config.DATABASE_TLS]}`;
}
