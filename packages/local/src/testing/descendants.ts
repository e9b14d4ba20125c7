/** Processes below one, by their command lines. */
import { execFileSync } from "node:child_process";

export function descendants(of: number): { pid: number; command: string }[] {
  const all = execFileSync("ps", ["-ax", "-o", "pid=,ppid=,command="], { encoding: "utf8" })
    .split("\n")
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .flatMap((m) => (m ? [{ pid: Number(m[1]), parent: Number(m[2]), command: m[3] ?? "" }] : []));
  const below = (parent: number): typeof all =>
    all.filter((p) => p.parent === parent).flatMap((p) => [p, ...below(p.pid)]);
  return below(of).filter((p) => !p.command.startsWith("ps "));
}
