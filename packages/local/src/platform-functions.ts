/** The platform's Lambda functions as the local host runs them: names, limits and variables are the plan's (a test of infra/ compares them). */
import { join } from "node:path";
import * as Platform from "@central-llm/core/platform";
import type { FunctionSettings } from "./lambda-instance.ts";

export interface FunctionHostSettings {
  AWS_ENDPOINT_URL: string;
  AWS_REGION: string;
  TABLE_NAME: string;
  INGEST_QUEUE_URL: string;
  AUDIT_DLQ_URL: string;
  AUDIT_BUCKET: string;
  AUDIT_PREFIX: string;
  EXPORT_QUEUE_URL: string;
  EXPORT_BUCKET: string;
  /** Holds the handlers. */
  FUNCTIONS_DIR: string;
}

export type FunctionName = "ingest" | "reconcile" | "digest" | "rollup" | "export";

export function platformFunctions(settings: FunctionHostSettings): Record<FunctionName, FunctionSettings> {
  const { TABLE_NAME, INGEST_QUEUE_URL, AUDIT_BUCKET, AUDIT_PREFIX, EXPORT_BUCKET, EXPORT_QUEUE_URL } =
    settings;
  const fn = (
    file: FunctionName,
    name: string,
    limits: { timeoutSeconds: number; memoryMb: number },
    environment: Record<string, string>,
    maxConcurrency = 1,
  ): FunctionSettings => ({
    name,
    handlerFile: join(settings.FUNCTIONS_DIR, `${file}.ts`),
    environment: { ...environment, AWS_ENDPOINT_URL: settings.AWS_ENDPOINT_URL },
    region: settings.AWS_REGION,
    timeoutSeconds: limits.timeoutSeconds,
    memoryMb: limits.memoryMb,
    maxConcurrency,
  });
  return {
    ingest: fn(
      "ingest",
      Platform.INGEST_FUNCTION,
      Platform.INGEST,
      {
        TABLE_NAME,
        MAX_PREVIEW_CHARS: String(Platform.MAX_PREVIEW_CHARS),
        AUDIT_DLQ_URL: settings.AUDIT_DLQ_URL,
      },
      // Two cores serve a developer's whole machine; AWS's ten would only take turns here.
      2,
    ),
    reconcile: fn("reconcile", Platform.RECONCILE_FUNCTION, Platform.RECONCILE, {
      TABLE_NAME,
      AUDIT_BUCKET,
      AUDIT_PREFIX,
      INGEST_QUEUE_URL,
    }),
    digest: fn("digest", Platform.DIGEST_FUNCTION, Platform.DIGEST, {
      AUDIT_BUCKET,
      AUDIT_PREFIX,
      SIGNING_KEY_ID: Platform.DIGEST_KEY_ALIAS,
      DIGEST_LOOK_BACK_DAYS: String(Platform.DIGEST.lookBackDays),
    }),
    rollup: fn("rollup", Platform.ROLLUP_FUNCTION, Platform.ROLLUP, { TABLE_NAME }),
    export: fn("export", Platform.EXPORT_FUNCTION, Platform.EXPORT, {
      TABLE_NAME,
      EXPORT_BUCKET,
      EXPORT_QUEUE_URL,
    }),
  };
}
