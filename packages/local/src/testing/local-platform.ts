/** The whole local platform as `npm start` runs it, on free ports and in a folder of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { compileCache } from "../compile-cache.ts";
import { portsAt, takenPorts } from "../local-ports.ts";

const START_MS = 90_000;

export interface Instance {
  child: ChildProcess;
  output: string[];
  /** What it wrote into `.local/env`. */
  env: Record<string, string>;
}

/**
 * A PORT_OFFSET whose ports nothing listens on. They all lie below 32,768, where Linux begins to give ports to outgoing connections:
 * one of those could come between this look and the platform's start. And each of vitest's three workers has ports that no other
 * has: 8,000 apart, which is more than a platform's lowest and highest port and the offsets of a worker span.
 */
export async function freeOffset(): Promise<number> {
  const first = 1_000 + (Number(process.env.VITEST_POOL_ID ?? 0) % 3) * 8_000;
  for (;;) {
    const offset = first + Math.floor(Math.random() * 2_900);
    if ((await takenPorts(portsAt(offset))).length === 0) return offset;
  }
}

export class LocalPlatforms {
  readonly #folder: string;
  readonly #children: ChildProcess[] = [];

  /** @param folder holds each instance's LOCAL_DIR by its name */
  constructor(folder: string) {
    this.#folder = folder;
  }

  launch(name: string, offset: number, args: string[] = [], more: Record<string, string> = {}) {
    const { CI, HOME, PATH } = process.env;
    const child = spawn(process.execPath, [join(import.meta.dirname, "../start.ts"), ...args], {
      env: {
        ...compileCache(),
        PATH,
        HOME,
        ...(CI && { CI }),
        LOCAL_DIR: join(this.#folder, name),
        PORT_OFFSET: String(offset),
        RETRY_AFTER: "0",
        ...more,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#children.push(child);
    const output: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => output.push(line));
    }
    return { child, output };
  }

  async start(...args: Parameters<LocalPlatforms["launch"]>): Promise<Instance> {
    const { child, output } = this.launch(...args);
    // vitest's poll works in tests alone; this runs before them too.
    for (const deadline = Date.now() + START_MS; !output.includes("ready"); await delay(20)) {
      if (child.exitCode !== null || Date.now() > deadline)
        throw new Error(`not ready:\n${output.join("\n")}`);
    }
    const text = await readFile(join(this.#folder, args[0], "env"), "utf8");
    const env = Object.fromEntries(
      text.split("\n").flatMap((line) => (line ? [line.split(/=(.*)/, 2)] : [])),
    );
    return { child, output, env };
  }

  /** As Ctrl-C does; its folder can be removed after that. */
  async stop({ child }: Pick<Instance, "child">): Promise<void> {
    const exited = once(child, "exit");
    child.kill("SIGINT");
    await exited;
  }

  async killAll(): Promise<void> {
    for (const child of this.#children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  }
}
