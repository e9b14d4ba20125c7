/**
 * Every Lambda function of the platform, in one list, so that the plan, the bundle test and the least-privilege table
 * speak of the same ones. `written: false` keeps a function out of the plan until its handler is in the repository.
 */
import {
  DIGEST,
  DIGEST_FUNCTION,
  EXPORT,
  EXPORT_FUNCTION,
  INGEST,
  INGEST_FUNCTION,
  RECONCILE,
  RECONCILE_FUNCTION,
  REPLAY,
  REPLAY_FUNCTION,
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
    memoryMb: INGEST.memoryMb,
  },
  reconcile: {
    name: RECONCILE_FUNCTION,
    handler: "packages/functions/src/reconcile.handler",
    written: true,
    timeoutSeconds: RECONCILE.timeoutSeconds,
    memoryMb: RECONCILE.memoryMb,
  },
  digest: {
    name: DIGEST_FUNCTION,
    handler: "packages/functions/src/digest.handler",
    written: true,
    timeoutSeconds: DIGEST.timeoutSeconds,
    memoryMb: DIGEST.memoryMb,
  },
  replay: {
    name: REPLAY_FUNCTION,
    handler: "packages/functions/src/replay.handler",
    written: true,
    timeoutSeconds: REPLAY.timeoutSeconds,
    memoryMb: REPLAY.memoryMb,
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
