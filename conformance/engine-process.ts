/** Engines as child processes that end with this one, even by kill -9. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export interface Engine {
  /** `http://127.0.0.1:<port>` */
  url: string;
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 60_000;

/** Ends its program once its stdin closes, which it does when whoever started it is gone. */
const KEEPER = '"$@" <&- & program=$!; cat >/dev/null; kill $program 2>/dev/null; wait $program';

/**
 * Starts a server that is told its port, and waits until it answers HTTP.
 * @throws {Error} naming the log when it ends or does not answer within a minute
 */
export async function startEngine(
  name: string,
  command: (port: number) => string[],
  options: { log: string; environment?: Record<string, string> },
): Promise<Engine> {
  const port = await freePort();
  const child = spawn("sh", ["-c", KEEPER, "sh", ...command(port)], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", ...options.environment },
  });
  const log = createWriteStream(options.log);
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    if (child.exitCode !== null) return;
    const gone = once(child, "close");
    child.stdin.end();
    await gone;
    log.end();
  };
  try {
    await answering(name, url, child, options.log);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop };
}

async function answering(name: string, url: string, child: ChildProcess, log: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      // Whatever the answer is: somebody speaks HTTP there.
      await fetch(url, { signal: AbortSignal.timeout(2_000) });
      return;
    } catch {
      if (child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`${name} does not answer at ${url}; its output is in ${log}`);
      }
      await delay(100);
    }
  }
}

/** For programs that cannot be given port 0 and say which one they got. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
