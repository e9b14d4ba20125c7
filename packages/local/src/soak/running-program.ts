/** One of the platform's programs as the soak runs it: a process of its own, on a free port. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { ProcessLog } from "../process-log.ts";
import { spawnProgram } from "../supervised-process.ts";

export interface RunningProgram {
  child: ChildProcess;
  /** 0 when it listens on none. */
  port: number;
}

/** @param file in packages/local/src. @throws Error with its last words when it ends before it listens */
export async function run(
  file: string,
  environment: Record<string, string>,
  log: ProcessLog,
): Promise<RunningProgram> {
  const program = { name: file, file: join(import.meta.dirname, "..", file), environment, healthUrl: null };
  const { child, listening } = spawnProgram(program, log);
  return { child, port: Number((await listening).port ?? 0) };
}

/** Resolves when it is gone. */
export async function end({ child }: RunningProgram, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill(signal);
  await gone;
}
