/** The console as a process of its own: the issuer, the API's function, and the page. Prints `{"msg":"listening","url":…}`. */
import { join } from "node:path";
import * as Platform from "@central-llm/core/platform";
import { z } from "zod";
import { accountsFile, loadAccounts } from "./console-accounts.ts";
import { startConsole } from "./console-host.ts";
import { tokenCheck } from "./console-token.ts";
import { startIssuer } from "./issuer.ts";
import { CLIENT_ID, GROUPS_CLAIM } from "./issuer-configuration.ts";
import { lambdaFunction } from "./lambda-function.ts";

const Port = z.coerce.number().int().min(0).max(65_535);

const settings = z
  .object({
    PORT: Port,
    ISSUER_PORT: Port,
    /** Holds accounts and the signing key. */
    DATA_DIR: z.string().min(1),
    AWS_ENDPOINT_URL: z.url(),
    AWS_REGION: z.string().min(1),
    TABLE_NAME: z.string().min(1),
    INGEST_QUEUE_URL: z.url(),
    AUDIT_DLQ_URL: z.url(),
    EXPORT_QUEUE_URL: z.url(),
    EXPORT_BUCKET: z.string().min(1),
    AUDIT_BUCKET: z.string().min(1),
    AUDIT_PREFIX: z.string().min(1),
    GATEWAY_URL: z.url().optional(),
    LITELLM_MASTER_KEY: z.string().min(1).optional(),
    FUNCTIONS_DIR: z
      .string()
      .min(1)
      .default(join(import.meta.dirname, "../../functions/src")),
    SITE_DIR: z
      .string()
      .min(1)
      .default(join(import.meta.dirname, "../../web/dist")),
    ACCESS_TOKEN_SECONDS: z.coerce.number().int().positive().optional(),
  })
  .parse(process.env);

const {
  PORT,
  ISSUER_PORT,
  DATA_DIR,
  AWS_REGION: region,
  FUNCTIONS_DIR,
  SITE_DIR,
  ACCESS_TOKEN_SECONDS,
  ...rest
} = settings;
const issuer = await startIssuer({
  port: ISSUER_PORT,
  consoleOrigin: `http://127.0.0.1:${PORT}`,
  accounts: loadAccounts(accountsFile({ console: DATA_DIR })),
  keyFile: join(DATA_DIR, "signing-key.json"),
  ...(ACCESS_TOKEN_SECONDS && { accessTokenSeconds: ACCESS_TOKEN_SECONDS }),
});
const { AWS_REGION: _, ...environment } = { ...rest, AWS_REGION: region };
const api = lambdaFunction(
  {
    name: Platform.API_FUNCTION,
    handlerFile: join(FUNCTIONS_DIR, "api/router.ts"),
    environment: {
      ...(environment as Record<string, string>),
      OIDC_ISSUER: issuer.url,
      OIDC_CLIENT_ID: CLIENT_ID,
      OIDC_GROUPS_CLAIM: GROUPS_CLAIM,
    },
    region,
    timeoutSeconds: 29,
    memoryMb: 512,
    maxConcurrency: 2,
  },
  (line) => console.log(line),
);
const host = await startConsole({
  port: PORT,
  siteFolder: SITE_DIR,
  issuer: issuer.url,
  check: tokenCheck(issuer.url, CLIENT_ID),
  api,
});
// Before the first call, so that it does not wait for a cold start.
api.warm();
console.log(JSON.stringify({ level: "info", msg: "listening", url: host.url, issuer: issuer.url }));

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    Promise.all([host.stop(), issuer.stop(), api.stop()]).then(() => process.exit(0));
  });
}
