/** The plan of a stage: evaluated once per state of the sources, then read from `.sst/plans/`. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { withLock } from "./lock.ts";
import { prepare, ROOT } from "./prepare.ts";
import type { Plan } from "./resource.ts";

const TIMEOUT_MS = 120_000;

/** All that a plan is made from. Handlers count only as present or absent, so that their edits keep the cache. */
function sourcesHash(root: string): string {
  const hash = createHash("sha256");
  const add = (path: string, content: boolean) => {
    const full = join(root, path);
    if (!existsSync(full)) return;
    if (statSync(full).isDirectory()) {
      for (const entry of readdirSync(full).sort()) add(join(path, entry), content);
    } else if (/\.(ts|mjs|json|yml|html)$/.test(path) && !path.endsWith(".test.ts")) {
      hash.update(`${path}\n`);
      if (content) hash.update(readFileSync(full));
    }
  };
  for (const path of ["sst.config.ts", "infra", "packages/core/src"]) add(path, true);
  add("packages/functions/src", false);
  return hash.digest("hex").slice(0, 24);
}

/**
 * @param root the checkout to plan; its `.sst/platform` must fit it
 * @throws when the program fails, with each of its errors
 */
export async function planOf(stage: string, root = ROOT): Promise<Plan> {
  const plan = await evaluate(stage, root);
  if (plan.errors.length > 0) {
    const errors = plan.errors.map(({ message, stack }) => (process.env.DEBUG ? stack : message));
    throw new Error(`stage "${stage}" cannot be planned:\n${errors.join("\n")}`);
  }
  return plan;
}

async function evaluate(stage: string, root: string): Promise<Plan> {
  await prepare(root);
  const folder = join(root, ".sst/plans");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${stage}-${sourcesHash(root)}.json`);
  if (!existsSync(file)) {
    await withLock(`${file}.lock`, async () => {
      if (existsSync(file)) return;
      // Written beside and renamed: another process may look for it at any moment.
      const unfinished = `${file}.${process.pid}`;
      await runChild(stage, root, unfinished);
      renameSync(unfinished, file);
    });
  }
  return JSON.parse(readFileSync(file, "utf8")) as Plan;
}

function runChild(stage: string, root: string, resultFile: string): Promise<void> {
  // No credentials, no proxies, no state: nothing that the program does may reach AWS.
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(AWS_|SST_|PULUMI_|NODE_OPTIONS|VITEST)/.test(name),
  );
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, "child.ts"), root, stage, resultFile], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...Object.fromEntries(kept),
        NODE_OPTIONS: "--enable-source-maps --no-deprecation --disable-warning=ExperimentalWarning",
        CENTRAL_LLM_PLAN: "1",
      },
    });
    let output = "";
    child.stdout.on("data", (data) => {
      output += data;
    });
    child.stderr.on("data", (data) => {
      output += data;
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
    child.on("error", failed);
    child.on("close", () => {
      clearTimeout(timer);
      if (existsSync(resultFile)) done();
      else failed(new Error(`planning stage "${stage}" gave no result:\n${output}`));
    });
  });
}
