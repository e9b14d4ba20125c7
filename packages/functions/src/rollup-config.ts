/** What the rollup function needs from its environment. */
import { z } from "zod";

const RollupConfig = z.object({ TABLE_NAME: z.string().min(1) });

/** @throws {Error} one line that names what is missing */
export function rollupConfig(env: Record<string, string | undefined>): z.infer<typeof RollupConfig> {
  const config = RollupConfig.safeParse(env);
  if (config.success) return config.data;
  throw new Error(
    `the rollup function's environment is incomplete: ${config.error.issues[0]?.path.join(".")}`,
  );
}

/** `{"from":"2026-11-01T00:00:00Z","to":"2026-11-02T00:00:00Z"}` computes that range; a schedule's event has neither. */
export const RollupEvent = z
  .object({ from: z.iso.datetime({ offset: true }), to: z.iso.datetime({ offset: true }) })
  .transform(({ from, to }) => ({ from: Date.parse(from), to: Date.parse(to) }))
  .nullable()
  .catch(null);
