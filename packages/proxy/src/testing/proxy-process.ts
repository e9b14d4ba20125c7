/** The proxy as its own process, as it runs in production: to be killed, starved and restarted by tests. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { PROXY_NODE_OPTIONS } from "@central-llm/core/platform";
import { compileCache } from "@central-llm/local/compile-cache";

export interface ProxyProcess {
  url: string;
  pid: number;
  child: ChildProcess;
  /** Everything that it wrote to stdout and stderr. */
  output(): string;
  kill(signal: NodeJS.Signals): Promise<number | null>;
}

const MAIN = new URL("../main.ts", import.meta.url).pathname;
const START_TIMEOUT_MS = 90_000;

/** @throws Error with the process's output when it ends before it listens */
export async function startProxyProcess(environment: Record<string, string>): Promise<ProxyProcess> {
  const child = spawn(process.execPath, [MAIN], {
    env: {
      ...compileCache(),
      PATH: process.env.PATH,
      NODE_OPTIONS: PROXY_NODE_OPTIONS,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      HOST: "127.0.0.1",
      PORT: "0",
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  const port = await new Promise<number>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`The proxy did not start in ${START_TIMEOUT_MS} ms:\n${lines.join("\n")}`));
    }, START_TIMEOUT_MS);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        if (!line.includes('"msg":"listening"')) return;
        clearTimeout(timer);
        resolve((JSON.parse(line) as { port: number }).port);
      });
    }
    child.once("exit", (code) => {
      clearTimeout(timer);
      reject(new Error(`The proxy exited with ${code} before it listened:\n${lines.join("\n")}`));
    });
  });
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    child,
    output: () => lines.join("\n"),
    async kill(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      child.kill(signal);
      const [code] = (await once(child, "exit")) as [number | null];
      return code;
    },
  };
}
