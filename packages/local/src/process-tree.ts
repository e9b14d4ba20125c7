/** Processes below another one, as `ps` lists them. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

export interface ListedProcess {
  pid: number;
  parent: number;
  /** When it began, to the second, as `ps` says it: ids are used again, on a busy machine within the hour. */
  started: string;
}

export async function processes(): Promise<ListedProcess[]> {
  const fields = ["-ax", "-o", "pid=,ppid=,lstart=,comm="];
  const { stdout } = await promisify(execFile)("ps", fields, { env: { ...process.env, LC_ALL: "C" } });
  return stdout.split("\n").flatMap((line) => {
    const [, pid, parent, started, command] =
      /^\s*(\d+)\s+(\d+)\s+(\w+\s+\w+\s+\d+\s+[\d:]+\s+\d+)\s+(.*)$/.exec(line) ?? [];
    if (pid === undefined || started === undefined || command === "ps") return [];
    return [{ pid: Number(pid), parent: Number(parent), started }];
  });
}

export async function childrenOf(pid: number): Promise<number[]> {
  return (await processes()).filter(({ parent }) => parent === pid).map((child) => child.pid);
}

export async function descendantsOf(pid: number): Promise<ListedProcess[]> {
  const all = await processes();
  const below = (of: number): ListedProcess[] =>
    all.filter(({ parent }) => parent === of).flatMap((child) => [child, ...below(child.pid)]);
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
