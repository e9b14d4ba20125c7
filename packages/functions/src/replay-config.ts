/** What the replay function needs from its environment, and what it can be asked for. */
import { REASONS } from "@central-llm/core/dead-letter";
import { REPLAY_FUNCTION } from "@central-llm/core/platform";
import { z } from "zod";
import { fromEnvironment } from "./environment.ts";

const ReplayConfig = z.object({
  AUDIT_DLQ_URL: z.url(),
  INGEST_QUEUE_URL: z.url(),
});

/** @throws {Error} one line that names each missing or bad variable */
export const replayConfig = (env: Record<string, string | undefined>): z.infer<typeof ReplayConfig> =>
  fromEnvironment(REPLAY_FUNCTION, ReplayConfig, env);

/** One letter or some, by id, reason or the object's key; or all, which must be said. */
export const ReplayOrder = z
  .strictObject({
    messageIds: z.array(z.string().min(1)).min(1).max(1_000).optional(),
    reason: z.enum(REASONS).optional(),
    prefix: z.string().min(1).optional(),
    all: z.literal(true).optional(),
    /** At most so many. */
    limit: z.int().positive().optional(),
    dryRun: z.boolean().default(false),
  })
  .refine(({ messageIds, reason, prefix, all }) => messageIds ?? reason ?? prefix ?? all, {
    error: "name messageIds, a reason or a prefix, or say all: true",
  });
export type ReplayOrder = z.infer<typeof ReplayOrder>;
