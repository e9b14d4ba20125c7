/** The ingest function's settings, from its environment. */
import { INGEST, MAX_OBJECT_BYTES, MAX_PREVIEW_CHARS } from "@central-llm/core/platform";
import { z } from "zod";

const Count = z.coerce.number().int().positive();

const IngestConfig = z.object({
  TABLE_NAME: z.string().min(1),
  AUDIT_DLQ_URL: z.url(),
  MAX_PREVIEW_CHARS: z.coerce.number().int().nonnegative().default(MAX_PREVIEW_CHARS),
  /** A row's previews are cut so that it stays below this: 3 KB are 3 write units. */
  MAX_ROW_BYTES: Count.default(3072),
  /** Rows carry a time to live when set. */
  ROW_RETENTION_DAYS: Count.optional(),
  MAX_OBJECT_BYTES: Count.default(MAX_OBJECT_BYTES),
  MAX_RECEIVE_COUNT: Count.default(INGEST.maxReceiveCount),
});
export type IngestConfig = z.infer<typeof IngestConfig>;

/** @throws {Error} one line that names each missing or bad variable */
export function ingestConfig(env: Record<string, string | undefined>): IngestConfig {
  const parsed = IngestConfig.safeParse(env);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new Error(`llm-audit-ingest cannot start: ${faults.join("; ")}`);
}
