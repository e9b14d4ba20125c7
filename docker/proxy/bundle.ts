/** `node docker/proxy/bundle.ts <folder>`: the proxy as files that need nothing but Node 24. */
import { cpSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";

const [folder] = process.argv.slice(2);
if (!folder) throw new Error("node docker/proxy/bundle.ts <folder>");
const root = resolve(import.meta.dirname, "../..");

await build({
  entryPoints: {
    main: join(root, "packages/proxy/src/main.ts"),
    // A thread of its own; the proxy looks for it beside itself.
    uploader: join(root, "packages/proxy/src/uploader.ts"),
    "health-check": join(import.meta.dirname, "health-check.ts"),
  },
  outdir: folder,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node24",
  sourcemap: "linked",
  logLevel: "warning",
  // Some packages are CommonJS inside.
  banner: {
    js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
  },
});
writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
// Read at start, from beside the program.
cpSync(join(root, "packages/proxy/src/gateway/migrations"), join(folder, "migrations"), { recursive: true });
