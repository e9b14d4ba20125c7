/** The proxy as a program: PROFILE says which, the environment configures it, SIGTERM and SIGINT drain it. */
import { setFlagsFromString } from "node:v8";
import type { RunningProxy } from "./http-listener.ts";

/**
 * V8 would learn to make what often outlives a young collection in the old generation at once. On a data path that learns wrong: a
 * request under way outlives some collection or other, and what is made there keeps all that hangs on it from being freed young
 * (docs/performance.md). NODE_OPTIONS does not take this one.
 */
setFlagsFromString("--no-allocation-site-pretenuring");

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
