/** The proxy's configuration: environment variables, parsed once at boot. */
import { hostname } from "node:os";
import { AUDIT_PREFIX } from "@central-llm/core/platform";
import { z } from "zod";

const MEBIBYTE = 1024 * 1024;
const positive = (fallback: number) => z.coerce.number().int().positive().default(fallback);

const Environment = z.object({
  PROFILE: z.enum(["central"]).default("central"),
  HOST: z.string().min(1).default("0.0.0.0"),
  PORT: z.coerce.number().int().min(0).max(65_535).default(8000),
  /** An OpenAI-compatible server; with or without its `/v1`. */
  UPSTREAM_URL: z.url({ protocol: /^https?$/ }).default("http://127.0.0.1:8001"),
  /** When set, sent to the upstream in place of the client's Authorization. */
  UPSTREAM_API_KEY: z.string().min(1).optional(),
  /** What the audit calls the upstream. */
  UPSTREAM_PROVIDER: z.string().min(1).default("vllm"),
  /** `ask`: streams are asked for their token usage, and the extra chunk is hidden from clients that did not ask. */
  STREAM_USAGE: z.enum(["ask", "off"]).default("ask"),

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
  DRAIN_TIMEOUT_MS: positive(30_000),
  /** One JSON line a request on stdout, without prompts and answers. */
  ACCESS_LOG: z.enum(["on", "off"]).default("on"),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "silent"]).default("info"),
});

export type Config = z.infer<typeof Environment> & { writerName: string; s3Endpoint: string | undefined };
export type Settings = z.input<typeof Environment>;

/** @throws Error whose one-line message names every variable that is missing or wrong */
export function parseConfig(environment: Record<string, unknown>): Config {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
  const parsed = Environment.safeParse(set);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new Error(`The proxy's configuration is incomplete: ${problems.join("; ")}`);
  }
  const config = parsed.data;
  return {
    ...config,
    writerName:
      config.WRITER_NAME ??
      (hostname()
        .replace(/[^A-Za-z0-9._-]/g, "-")
        .slice(0, 64) ||
        "proxy"),
    s3Endpoint: config.AWS_ENDPOINT_URL_S3 ?? config.AWS_ENDPOINT_URL,
  };
}
