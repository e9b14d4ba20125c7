/** Processes of a bench run, each held to one core, all gone when the run is over. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { CACHE } from "./native-program.ts";

/** What is measured has the first core to itself; load, upstream, S3 and this script share the second. */
export const CORE = { underTest: 0, rest: 1 } as const;

export interface PinnedProcess {
  pid: number;
  /** Lines of stdout. */
  lines: AsyncIterableIterator<string>;
  /** SIGTERM, then SIGKILL after `graceMs`. */
  stop(graceMs?: number): Promise<void>;
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));

/** Takes this script off the core under test. */
export function pinThisProcess(): void {
  execFileSync("taskset", ["-a", "-c", "-p", String(CORE.rest), String(process.pid)], { stdio: "ignore" });
}

/** Starts a program on a core. Its stderr goes to `.cache/bench/<name>.log`. */
export function pinned(
  name: string,
  core: number,
  command: readonly string[],
  environment: Record<string, string> = {},
): PinnedProcess {
  // taskset becomes the program (execve): the process id is the program's own.
  const child = spawn("taskset", ["-c", String(core), ...command], {
    env: { PATH: process.env.PATH ?? "", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  child.stderr.pipe(createWriteStream(`${CACHE}${name}.log`));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    pid: child.pid ?? 0,
    lines,
    async stop(graceMs = 10_000) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), graceMs);
      await gone;
      clearTimeout(late);
    },
  };
}

/** @throws Error when the program ends first */
export async function nextLine(process: PinnedProcess, what: string): Promise<string> {
  const { value, done } = await process.lines.next();
  if (done) throw new Error(`${what} ended early; see ${CACHE}*.log`);
  return value;
}

/** For programs that cannot be given port 0 and tell which one they got. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address !== "object" || address === null) throw new Error("No free port");
  return address.port;
}

/** Resolves when something accepts connections on the port. @throws Error after 20 s */
export async function answersOn(port: number, what: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    try {
      await fetch(`http://127.0.0.1:${port}/`).then((response) => response.arrayBuffer());
      return;
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`${what} does not answer on port ${port}`, { cause: error });
      await new Promise((resume) => setTimeout(resume, 50));
    }
  }
}
