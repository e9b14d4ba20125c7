import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { mockClient } from "aws-sdk-client-mock";
import { afterEach, expect, test, vi } from "vitest";
import { masterKey } from "./master-key.ts";

// Secrets Manager has no engine here.
const secrets = mockClient(SecretsManagerClient);
afterEach(() => {
  secrets.reset();
  vi.useRealTimers();
});

test("is asked of Secrets Manager once in some minutes, so that a rotated one comes to be known", async () => {
  vi.useFakeTimers();
  secrets.on(GetSecretValueCommand, { SecretId: "arn:key" }).resolves({ SecretString: "sk-old" });
  const key = masterKey({ LITELLM_MASTER_KEY_SECRET: "arn:key" });
  expect([await key(), await key()]).toEqual(["sk-old", "sk-old"]);
  expect(secrets.calls()).toHaveLength(1);
  secrets.on(GetSecretValueCommand).resolves({ SecretString: "sk-new" });
  vi.advanceTimersByTime(5 * 60_000 + 1);
  expect(await key()).toBe("sk-new");
});

test("one from the environment is taken as it is, and none is none", async () => {
  expect(await masterKey({ LITELLM_MASTER_KEY: "sk-here" })()).toBe("sk-here");
  expect(await masterKey({})()).toBeNull();
  expect(secrets.calls()).toHaveLength(0);
});
