// Runs before `npm start`, `npm test` and `npm run check`, on whatever Node the machine has (>= 20): installs the
// packages once, and again when package-lock.json changed; builds the console's page once, and again when its sources
// changed. The packages bring Node 24, which npm then puts first on the PATH of every script.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

const major = Number(process.versions.node.split(".")[0]);
if (major < 20) {
  console.error(
    `central-llm needs Node 20 or newer to start (it brings its own Node 24); this is ${process.version}.`,
  );
  process.exit(1);
}

/** Ends with a message of ours when npm failed; its own stands above it. */
function npm(...parameters) {
  const { status } = spawnSync("npm", parameters, { stdio: "inherit", shell: process.platform === "win32" });
  if (status === 0) return;
  console.error(
    `[setup] \`npm ${parameters[0]}\` failed: see its message above, then run the same command again.`,
  );
  process.exit(status ?? 1);
}

const stampFile = "node_modules/.central-llm-setup";
// A hash, not a time: a fresh clone, a branch switch and a restored cache all change times without changing content.
const wanted = createHash("sha256").update(readFileSync("package-lock.json")).digest("hex");
const installed = existsSync(stampFile) ? readFileSync(stampFile, "utf8") : "";
if (installed !== wanted) {
  console.log(`[setup] installing the packages with Node ${process.version} (once; 20 to 60 seconds) ...`);
  npm("ci", "--no-fund", "--no-audit", "--loglevel=error");
  writeFileSync(stampFile, wanted);
}

// The page imports types alone from outside of its folder: they leave no trace in the build.
const sources = ["package.json", "vite.config.ts", "index.html", "public", "src"].flatMap((name) => {
  const path = `packages/web/${name}`;
  if (!/^(public|src)$/.test(name)) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/\.test\.|^sst-env\.d\.ts$/.test(entry.name))
    .map((entry) => `${entry.parentPath ?? entry.path}/${entry.name}`);
});
const hash = createHash("sha256").update(wanted);
for (const path of sources.sort()) hash.update(path).update(readFileSync(path));
const page = hash.digest("hex");
const pageStamp = "packages/web/dist/.sources";
if (!existsSync(pageStamp) || readFileSync(pageStamp, "utf8") !== page) {
  console.log("[setup] building the console's page ...");
  npm("run", "--silent", "build", "--workspace", "packages/web");
  writeFileSync(pageStamp, page);
}
