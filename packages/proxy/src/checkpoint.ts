/** How far a writer's spool is confirmed by S3: read at a restart, replaced as a whole. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { CHECKPOINT_FILE } from "./spool-layout.ts";

const Checkpoint = z.object({
  /** Everything before this place is confirmed. */
  segment: z.int().positive(),
  offset: z.int().nonnegative(),
  /** Of the last confirmed record: its number, and its object's sha256. */
  sequence: z.int().nonnegative(),
  hash: z.string().nullable(),
  /** Confirmed in the writer's whole life. */
  records: z.int().nonnegative(),
  bytes: z.int().nonnegative(),
});
export type Checkpoint = z.infer<typeof Checkpoint>;

export const BEGINNING: Checkpoint = { segment: 1, offset: 0, sequence: 0, hash: null, records: 0, bytes: 0 };

/** @throws when the file is there but cannot be read: guessing would break the chain */
export async function readCheckpoint(directory: string): Promise<Checkpoint> {
  try {
    return Checkpoint.parse(JSON.parse(await readFile(join(directory, CHECKPOINT_FILE), "utf8")));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return BEGINNING;
    throw error;
  }
}

/** A checkpoint that is lost or old only means that uploads are tried again and found to be there. */
export async function writeCheckpoint(directory: string, checkpoint: Checkpoint): Promise<void> {
  const path = join(directory, CHECKPOINT_FILE);
  await writeFile(`${path}.new`, JSON.stringify(checkpoint), { mode: 0o600 });
  await rename(`${path}.new`, path);
}
