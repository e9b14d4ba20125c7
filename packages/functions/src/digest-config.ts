/** What the digest function needs from its environment. */
import { AUDIT_PREFIX, DIGEST } from "@central-llm/core/platform";
import { z } from "zod";

const DigestConfig = z.object({
  AUDIT_BUCKET: z.string().min(1),
  AUDIT_PREFIX: z.string().min(1).default(AUDIT_PREFIX),
  /** A KMS key of kind ECC_NIST_P256 for signing: its id, ARN or alias. */
  SIGNING_KEY_ID: z.string().min(1),
  /** Days before an hour in which its objects may lie: more while old objects are copied into the bucket. */
  DIGEST_LOOK_BACK_DAYS: z.coerce.number().int().positive().default(DIGEST.lookBackDays),
});

/** @throws {Error} one line that names what is missing or wrong */
export function digestConfig(env: Record<string, string | undefined>): z.infer<typeof DigestConfig> {
  const config = DigestConfig.safeParse(env);
  if (config.success) return config.data;
  const wrong = config.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new Error(`the digest function's environment is incomplete: ${wrong.join("; ")}`);
}
