/** The ingest function's settings, from its environment. */
import { INGEST, INGEST_FUNCTION, MAX_OBJECT_BYTES, MAX_PREVIEW_CHARS } from "@central-llm/core/platform";
import { z } from "zod";
import { fromEnvironment } from "./environment.ts";

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
export const ingestConfig = (env: Record<string, string | undefined>): IngestConfig =>
  fromEnvironment(INGEST_FUNCTION, IngestConfig, env);
