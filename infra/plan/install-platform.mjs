#!/usr/bin/env node
// Stands in for Bun: `sst install` runs "$SST_BUN_PATH install" in .sst/platform. Installing from the committed lock
// file pins the whole tree of SST's platform and of the Pulumi providers, and needs the npm registry alone.
// After a new version of sst or of a provider, make the lock file anew: see docs/deploy.md, "New versions".
import { spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const manifest = JSON.parse(readFileSync("package.json", "utf8"));
// Only the platform's own tests use it, and it doubles the download.
delete manifest.devDependencies?.vitest;
writeFileSync("package.json", JSON.stringify(manifest, null, 2));
copyFileSync(fileURLToPath(new URL("platform-lock.json", import.meta.url)), "package-lock.json");
const npm = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"], {
  stdio: "inherit",
});
process.exit(npm.status ?? 1);
