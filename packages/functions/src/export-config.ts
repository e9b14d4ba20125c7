/** What the export function needs from its environment. */
import { EXPORT_FUNCTION, MAX_OBJECT_BYTES } from "@central-llm/core/platform";
import { z } from "zod";
import { fromEnvironment } from "./environment.ts";

const ExportConfig = z.object({
  TABLE_NAME: z.string().min(1),
  EXPORT_BUCKET: z.string().min(1),
  EXPORT_QUEUE_URL: z.url(),
  MAX_OBJECT_BYTES: z.coerce.number().int().positive().default(MAX_OBJECT_BYTES),
});

/** @throws {Error} one line that names each missing or bad variable */
export const exportConfig = (env: Record<string, string | undefined>): z.infer<typeof ExportConfig> =>
  fromEnvironment(EXPORT_FUNCTION, ExportConfig, env);
