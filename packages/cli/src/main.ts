#!/usr/bin/env node
/** `central-llm`: the audit trail and the gateway from a shell. */
import { EXIT } from "./failure.ts";
import { run } from "./program.ts";

// A reader that has seen enough (`| head`) closes the pipe.
process.stdout.on("error", (error: NodeJS.ErrnoException) =>
  process.exit(error.code === "EPIPE" ? EXIT.ok : EXIT.failed),
);

// A command that ends well may still have found something (reconcile's gaps), and has said so in the exit code.
const code = await run(process.argv.slice(2));
if (code !== EXIT.ok) process.exitCode = code;
