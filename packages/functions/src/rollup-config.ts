/** What the rollup function needs from its environment. */
import { ROLLUP_FUNCTION } from "@central-llm/core/platform";
import { z } from "zod";
import { fromEnvironment } from "./environment.ts";

const RollupConfig = z.object({ TABLE_NAME: z.string().min(1) });

/** @throws {Error} one line that names each missing or bad variable */
export const rollupConfig = (env: Record<string, string | undefined>): z.infer<typeof RollupConfig> =>
  fromEnvironment(ROLLUP_FUNCTION, RollupConfig, env);

/** `{"from":"2026-11-01T00:00:00Z","to":"2026-11-02T00:00:00Z"}` computes that range; a schedule's event has neither. */
export const RollupEvent = z
  .object({ from: z.iso.datetime({ offset: true }), to: z.iso.datetime({ offset: true }) })
  .transform(({ from, to }) => ({ from: Date.parse(from), to: Date.parse(to) }))
  .nullable()
  .catch(null);
