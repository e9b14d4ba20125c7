/** The proxy as a program: configuration from the environment, SIGTERM and SIGINT drain it. */
import { startProxy } from "./server.ts";

try {
  const proxy = await startProxy(process.env);
  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    proxy.close().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  // A supervisor that dies takes its children along.
  if (process.connected) process.on("disconnect", stop);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
