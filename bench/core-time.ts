/** Who had the cores: on a shared machine, a round in which others took a part of them is not a measurement. */
import { readFileSync } from "node:fs";
import { threadsOf } from "./thread-cpu.ts";

interface CoreTime {
  /** Milliseconds that each core was busy, and that the hypervisor gave to others (proc(5), /proc/stat; 10 ms steps). */
  busy: number[];
  /** Milliseconds that our own processes had of each core. */
  own: number[];
  at: number;
}

const TICK_MS = 10;

/** @param ours process ids by core */
export function coreTime(ours: readonly (readonly number[])[]): CoreTime {
  const lines = readFileSync("/proc/stat", "utf8").split("\n");
  const busy = ours.map((_, core) => {
    const fields = lines.find((line) => line.startsWith(`cpu${core} `))?.split(/\s+/) ?? [];
    const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields.slice(1).map(Number);
    return (user + nice + system + irq + softirq + steal) * TICK_MS;
  });
  const own = ours.map((pids) =>
    pids.flatMap(threadsOf).reduce((sum, { microseconds }) => sum + microseconds / 1000, 0),
  );
  return { busy, own, at: performance.now() };
}

/** The greatest of the shares of these cores that went to others. */
export function foreignShare(before: CoreTime, after: CoreTime, cores: readonly number[]): number {
  const shares = cores.map((core) => {
    const others =
      (after.busy[core] ?? 0) - (before.busy[core] ?? 0) - ((after.own[core] ?? 0) - (before.own[core] ?? 0));
    return Math.max(0, others) / (after.at - before.at);
  });
  return Math.max(...shares);
}
