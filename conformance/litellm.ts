/**
 * The engine in front of LiteLLM against the real one: `npm run test:litellm [-- <vitest's arguments>]`.
 * Ends with 3 and one line that says why where LiteLLM cannot be had. What is judged: docs/decisions/litellm-engine.md.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { NotHere } from "./fetched-engine.ts";
import { startLitellm, VERSION } from "./litellm-judge.ts";

const NOT_JUDGED = 3;

let tests: ReturnType<typeof spawn> | undefined;
// The tests get the signal too when it comes from the terminal; this way they get it in any case.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => tests?.kill(signal));

try {
  const litellm = await startLitellm();
  try {
    console.log(`[litellm] LiteLLM ${VERSION} at ${litellm.url}, without a database`);
    const vitest = fileURLToPath(new URL("../node_modules/vitest/vitest.mjs", import.meta.url));
    const file = "packages/proxy/src/litellm/litellm-clients.test.ts";
    tests = spawn(process.execPath, [vitest, "run", file, ...process.argv.slice(2)], {
      stdio: "inherit",
      env: { ...process.env, LITELLM_JUDGE_URL: litellm.url },
    });
    const [code] = (await once(tests, "exit")) as [number | null];
    process.exitCode = code ?? 1;
  } finally {
    await litellm.stop();
  }
} catch (error) {
  if (!(error instanceof NotHere)) throw error;
  console.log(`[litellm] NOT JUDGED: ${error.message.split("\n").at(-1)}`);
  process.exitCode = NOT_JUDGED;
}
