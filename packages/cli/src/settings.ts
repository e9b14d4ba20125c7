/**
 * Which platform the command talks to. The environment decides when it names one (AWS_ENDPOINT_URL, TABLE_NAME or
 * AUDIT_BUCKET); else the local platform, when `.local/env` is found in this folder or above; else AWS.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseEnv } from "node:util";
import { AUDIT_BUCKET, AUDIT_PREFIX, DIGEST_KEY_ALIAS, TABLE_NAME } from "@central-llm/core/platform";
import { z } from "zod";
import { EXIT, Failure } from "./failure.ts";

const Settings = z.object({
  AWS_ENDPOINT_URL: z.url().optional(),
  AWS_REGION: z.string().min(1).optional(),
  AWS_ACCESS_KEY_ID: z.string().min(1).optional(),
  AWS_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  AWS_SESSION_TOKEN: z.string().min(1).optional(),
  AUDIT_BUCKET: z.string().min(1).default(AUDIT_BUCKET),
  AUDIT_PREFIX: z.string().min(1).default(AUDIT_PREFIX),
  TABLE_NAME: z.string().min(1).default(TABLE_NAME),
  /** Found by their names when absent. */
  INGEST_QUEUE_URL: z.url().optional(),
  AUDIT_DLQ_URL: z.url().optional(),
  /** The KMS key that signs digests. */
  DIGEST_KEY_ID: z.string().min(1).default(DIGEST_KEY_ALIAS),
  CENTRAL_URL: z.url().optional(),
  CENTRAL_API_KEY: z.string().min(1).optional(),
  CENTRAL_PROXY_URL: z.url().optional(),
  GATEWAY_URL: z.url().optional(),
  LITELLM_MASTER_KEY: z.string().min(1).optional(),
  CONSOLE_URL: z.url().optional(),
});
export type Settings = z.infer<typeof Settings> & {
  /** Where the settings come from, for messages. */
  source: string;
};

type Env = Record<string, string | undefined>;

/** @param options.aws ignores `.local/env` @throws {Failure} when a variable is not valid */
export function settings(env: Env, cwd: string, options: { aws?: boolean } = {}): Settings {
  const named = env.AWS_ENDPOINT_URL ?? env.TABLE_NAME ?? env.AUDIT_BUCKET;
  const file = options.aws || named ? null : localEnvFile(cwd);
  const values: Env = file
    ? parseEnv(readFileSync(file, "utf8"))
    : { ...env, AWS_REGION: env.AWS_REGION ?? env.AWS_DEFAULT_REGION };
  const present = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ""));
  const parsed = Settings.safeParse(present);
  const source = file ?? "the environment";
  if (parsed.success) return { ...parsed.data, source };
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new Failure(EXIT.usage, `Settings from ${source} are not valid: ${faults.join("; ")}`);
}

function localEnvFile(folder: string): string | null {
  const file = join(folder, ".local", "env");
  if (existsSync(file)) return file;
  const parent = dirname(folder);
  return parent === folder ? null : localEnvFile(parent);
}
