/** Processes below another one, as `ps` lists them. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

async function processes(): Promise<{ pid: number; parent: number }[]> {
  const { stdout } = await promisify(execFile)("ps", ["-ax", "-o", "pid=,ppid=,comm="]);
  return stdout.split("\n").flatMap((line) => {
    const [, pid, parent, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return pid === undefined || command === "ps" ? [] : [{ pid: Number(pid), parent: Number(parent) }];
  });
}

export async function childrenOf(pid: number): Promise<number[]> {
  return (await processes()).filter(({ parent }) => parent === pid).map((child) => child.pid);
}

export async function descendantsOf(pid: number): Promise<number[]> {
  const all = await processes();
  const below = (of: number): number[] =>
    all.filter(({ parent }) => parent === of).flatMap((child) => [child.pid, ...below(child.pid)]);
  return below(pid);
}

/** Sends the signal; 0 only asks. @returns whether there was still such a process */
export function signalled(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
