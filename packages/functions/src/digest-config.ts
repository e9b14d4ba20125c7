/** What the digest function needs from its environment. */
import { AUDIT_PREFIX, DIGEST, DIGEST_FUNCTION } from "@central-llm/core/platform";
import { z } from "zod";
import { fromEnvironment } from "./environment.ts";

const DigestConfig = z.object({
  AUDIT_BUCKET: z.string().min(1),
  AUDIT_PREFIX: z.string().min(1).default(AUDIT_PREFIX),
  /** A KMS key of kind ECC_NIST_P256 for signing: its id, ARN or alias. */
  SIGNING_KEY_ID: z.string().min(1),
  /** Days before an hour in which its objects may lie: more while old objects are copied into the bucket. */
  DIGEST_LOOK_BACK_DAYS: z.coerce.number().int().positive().default(DIGEST.lookBackDays),
});

/** @throws {Error} one line that names each missing or bad variable */
export const digestConfig = (env: Record<string, string | undefined>): z.infer<typeof DigestConfig> =>
  fromEnvironment(DIGEST_FUNCTION, DigestConfig, env);
