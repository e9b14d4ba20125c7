/** One execution environment of a function: a process that handles one event at a time. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { LambdaError, WorkerMessage } from "./lambda-worker.ts";

export interface FunctionSettings {
  name: string;
  /** Absolute path of a module that exports `handler`: TypeScript sources or a bundle. */
  handlerFile: string;
  /** All that the function sees, beside what Lambda itself sets. */
  environment: Record<string, string>;
  region: string;
  timeoutSeconds: number;
  memoryMb: number;
  /** Processes at most. */
  maxConcurrency: number;
}

export type Outcome = { payload: unknown } | { error: LambdaError };

export interface LambdaInstance {
  /** From the start of the process to its handler's being loaded, in ms. */
  initMs: number;
  /** Whether it can take another event: false once it timed out, died or was stopped. */
  alive(): boolean;
  /** Never rejects. Runs one event; a time-out kills the process. */
  invoke(event: unknown): Promise<Outcome>;
  /** Kills the process; resolves when it is gone. */
  stop(): Promise<void>;
}

/** Lambda's own limit on loading a function. */
const INIT_TIMEOUT_MS = 10_000;

/** What Lambda sets for every function, so that nothing else needs to. */
function reservedEnvironment(settings: FunctionSettings): Record<string, string> {
  return {
    AWS_LAMBDA_FUNCTION_NAME: settings.name,
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(settings.memoryMb),
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${settings.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: randomUUID(),
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x",
    // The mark of a local host, by which Powertools leaves X-Ray alone.
    AWS_SAM_LOCAL: "true",
    AWS_REGION: settings.region,
    AWS_DEFAULT_REGION: settings.region,
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
    _HANDLER: "index.handler",
    LANG: "en_US.UTF-8",
    TZ: ":UTC",
  };
}

type Reply = WorkerMessage | { exit: string };

/** The process's next message, or why there will be none. */
function reply(child: ChildProcess): Promise<Reply> {
  return new Promise((resolve) => {
    const done = (value: Reply) => {
      child.off("message", message);
      child.off("exit", exit);
      resolve(value);
    };
    const message = (value: unknown) => done(value as WorkerMessage);
    const exit = (code: number | null, signal: string | null) =>
      done({ exit: signal ? `signal: ${signal}` : `exit status ${code}` });
    child.on("message", message);
    child.on("exit", exit);
  });
}

/**
 * Starts a process and waits until its handler is loaded.
 * @param log gets every line that the function prints
 * @throws Error when the module fails to load or takes over ten seconds
 */
export async function startInstance(
  settings: FunctionSettings,
  log: (line: string) => void,
): Promise<LambdaInstance> {
  const started = performance.now();
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, "lambda-worker.ts"), settings.handlerFile],
    {
      env: { ...reservedEnvironment(settings), ...settings.environment },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    },
  );
  let alive = true;
  const gone = new Promise<void>((resolve) => {
    child.on("exit", () => {
      alive = false;
      resolve();
    });
  });
  for (const output of [child.stdout, child.stderr]) {
    if (output) createInterface({ input: output }).on("line", log);
  }
  const kill = () => {
    alive = false;
    child.kill("SIGKILL");
    return gone;
  };
  const within = async (ms: number): Promise<Reply | "late"> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(resolve, ms, "late");
    });
    const first = await Promise.race([reply(child), late]);
    clearTimeout(timer);
    return first;
  };

  const loaded = await within(INIT_TIMEOUT_MS);
  if (loaded === "late" || !("ready" in loaded)) {
    await kill();
    const why =
      loaded === "late"
        ? `not loaded within ${INIT_TIMEOUT_MS / 1000} s`
        : "error" in loaded
          ? `${loaded.error.errorType}: ${loaded.error.errorMessage}`
          : "exit" in loaded
            ? loaded.exit
            : "answered before it was asked";
    throw new Error(`${settings.name} failed to start: ${why}`);
  }

  return {
    initMs: performance.now() - started,
    alive: () => alive,
    async invoke(event) {
      const requestId = randomUUID();
      const answer = within(settings.timeoutSeconds * 1000);
      child.send({ event, requestId, deadline: Date.now() + settings.timeoutSeconds * 1000 }, () => {
        // A dead process is seen by its exit.
      });
      const first = await answer;
      if (first === "late") {
        await kill();
        const seconds = settings.timeoutSeconds.toFixed(2);
        const errorMessage = `RequestId: ${requestId} Error: Task timed out after ${seconds} seconds`;
        return { error: { errorType: "Sandbox.Timedout", errorMessage } };
      }
      if ("payload" in first) return { payload: JSON.parse(first.payload) };
      if ("error" in first) return { error: first.error };
      const why = "exit" in first ? first.exit : "out of turn";
      const errorMessage = `RequestId: ${requestId} Error: Runtime exited with error: ${why}`;
      return { error: { errorType: "Runtime.ExitError", errorMessage } };
    },
    stop: kill,
  };
}
