/** What the console's API needs from its environment. */
import { API_FUNCTION, AUDIT_PREFIX, MAX_OBJECT_BYTES } from "@central-llm/core/platform";
import { z } from "zod";
import { fromEnvironment } from "../environment.ts";

const ApiConfig = z.object({
  TABLE_NAME: z.string().min(1),
  AUDIT_BUCKET: z.string().min(1),
  AUDIT_PREFIX: z.string().min(1).default(AUDIT_PREFIX),
  INGEST_QUEUE_URL: z.url(),
  AUDIT_DLQ_URL: z.url(),
  EXPORT_BUCKET: z.string().min(1),
  EXPORT_QUEUE_URL: z.url(),
  MAX_OBJECT_BYTES: z.coerce.number().int().positive().default(MAX_OBJECT_BYTES),
  OIDC_ISSUER: z.url(),
  OIDC_CLIENT_ID: z.string().min(1),
  OIDC_SCOPE: z.string().default("openid profile email"),
  OIDC_LOGOUT_URL: z.url().optional(),
  /** The claim of the access token that lists the person's groups. */
  OIDC_GROUPS_CLAIM: z.string().default("cognito:groups"),
  /** Without it there are no keys and budgets. */
  GATEWAY_URL: z.url().optional(),
  LITELLM_MASTER_KEY: z.string().min(1).optional(),
  /** In place of the key: the secret in Secrets Manager that holds it. */
  LITELLM_MASTER_KEY_SECRET: z.string().min(1).optional(),
});
export type ApiConfig = z.infer<typeof ApiConfig>;

/** @throws {Error} one line that names each missing or bad variable */
export const apiConfig = (env: Record<string, string | undefined>): z.infer<typeof ApiConfig> =>
  fromEnvironment(API_FUNCTION, ApiConfig, env);
