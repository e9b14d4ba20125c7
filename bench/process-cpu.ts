/** CPU of a child process, from Linux' proc(5). */
import { readdirSync, readFileSync } from "node:fs";

/** The process id of this process's one child with that in its command line. @throws Error when there is not just one */
export function childRunning(program: string): number {
  const children = readdirSync("/proc").filter((name) => {
    try {
      return (
        /^\d+$/.test(name) &&
        readFileSync(`/proc/${name}/cmdline`, "utf8").includes(program) &&
        statOf(Number(name))[1] === String(process.pid)
      );
    } catch {
      return false; // It has ended meanwhile.
    }
  });
  if (children.length !== 1) throw new Error(`${children.length} processes run ${program}, not one`);
  return Number(children[0]);
}

/** The fields of /proc/<pid>/stat from the third on, which is the state. */
function statOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
}

/** User and system time, in steps of 10 ms. */
export function cpuSecondsOf(pid: number): number {
  const [user, system] = statOf(pid).slice(11, 13).map(Number);
  return ((user ?? 0) + (system ?? 0)) / 100;
}
