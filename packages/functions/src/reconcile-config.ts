/** What the reconcile function needs from its environment. */
import { AUDIT_PREFIX } from "@central-llm/core/platform";
import { z } from "zod";

const ReconcileConfig = z.object({
  AUDIT_BUCKET: z.string().min(1),
  AUDIT_PREFIX: z.string().min(1).default(AUDIT_PREFIX),
  TABLE_NAME: z.string().min(1),
  INGEST_QUEUE_URL: z.url(),
});

/** @throws {Error} one line that names what is missing or wrong */
export function reconcileConfig(env: Record<string, string | undefined>): z.infer<typeof ReconcileConfig> {
  const config = ReconcileConfig.safeParse(env);
  if (config.success) return config.data;
  const wrong = config.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new Error(`the reconcile function's environment is incomplete: ${wrong.join("; ")}`);
}
