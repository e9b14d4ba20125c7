/** A function: as many processes as there are events at a time, up to its concurrency; idle ones are used again. */
import {
  type FunctionSettings,
  type LambdaInstance,
  type Outcome,
  startInstance,
} from "./lambda-instance.ts";

export interface LambdaFunction {
  settings: FunctionSettings;
  /** Waits for a free process. Never rejects: a handler's error, a time-out and a crash are outcomes. */
  invoke(event: unknown): Promise<Outcome>;
  /** Starts a process ahead of the first event; a failure shows with that event. */
  warm(): void;
  /** Cold starts so far, in ms each. */
  coldStarts(): number[];
  /** Kills every process at once; resolves when they are gone. */
  stop(): Promise<void>;
}

export function lambdaFunction(settings: FunctionSettings, log: (line: string) => void): LambdaFunction {
  const idle: LambdaInstance[] = [];
  const all = new Set<LambdaInstance>();
  const waiting: (() => void)[] = [];
  const coldStarts: number[] = [];
  let warming: Promise<unknown> | undefined;
  let busy = 0;
  let stopped = false;

  async function take(): Promise<LambdaInstance> {
    const warm = idle.pop();
    if (warm?.alive()) return warm;
    if (warm) {
      all.delete(warm);
      return take();
    }
    if (warming) {
      await warming;
      return take();
    }
    return start();
  }

  async function start(): Promise<LambdaInstance> {
    const instance = await startInstance(settings, log);
    if (stopped) {
      await instance.stop();
      throw new Error(`${settings.name} was stopped`);
    }
    all.add(instance);
    coldStarts.push(instance.initMs);
    log(
      JSON.stringify({
        level: "info",
        msg: "cold start",
        function: settings.name,
        initMs: Math.round(instance.initMs),
      }),
    );
    return instance;
  }

  async function run(event: unknown): Promise<Outcome> {
    let instance: LambdaInstance;
    try {
      instance = await take();
    } catch (error) {
      const errorMessage = error instanceof Error ? error.message : String(error);
      return { error: { errorType: "Runtime.InitError", errorMessage } };
    }
    const outcome = await instance.invoke(event);
    if (instance.alive()) idle.push(instance);
    else all.delete(instance);
    return outcome;
  }

  return {
    settings,
    async invoke(event) {
      if (busy >= settings.maxConcurrency) await new Promise<void>((resolve) => waiting.push(resolve));
      else busy++;
      try {
        const outcome = await run(event);
        if ("error" in outcome) {
          const { errorType, errorMessage } = outcome.error;
          log(
            JSON.stringify({ level: "error", msg: errorMessage, type: errorType, function: settings.name }),
          );
        }
        return outcome;
      } finally {
        // The turn passes on to who waits, and `busy` with it.
        const next = waiting.shift();
        if (next) next();
        else busy--;
      }
    },
    warm() {
      warming ??= start()
        .then(
          (instance) => idle.push(instance),
          () => {},
        )
        .finally(() => {
          warming = undefined;
        });
    },
    coldStarts: () => [...coldStarts],
    async stop() {
      stopped = true;
      await Promise.all([...all].map((instance) => instance.stop()));
      all.clear();
    },
  };
}
