/** CPU time of a process by thread, as Linux counts it (proc(5): /proc/<pid>/task/<tid>/schedstat, nanoseconds on a CPU). */
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** Microseconds of user and system time since the process began, by what the threads are for. */
export interface ThreadCpu {
  /** The data path: a single-threaded program, or node's main thread. */
  main: number;
  /** libuv's pool: the spool's writes and fdatasync, files, DNS. */
  pool: number;
  /** V8's helpers: garbage collection and compilation for all of the process's isolates. */
  engine: number;
  /** The proxy's own thread that takes records to S3. */
  uploader: number;
}

export const UPLOADER_THREAD = "uploader";

function roleOf(name: string): keyof ThreadCpu {
  if (name === UPLOADER_THREAD) return "uploader";
  if (name === "libuv-worker") return "pool";
  if (name === "V8Worker" || name.startsWith("DelayedTask") || name === "SignalInspector") return "engine";
  return "main";
}

/** None of a process that has ended: a session of PostgreSQL, say. */
export function threadsOf(pid: number): { id: number; name: string; microseconds: number }[] {
  const threads = [];
  if (!existsSync(`/proc/${pid}/task`)) return [];
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    const at = `/proc/${pid}/task/${id}`;
    const [nanoseconds = "0"] = readFileSync(`${at}/schedstat`, "utf8").split(" ");
    const name = readFileSync(`${at}/comm`, "utf8").trim();
    threads.push({ id: Number(id), name, microseconds: Number(nanoseconds) / 1000 });
  }
  return threads;
}

export function threadCpu(pid: number): ThreadCpu {
  const cpu: ThreadCpu = { main: 0, pool: 0, engine: 0, uploader: 0 };
  for (const { name, microseconds } of threadsOf(pid)) cpu[roleOf(name)] += microseconds;
  return cpu;
}

export function since(before: ThreadCpu, after: ThreadCpu): ThreadCpu {
  return {
    main: after.main - before.main,
    pool: after.pool - before.pool,
    engine: after.engine - before.engine,
    uploader: after.uploader - before.uploader,
  };
}
