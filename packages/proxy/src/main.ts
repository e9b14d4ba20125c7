/** The proxy as a program: PROFILE says which, the environment configures it, SIGTERM and SIGINT drain it. */
import type { RunningProxy } from "./http-listener.ts";

let proxy: RunningProxy | null = null;
let stopping = false;

async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  await end();
}

/** Called when it is told to stop, or as soon as it runs when it was told before. */
async function end(): Promise<void> {
  if (proxy === null) return;
  try {
    await proxy.close();
    process.exit(0);
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
}

// Before the start: a signal that comes in the middle of it must not kill what has begun to write.
process.on("SIGTERM", stop);
process.on("SIGINT", stop);
// A supervisor that dies takes its children along.
if (process.connected) process.on("disconnect", stop);

try {
  // The other profile's modules are not loaded: they cost start-up time and memory.
  const start =
    process.env.PROFILE === "gateway"
      ? (await import("./gateway/gateway-server.ts")).startGateway
      : (await import("./server.ts")).startProxy;
  proxy = await start(process.env);
  if (stopping) await end();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
