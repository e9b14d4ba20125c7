// Runs before `npm start`, `npm test` and `npm run check`, on whatever Node the machine has (>= 20): installs the
// packages once, and again when package-lock.json changed. The packages bring Node 24, which npm then puts first on
// the PATH of every script.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const major = Number(process.versions.node.split(".")[0]);
if (major < 20) {
  console.error(
    `central-llm needs Node 20 or newer to start (it brings its own Node 24); this is ${process.version}.`,
  );
  process.exit(1);
}

const stampFile = "node_modules/.central-llm-setup";
// A hash, not a time: a fresh clone, a branch switch and a restored cache all change times without changing content.
const wanted = createHash("sha256").update(readFileSync("package-lock.json")).digest("hex");
const installed = existsSync(stampFile) ? readFileSync(stampFile, "utf8") : "";
if (installed !== wanted) {
  console.log(`[setup] installing the packages with Node ${process.version} (once; 20 to 60 seconds) ...`);
  const npm = spawnSync("npm", ["ci", "--no-fund", "--no-audit", "--loglevel=error"], {
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (npm.status !== 0) {
    console.error("[setup] `npm ci` failed: see its message above, then run the same command again.");
    process.exit(npm.status ?? 1);
  }
  writeFileSync(stampFile, wanted);
}
