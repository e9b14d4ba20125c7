/** What the reconcile function needs from its environment. */
import { AUDIT_PREFIX, RECONCILE_FUNCTION } from "@central-llm/core/platform";
import { z } from "zod";
import { fromEnvironment } from "./environment.ts";

const ReconcileConfig = z.object({
  AUDIT_BUCKET: z.string().min(1),
  AUDIT_PREFIX: z.string().min(1).default(AUDIT_PREFIX),
  TABLE_NAME: z.string().min(1),
  INGEST_QUEUE_URL: z.url(),
});

/** @throws {Error} one line that names each missing or bad variable */
export const reconcileConfig = (env: Record<string, string | undefined>): z.infer<typeof ReconcileConfig> =>
  fromEnvironment(RECONCILE_FUNCTION, ReconcileConfig, env);
