/**
 * How long the proxy and the Lambda functions take to be of use: `npm run bench:cold-start`. From a warm disk; on Lambda, the
 * download of the package and the start of the sandbox come on top.
 */
import { execFileSync } from "node:child_process";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { central, stub } from "./contestants.ts";
import { chatRequest } from "./load.ts";
import { CACHE } from "./native-program.ts";
import { pinThisProcess } from "./pinned-process.ts";
import { figure, median, printTable, writeResults } from "./report.ts";

const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "9" } },
});
const rounds = Number(options.rounds);
const source = (path: string) => fileURLToPath(new URL(`../packages/${path}`, import.meta.url));

/** One file an entry, everything it imports within, as it is deployed. @returns the files' paths */
async function bundled(name: string, entries: string[]): Promise<string[]> {
  const outdir = `${CACHE}bundle/${name}`;
  const { metafile } = await build({
    entryPoints: entries,
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    minify: true,
    platform: "node",
    target: "node24",
    format: "esm",
    metafile: true,
    logLevel: "error",
    // CommonJS packages inside an ES module still ask for these; the names must not meet a minified one.
    banner: {
      js: 'import { createRequire as createRequireForBundle } from "node:module"; const require = createRequireForBundle(import.meta.url); const __filename = import.meta.filename; const __dirname = import.meta.dirname;',
    },
  });
  return Object.keys(metafile.outputs).map((file) => fileURLToPath(new URL(`../${file}`, import.meta.url)));
}

const ONCE = `
const before = process.cpuUsage();
const start = performance.now();
await import(process.argv[1]);
const milliseconds = performance.now() - start;
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ milliseconds, cpu: (user + system) / 1000, memory: process.memoryUsage.rss() / 2 ** 20 }));
process.exit(0);
`;

/** Imports a module in a process of its own, as Lambda's runtime does. */
function imported(file: string): { milliseconds: number; cpu: number; memory: number } {
  const text = execFileSync(process.execPath, ["--input-type=module", "-e", ONCE, pathToFileURL(file).href], {
    env: {
      PATH: process.env.PATH ?? "",
      AWS_REGION: "eu-west-1",
      AWS_ACCESS_KEY_ID: "bench",
      AWS_SECRET_ACCESS_KEY: "bench",
      TABLE_NAME: "CentralLLMAudit",
      AUDIT_BUCKET: "bench-audit",
      AUDIT_PREFIX: "logs",
      AUDIT_DLQ_URL: "http://127.0.0.1:9/000000000000/dlq",
      INGEST_QUEUE_URL: "http://127.0.0.1:9/000000000000/ingest",
      MAX_PREVIEW_CHARS: "2048",
    },
    encoding: "utf8",
    // A minified module's stack is a megabyte of source.
    stdio: ["ignore", "pipe", "ignore"],
  });
  return JSON.parse(text.trim().split("\n").at(-1) ?? "");
}

pinThisProcess();
const [upstream, s3] = [await stub(1, 0), await stub(0, 0)];

/** Milliseconds from the process's start until it listens, and until it has answered its first request. */
async function proxyStart(entry?: string): Promise<{ listening: number; answered: number }> {
  const start = performance.now();
  const proxy = await central(upstream.port, s3.port, { entry });
  const listening = performance.now() - start;
  const [head = "", body = ""] = chatRequest(false).toString().split("\r\n\r\n");
  const headers = head
    .split("\r\n")
    .slice(1)
    .map((line): [string, string] => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)])
    .filter(([name]) => name !== "Host" && name !== "Content-Length");
  const url = `http://127.0.0.1:${proxy.port}/v1/chat/completions`;
  const response = await fetch(url, { method: "POST", headers, body });
  await response.arrayBuffer();
  const answered = performance.now() - start;
  if (response.status !== 200) throw new Error(`The first request was answered with ${response.status}`);
  await proxy.process.stop();
  return { listening, answered };
}

const proxyBundle = await bundled("proxy", [source("proxy/src/main.ts"), source("proxy/src/uploader.ts")]);
writeFileSync(`${CACHE}bundle/package.json`, '{"type":"module"}');
const main = proxyBundle.find((file) => file.endsWith("main.mjs"));
const functions = ["ingest", "reconcile"].filter((name) => existsSync(source(`functions/src/${name}.ts`)));
const lambdas: Record<string, string> = {};
for (const name of functions) {
  lambdas[name] = (await bundled(`functions-${name}`, [source(`functions/src/${name}.ts`)]))[0] ?? "";
}

const starts: Record<string, { listening: number; answered: number }[]> = { source: [], bundled: [] };
const imports: Record<string, ReturnType<typeof imported>[]> = {};
await proxyStart(); // Reads the files from disk once.
for (let round = 0; round < rounds; round++) {
  starts.source?.push(await proxyStart());
  starts.bundled?.push(await proxyStart(main));
  for (const name of functions) {
    imports[name] ??= [];
    imports[name].push(imported(lambdas[name] ?? ""));
  }
  console.error(`[bench] round ${round + 1} of ${rounds}`);
}
await Promise.all([upstream, s3].map(({ process }) => process.stop()));

printTable(
  "Proxy, milliseconds from the process's start (medians)",
  ["", "listening", "first answer"],
  Object.entries(starts).map(([name, runs]) => [
    name,
    figure(median(runs.map(({ listening }) => listening))),
    figure(median(runs.map(({ answered }) => answered))),
  ]),
);
printTable(
  "Lambda functions, bundled with the AWS SDK: the import alone (medians)",
  ["", "KB", "ms", "CPU ms", "MB after it"],
  Object.entries(imports).map(([name, runs]) => [
    name,
    figure(statSync(lambdas[name] ?? "").size / 1024),
    figure(median(runs.map(({ milliseconds }) => milliseconds))),
    figure(median(runs.map(({ cpu }) => cpu))),
    figure(median(runs.map(({ memory }) => memory))),
  ]),
);
console.log(`\nWritten to ${writeResults("cold-start", { rounds, starts, imports })}`);
