/** Bundles sst.config.ts with SST's own components as the `sst` command does before a deployment (sst/pkg/js, Build). */
import { readFileSync, rmSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Plugin } from "esbuild";
import { build } from "esbuild";

export interface App {
  name: string;
  stage: string;
  removal: string;
  protect: boolean;
  providers: { aws: { region: string } };
}

/** As the `sst` command has it. */
const EXTERNAL = [
  "@pulumi/*",
  "undici",
  "@pulumiverse/*",
  "@sst-provider/*",
  "@aws-sdk/*",
  "esbuild",
  "archiver",
  "glob",
  "vite",
];

const BANNER = `
import { createRequire as createRequireHere } from "node:module";
import { fileURLToPath as pathHere } from "node:url";
const require = createRequireHere(import.meta.url);
const __filename = pathHere(import.meta.url);
const __dirname = pathHere(new URL(".", import.meta.url));
`;

/** What `app()` in sst.config.ts answers for the stage, with SST's defaults. */
export async function evaluateApp(root: string, stage: string): Promise<App> {
  const outfile = join(root, `.sst/platform/plan-app-${process.pid}.mjs`);
  await build({
    stdin: {
      contents: `import config from "${root}/sst.config.ts"; export default await config.app({ stage: "${stage}" });`,
      resolveDir: root,
      loader: "ts",
    },
    banner: { js: `${BANNER}function $config(input) { return input }` },
    bundle: true,
    format: "esm",
    platform: "node",
    external: EXTERNAL,
    outfile,
    logLevel: "silent",
  });
  try {
    const { default: app } = await import(pathToFileURL(outfile).href);
    return { ...app, stage, removal: app.removal ?? "retain", protect: app.protect ?? false };
  } finally {
    rmSync(outfile, { force: true });
  }
}

/** The program `run()` of sst.config.ts as one module; its default export starts it. The caller removes the file. */
export async function bundleProgram(root: string, app: App): Promise<string> {
  const platform = join(root, ".sst/platform");
  const work = join(root, ".sst");
  const outfile = join(platform, `plan-program-${process.pid}.mjs`);
  const cli = {
    command: "deploy",
    rpc: "",
    dev: false,
    paths: { home: join(work, "home"), root, work, platform },
    state: { version: {} },
  };
  await build({
    stdin: {
      contents: `import { run } from "${platform}/src/auto/run.ts";
        import config from "${root}/sst.config.ts";
        export default () => run(config.run);`,
      resolveDir: root,
      sourcefile: "program.ts",
      loader: "ts",
    },
    banner: { js: BANNER },
    mainFields: ["module", "main"],
    format: "esm",
    platform: "node",
    bundle: true,
    sourcemap: "linked",
    outfile,
    logLevel: "error",
    nodePaths: [join(platform, "node_modules")],
    external: EXTERNAL,
    inject: [join(platform, "src/shim/run.js")],
    define: { $app: JSON.stringify(app), $cli: JSON.stringify(cli), $dev: "false" },
    plugins: [sstGlobals(root)],
  });
  return outfile;
}

function sstGlobals(root: string): Plugin {
  const platform = join(root, ".sst/platform");
  const providers = JSON.parse(readFileSync(join(root, ".sst/provider-lock.json"), "utf8")) as {
    alias: string;
    package: string;
  }[];
  const globals = [
    ...providers.map((provider) => `import * as ${provider.alias} from "${provider.package}";`),
    `import * as sst from "${platform}/src/components";`,
  ].join("\n");
  return {
    name: "sst-globals",
    setup(build) {
      // Calls to the `sst` command's server become calls to the plan's process.
      build.onLoad({ filter: /components\/rpc\/rpc\.ts$/ }, () => ({
        loader: "ts",
        contents: `export namespace rpc {
          export class MethodNotFoundError extends Error {}
          export const call = (method: string, args: any): Promise<any> => (globalThis as any).__sstRpc(method, args);
          export class Provider { constructor(public type: string) {} }
        }`,
      }));
      // Generated names end in random letters; a plan is to be the same each time.
      build.onLoad({ filter: /\.sst\/platform\/src\/components\/naming\.ts$/ }, ({ path }) => ({
        loader: "ts",
        resolveDir: dirname(path),
        contents: readFileSync(path, "utf8").replace(
          'crypto.randomBytes(8).toString("hex")',
          '"0000000000000000"',
        ),
      }));
      // A plan is about what there is to be, not about a site's build: an unbuilt one counts as empty.
      build.onLoad({ filter: /components\/base\/base-static-site\.ts$/ }, ({ path }) => ({
        loader: "ts",
        resolveDir: dirname(path),
        contents: readFileSync(path, "utf8").replace(
          "if (!fs.existsSync(outputPath)) {",
          `if (!fs.existsSync(outputPath)) return ${JSON.stringify(join(root, ".sst/artifacts/plan"))};
           if (!fs.existsSync(outputPath)) {`,
        ),
      }));
      // The command puts the providers and `sst` in front of every file of the project.
      build.onLoad({ filter: /\.(js|ts|mjs)$/ }, ({ path }) => {
        if (path.includes("/.sst/") || path.includes("/node_modules/")) return undefined;
        return {
          contents: `${globals}\n${readFileSync(path, "utf8")}`,
          loader: extname(path) === ".ts" ? "ts" : "js",
        };
      });
    },
  };
}
