/** Dead letters: audit objects that could not become rows, and their replay. */
import { REASONS } from "@central-llm/core/dead-letter";
import { z } from "zod";

const filter = {
  reason: z.enum(REASONS).optional(),
  /** Of the objects' keys. */
  prefix: z.string().max(1_024).optional(),
};
export const DeadLettersQuery = z.strictObject({
  ...filter,
  limit: z.coerce.number().int().min(1).max(500).default(100),
});
export type DeadLettersQuery = z.input<typeof DeadLettersQuery>;

export const DeadLetter = z.object({
  messageId: z.string(),
  objectKeys: z.array(z.string()),
  reason: z.enum(REASONS),
  detail: z.string(),
  firstFailedAt: z.string().nullable(),
  receives: z.int().nullable(),
});
export type DeadLetter = z.infer<typeof DeadLetter>;
export const DeadLetters = z.object({
  letters: z.array(DeadLetter),
  /** Of the letters listed. */
  byReason: z.partialRecord(z.enum(REASONS), z.int()),
  /** These are all that could be seen. */
  complete: z.boolean(),
  /** What the queue says it holds. */
  approximateTotal: z.int(),
});
export type DeadLetters = z.infer<typeof DeadLetters>;

/** `ids`, or `all` (of the reason and prefix). */
export const ReplayRequest = z
  .strictObject({
    ids: z.array(z.string().min(1).max(128)).min(1).max(500).optional(),
    all: z.literal(true).optional(),
    ...filter,
    dryRun: z.boolean().default(false),
  })
  .refine(({ ids, all }) => (ids === undefined) !== (all === undefined), "give `ids` or `all`, not both");
export type ReplayRequest = z.input<typeof ReplayRequest>;
export const Replay = z.object({
  seen: z.int(),
  matched: z.int(),
  /** Sent to ingest again; 0 in a dry run. */
  replayed: z.int(),
  dryRun: z.boolean(),
  /** False: the time ran out, and some may be left; ask again. */
  complete: z.boolean(),
});
export type Replay = z.infer<typeof Replay>;
