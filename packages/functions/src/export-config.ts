/** What the export function needs from its environment. */
import { MAX_OBJECT_BYTES } from "@central-llm/core/platform";
import { z } from "zod";

const ExportConfig = z.object({
  TABLE_NAME: z.string().min(1),
  EXPORT_BUCKET: z.string().min(1),
  EXPORT_QUEUE_URL: z.url(),
  MAX_OBJECT_BYTES: z.coerce.number().int().positive().default(MAX_OBJECT_BYTES),
});

/** @throws {Error} one line that names what is missing or wrong */
export function exportConfig(env: Record<string, string | undefined>): z.infer<typeof ExportConfig> {
  const config = ExportConfig.safeParse(env);
  if (config.success) return config.data;
  const wrong = config.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new Error(`the export function's environment is incomplete: ${wrong.join("; ")}`);
}
