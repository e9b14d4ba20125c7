/**
 * Every Lambda function of the platform, in one list, so that the plan, the bundle test and the least-privilege table
 * speak of the same ones. `written: false` keeps a function out of the plan until its handler is in the repository.
 */
import {
  EXPORT,
  EXPORT_FUNCTION,
  INGEST,
  INGEST_FUNCTION,
  ROLLUP,
  ROLLUP_FUNCTION,
} from "@central-llm/core/platform";

export interface LambdaFunction {
  /** In AWS; seeds' name where they give one. */
  name: string;
  handler: string;
  written: boolean;
  timeoutSeconds: number;
  memoryMb: number;
}

export const LAMBDA_FUNCTIONS = {
  ingest: {
    name: INGEST_FUNCTION,
    handler: "packages/functions/src/ingest.handler",
    written: true,
    timeoutSeconds: INGEST.timeoutSeconds,
    memoryMb: 512,
  },
  reconcile: {
    name: "llm-audit-reconcile",
    handler: "packages/functions/src/reconcile.handler",
    written: true,
    timeoutSeconds: 900,
    memoryMb: 1024,
  },
  digest: {
    name: "llm-audit-digest",
    handler: "packages/functions/src/digest.handler",
    written: false,
    timeoutSeconds: 900,
    memoryMb: 1024,
  },
  replay: {
    name: "llm-audit-replay",
    handler: "packages/functions/src/replay.handler",
    written: false,
    timeoutSeconds: 300,
    memoryMb: 512,
  },
  api: {
    name: "llm-audit-api",
    handler: "packages/functions/src/api/router.handler",
    written: true,
    timeoutSeconds: 29,
    memoryMb: 1024,
  },
  rollup: {
    name: ROLLUP_FUNCTION,
    handler: "packages/functions/src/rollup.handler",
    written: true,
    timeoutSeconds: ROLLUP.timeoutSeconds,
    memoryMb: ROLLUP.memoryMb,
  },
  export: {
    name: EXPORT_FUNCTION,
    handler: "packages/functions/src/export.handler",
    written: true,
    timeoutSeconds: EXPORT.timeoutSeconds,
    memoryMb: EXPORT.memoryMb,
  },
} satisfies Record<string, LambdaFunction>;
