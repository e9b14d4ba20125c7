/** The gateway's master key: from the environment, or from Secrets Manager, where it is asked for again after some minutes. */
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { ApiConfig } from "./api-config.ts";

/** A key that was rotated is known after this. */
const KEPT_MS = 5 * 60_000;

/** @returns null when none is configured @throws Secrets Manager's errors */
export type MasterKey = () => Promise<string | null>;

export function masterKey(
  config: Pick<ApiConfig, "LITELLM_MASTER_KEY" | "LITELLM_MASTER_KEY_SECRET">,
): MasterKey {
  const { LITELLM_MASTER_KEY: given, LITELLM_MASTER_KEY_SECRET: SecretId } = config;
  if (given !== undefined || SecretId === undefined) return async () => given ?? null;
  const client = new SecretsManagerClient({});
  let known: { key: string | null; until: number } | undefined;
  return async () => {
    if (known === undefined || known.until < Date.now()) {
      const { SecretString = null } = await client.send(new GetSecretValueCommand({ SecretId }));
      known = { key: SecretString, until: Date.now() + KEPT_MS };
    }
    return known.key;
  };
}
