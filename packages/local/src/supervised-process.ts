/** One program kept running: started, waited for, watched, restarted with back-off, stopped. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { compileCache } from "./compile-cache.ts";
import { openLog, type ProcessLog, parseLogLine } from "./process-log.ts";

export interface Program {
  name: string;
  /** Its main module. */
  file: string;
  /** Its whole environment. */
  environment: Record<string, string>;
  /** Answers 200 as long as it is well; null: only its process is watched. */
  healthUrl: string | null;
}

export interface SupervisedProcess {
  name: string;
  /** SIGTERM, and SIGKILL after `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

const START_TIMEOUT_MS = 30_000;
const CHECK_EVERY_MS = 5_000;
const CHECK_TIMEOUT_MS = 3_000;
const FAILED_CHECKS = 3;
const FIRST_BACK_OFF_MS = 250;
const MAX_BACK_OFF_MS = 10_000;
/** A process that ran so long is taken to have been well: its next restart is quick again. */
const SETTLED_MS = 30_000;

/** A program's process; `listening` resolves with the fields of its line `{"msg":"listening", …}`. */
export interface StartedProgram {
  child: ChildProcess;
  listening: Promise<Record<string, unknown>>;
}

/** Starts it once; it ends when this process does. `listening` rejects with its last words when it ends before. */
export function spawnProgram(program: Program, log: ProcessLog): StartedProgram {
  const preload = join(import.meta.dirname, "end-with-parent.ts");
  const child = spawn(process.execPath, ["--import", preload, program.file], {
    env: { ...compileCache(), ...program.environment },
    // A group of its own: Ctrl-C in a terminal reaches the supervisor alone, which stops them in order.
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const lastWords: string[] = [];
  const listening = new Promise<Record<string, unknown>>((resolve, reject) => {
    for (const [output, isError] of [
      [child.stdout, false],
      [child.stderr, true],
    ] as const) {
      if (!output) continue;
      createInterface({ input: output }).on("line", (text) => {
        log.line(text, isError);
        lastWords.push(text);
        if (lastWords.length > 5) lastWords.shift();
        const line = parseLogLine(text);
        if (line?.msg === "listening") resolve(line);
      });
    }
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      reject(new Error(`${program.name} ended (${signal ?? `exit ${code}`}): ${lastWords.join(" | ")}`)),
    );
  });
  // Its end is also awaited elsewhere; here it matters only until it listens.
  listening.catch(() => {});
  return { child, listening };
}

async function isWell(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(CHECK_TIMEOUT_MS) });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}

/** Ends a process that has stopped answering, so that its exit restarts it. Resolves when it is gone. */
async function watch(program: Program, child: ChildProcess, say: (line: string) => void): Promise<void> {
  const gone = once(child, "exit").then(() => {});
  let failed = 0;
  while (child.exitCode === null && child.signalCode === null) {
    await Promise.race([gone, delay(CHECK_EVERY_MS, undefined, { ref: false })]);
    if (program.healthUrl === null || child.exitCode !== null || child.signalCode !== null) continue;
    failed = (await isWell(program.healthUrl)) ? 0 : failed + 1;
    if (failed < FAILED_CHECKS) continue;
    say(`${program.name} does not answer ${program.healthUrl}; it is killed`);
    child.kill("SIGKILL");
    await gone;
  }
}

/**
 * Resolves when the program prints `{"msg":"listening"}` for the first time.
 * @param say tells the person at the terminal
 * @throws Error with its last words when it ends before, or takes over thirty seconds
 */
export async function supervise(
  program: Program,
  logs: string,
  say: (line: string) => void,
): Promise<SupervisedProcess> {
  const log = openLog(logs, program.name, say);
  const stopping = new AbortController();
  let current = spawnProgram(program, log);

  const late = delay(START_TIMEOUT_MS, undefined, { ref: false, signal: stopping.signal }).then(() => {
    throw new Error(`${program.name} was not up after ${START_TIMEOUT_MS / 1000} s: see ${logs}`);
  });
  late.catch(() => {});
  try {
    await Promise.race([current.listening, late]);
  } catch (error) {
    stopping.abort();
    current.child.kill("SIGKILL");
    await log.close();
    throw error;
  }

  async function keepUp(): Promise<void> {
    let backOff = FIRST_BACK_OFF_MS;
    while (!stopping.signal.aborted) {
      const { child } = current;
      const since = performance.now();
      await watch(program, child, say);
      if (stopping.signal.aborted) return;
      if (performance.now() - since > SETTLED_MS) backOff = FIRST_BACK_OFF_MS;
      const how = child.signalCode ?? `exit ${child.exitCode}`;
      say(`${program.name} ended (${how}); it starts again in ${backOff / 1000} s`);
      await delay(backOff, undefined, { signal: stopping.signal }).catch(() => {});
      if (stopping.signal.aborted) return;
      backOff = Math.min(backOff * 2, MAX_BACK_OFF_MS);
      current = spawnProgram(program, log);
      current.listening.then(
        () => say(`${program.name} is up again`),
        () => {},
      );
    }
  }
  const keeping = keepUp();

  return {
    name: program.name,
    async stop(graceMs) {
      stopping.abort();
      const { child } = current;
      if (child.exitCode === null && child.signalCode === null) {
        const gone = once(child, "exit");
        child.kill("SIGTERM");
        const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
        await gone;
        clearTimeout(timer);
      }
      await keeping;
      await log.close();
    },
  };
}
