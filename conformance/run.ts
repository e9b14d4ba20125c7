/**
 * Our tests against engines that nobody here wrote: `npm run test:conformance [-- <vitest's arguments>]`.
 * What was found: docs/conformance.md.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startDynamoDbLocal } from "./dynamodb-local.ts";
import type { Engine } from "./engine-process.ts";
import { CACHE, NotHere } from "./fetched-engine.ts";
import { startMoto } from "./moto.ts";

const CANDIDATES = [
  { name: "DynamoDB Local", judges: "DynamoDB", variable: "DYNAMODB_JUDGE_URL", start: startDynamoDbLocal },
  { name: "moto", judges: "S3 and SQS", variable: "STORAGE_JUDGE_URL", start: startMoto },
];

mkdirSync(CACHE, { recursive: true });
const started: Engine[] = [];
const environment: Record<string, string> = {};
const absent: string[] = [];
let code = 1;
let tests: ReturnType<typeof spawn> | undefined;
// The tests get the signal too when it comes from the terminal; this way they get it in any case.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => tests?.kill(signal));

try {
  for (const { name, judges, variable, start } of CANDIDATES) {
    try {
      const engine = await start();
      started.push(engine);
      environment[variable] = engine.url;
      console.log(`[conformance] ${judges}: ${name} at ${engine.url}`);
    } catch (error) {
      if (!(error instanceof NotHere)) throw error;
      absent.push(`${judges}: NOT JUDGED, our embedded engine stands in. ${name}: ${error.message}`);
    }
  }
  for (const line of absent) console.log(`[conformance] ${line}`);
  if (started.length > 0) {
    const vitest = fileURLToPath(new URL("../node_modules/vitest/vitest.mjs", import.meta.url));
    const args = ["run", "--config", "conformance/vitest.config.ts", ...process.argv.slice(2)];
    tests = spawn(process.execPath, [vitest, ...args], {
      stdio: "inherit",
      env: { ...process.env, ...environment },
    });
    [code] = (await once(tests, "exit")) as [number];
  }
} finally {
  await Promise.all(started.map((engine) => engine.stop()));
}
for (const line of absent) console.log(`[conformance] ${line}`);
if (started.length === 0) console.log("[conformance] nothing was judged");
process.exitCode = code ?? 1;
