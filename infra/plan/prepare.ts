/**
 * Makes `.sst/platform` (SST's components and the Pulumi providers, 306 MB, 15 to 25 seconds) from the npm registry
 * alone: no Pulumi, no Bun, no AWS. Does nothing when it is there. `node infra/plan/prepare.ts` from anywhere.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { withLock } from "./lock.ts";

export const ROOT = resolve(import.meta.dirname, "../..");
const STAMP = ".sst/prepared";
/** A hash of what the platform is made from: SST's version, the lock file and the providers' versions. */
function wanted(root: string): string {
  const read = (file: string) => readFileSync(join(root, file), "utf8");
  const versions = read("sst.config.ts").match(/version: "[^"]+"/g) ?? [];
  const { version } = JSON.parse(read("node_modules/sst/package.json")) as { version: string };
  return createHash("sha256")
    .update(JSON.stringify([version, versions]))
    .update(read("infra/plan/platform-lock.json"))
    .digest("hex");
}

const isPrepared = (root: string) =>
  existsSync(join(root, STAMP)) && readFileSync(join(root, STAMP), "utf8") === wanted(root);

/** @param say gets progress lines. @throws with the command's last output when it fails */
export async function prepare(root = ROOT, say: (line: string) => void = console.error): Promise<void> {
  if (isPrepared(root)) return;
  mkdirSync(join(root, ".sst"), { recursive: true });
  await withLock(join(root, ".sst/preparing"), async () => {
    if (!isPrepared(root)) await install(root, say);
  });
}

async function install(root: string, say: (line: string) => void): Promise<void> {
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  say("[infra] preparing SST's platform from the npm registry (once; 15 to 25 seconds, 306 MB) ...");
  const ticking = setInterval(() => say(`[infra] ... still preparing, ${seconds()} s`), 5000);
  try {
    await run(root);
  } finally {
    clearInterval(ticking);
  }
  writeFileSync(join(root, STAMP), wanted(root));
  say(`[infra] prepared in ${seconds()} s`);
}

function run(root: string): Promise<void> {
  return new Promise((done, failed) => {
    const child = spawn(join(root, "node_modules/.bin/sst"), ["install", "--stage", "dev"], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        SST_SKIP_DEPENDENCY_CHECK: "true",
        SST_TELEMETRY_DISABLED: "1",
        // Inside the repository: the command keeps caches there, and tests may run where there is no home.
        XDG_CONFIG_HOME: join(root, ".sst/home"),
        SST_BUN_PATH: join(root, "infra/plan/install-platform.mjs"),
      },
    });
    let output = "";
    child.stdout.on("data", (data) => {
      output += data;
    });
    child.stderr.on("data", (data) => {
      output += data;
    });
    child.on("error", failed);
    child.on("close", (code) => {
      if (code === 0) done();
      else failed(new Error(`\`sst install\` ended with ${code}:\n${output.slice(-4000)}`));
    });
  });
}

if (import.meta.main) await prepare();
