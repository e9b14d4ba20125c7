/** The proxy's configuration: environment variables, parsed once at boot; what both profiles need, and profile central's own. */
import { hostname } from "node:os";
import type { Profile } from "@central-llm/core/audit-record";
import { AUDIT_PREFIX } from "@central-llm/core/platform";
import { z } from "zod";
import { otelVariables, type TelemetrySettings, telemetrySettings } from "./telemetry-settings.ts";

const MEBIBYTE = 1024 * 1024;
export const positive = (fallback: number) => z.coerce.number().int().positive().default(fallback);

export const port = (fallback: number) => z.coerce.number().int().min(0).max(65_535).default(fallback);

/** Of both profiles. */
export const common = {
  HOST: z.string().min(1).default("0.0.0.0"),

  AUDIT_BUCKET: z.string().min(3),
  AUDIT_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/, "no leading or trailing slash")
    .default(AUDIT_PREFIX),
  AUDIT_MODE: z.enum(["async", "spool", "strict"]).default("spool"),
  AUDIT_MAX_BODY_BYTES: positive(MEBIBYTE),
  AUDIT_UPLOAD_CONCURRENCY: positive(64),
  /** A writer says in S3 how far it has numbered this often, while that grows. */
  AUDIT_STATEMENT_EVERY_MS: positive(60_000),
  AWS_REGION: z.string().min(1),
  AWS_ENDPOINT_URL_S3: z.url().optional(),
  AWS_ENDPOINT_URL: z.url().optional(),
  SPOOL_DIR: z.string().min(1),
  SPOOL_MAX_BYTES: positive(8 * 1024 * MEBIBYTE),
  SPOOL_SEGMENT_BYTES: positive(32 * MEBIBYTE),
  /** At most this long between a record's write and its fdatasync. */
  SPOOL_SYNC_INTERVAL_MS: positive(5),
  /** Between two looks for spools of writers that died. */
  SPOOL_RECOVERY_EVERY_MS: positive(10_000),
  /** The first part of the writer's name in the chain: the ECS task id, or the host's name. */
  WRITER_NAME: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/)
    .optional(),

  MAX_BODY_BYTES: positive(10 * MEBIBYTE),
  MAX_HEADER_BYTES: positive(32 * 1024),
  MAX_CONCURRENT_REQUESTS: positive(1024),
  /** Bodies held in memory at one time, over all requests; more than these are refused with 503. Size it to the task's memory. */
  MAX_BUFFERED_BYTES: positive(32 * MEBIBYTE),
  CONNECT_TIMEOUT_MS: positive(5_000),
  FIRST_BYTE_TIMEOUT_MS: positive(300_000),
  IDLE_TIMEOUT_MS: positive(120_000),
  /** A client must have sent its head within this time … */
  HEAD_TIMEOUT_MS: positive(20_000),
  /** … and its whole request within this. */
  REQUEST_TIMEOUT_MS: positive(60_000),
  /** When it must stop: how long open requests may go on … */
  DRAIN_TIMEOUT_MS: positive(30_000),
  /** … and how long, after them, the audit objects and spend rows that wait may take to S3 and PostgreSQL. */
  FLUSH_TIMEOUT_MS: positive(20_000),
  /** One JSON line a request on stdout, without prompts and answers. */
  ACCESS_LOG: z.enum(["on", "off"]).default("on"),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "silent"]).default("info"),
  ...otelVariables,
};

const Central = z.object({
  PROFILE: z.literal("central").default("central"),
  PORT: port(8000),
  /** An OpenAI-compatible server; with or without its `/v1`. */
  UPSTREAM_URL: z.url({ protocol: /^https?$/ }).default("http://127.0.0.1:8001"),
  /** When set, sent to the upstream in place of the client's Authorization. */
  UPSTREAM_API_KEY: z.string().min(1).optional(),
  /** What the audit calls the upstream. */
  UPSTREAM_PROVIDER: z.string().min(1).default("vllm"),
  /** `ask`: streams are asked for their token usage, and the extra chunk is hidden from clients that did not ask. */
  STREAM_USAGE: z.enum(["ask", "off"]).default("ask"),
  ...common,
});

/** What is worked out from variables, for both profiles. */
export interface Derived {
  writerName: string;
  s3Endpoint: string | undefined;
  /** Null while OpenTelemetry is off, as it is by default. */
  telemetry: TelemetrySettings | null;
}
const Common = z.object(common);
/** What the audit's end of a proxy needs, whichever profile it has. */
export type CommonConfig = z.infer<typeof Common> & Derived & { PROFILE: Profile };
export type Config = z.infer<typeof Central> & Derived;
export type Settings = z.input<typeof Central>;

/** @throws Error whose one-line message names every variable that is missing or wrong */
export function parseConfig(environment: Record<string, unknown>): Config {
  const config = parseVariables(Central, environment);
  return { ...config, ...derived(config, config.PROFILE) };
}

/** An empty variable counts as absent. @throws as `parseConfig` */
export function parseVariables<Schema extends z.ZodType>(
  schema: Schema,
  environment: Record<string, unknown>,
): z.output<Schema> {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
  const parsed = schema.safeParse(set);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new Error(`The proxy's configuration is incomplete: ${problems.join("; ")}`);
}

export function derived(config: z.infer<typeof Common>, profile: Profile): Derived {
  const host = hostname().replace(/[^A-Za-z0-9._-]/g, "-");
  return {
    writerName: config.WRITER_NAME ?? (host.slice(0, 64) || "proxy"),
    s3Endpoint: config.AWS_ENDPOINT_URL_S3 ?? config.AWS_ENDPOINT_URL,
    telemetry: telemetrySettings(config, profile),
  };
}
