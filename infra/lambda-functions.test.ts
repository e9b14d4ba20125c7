import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startInstance } from "@central-llm/local/lambda-instance";
import { type FunctionHostSettings, platformFunctions } from "@central-llm/local/platform-functions";
import { build } from "esbuild";
import { afterAll, describe, expect, test } from "vitest";
import { LAMBDA_FUNCTIONS, type LambdaFunction } from "./lambda-functions.ts";
import { planOf } from "./plan/plan.ts";
import { ofType } from "./plan/resource.ts";

const prod = await planOf("prod");
const root = resolve(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "central-llm-lambda-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const written = (Object.values(LAMBDA_FUNCTIONS) as LambdaFunction[]).filter((one) => one.written);
const sourceOf = ({ handler }: LambdaFunction) => join(root, handler.replace(/\.handler$/, ".ts"));

/** As SST bundles for Node 24 (pkg/runtime/node): ESM, nothing external but what is asked for. */
async function bundle(
  declared: LambdaFunction,
  outfile: string,
  external: string[],
  minify: boolean,
): Promise<number> {
  const { outputFiles = [] } = await build({
    entryPoints: [sourceOf(declared)],
    bundle: true,
    minify,
    format: "esm",
    platform: "node",
    target: "node24",
    mainFields: ["module", "main"],
    external,
    outfile,
    write: false,
    logLevel: "error",
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
  });
  const { writeFileSync } = await import("node:fs");
  const [output] = outputFiles;
  if (!output) throw new Error("esbuild gave nothing");
  writeFileSync(outfile, output.contents);
  return output.contents.byteLength;
}

test("the plan has the functions whose handlers are written, and no others", () => {
  const planned = ofType(prod, "aws:lambda/function:Function").map(({ inputs }) => inputs.name);
  expect(planned.sort()).toEqual(written.map(({ name }) => name).sort());
  expect(planned).toContain("llm-audit-ingest");
  for (const one of written) expect(existsSync(sourceOf(one)), sourceOf(one)).toBe(true);
});

/** Variables that are not ours: SST's, Powertools', and where AWS is. */
const own = (environment: Record<string, string> = {}) =>
  Object.keys(environment)
    .filter((name) => !/^(SST_|POWERTOOLS_|AWS_ENDPOINT_URL|NODE_OPTIONS)/.test(name))
    .sort();

test("the local host runs functions of the same names, handlers, limits and variables", () => {
  const value = (name: string) => `http://127.0.0.1/${name}`;
  const names =
    "AWS_ENDPOINT_URL AWS_REGION TABLE_NAME INGEST_QUEUE_URL AUDIT_DLQ_URL AUDIT_BUCKET AUDIT_PREFIX";
  const settings = Object.fromEntries(
    `${names} EXPORT_QUEUE_URL EXPORT_BUCKET FUNCTIONS_DIR`.split(" ").map((name) => [name, value(name)]),
  ) as unknown as FunctionHostSettings;
  const local = Object.entries(
    platformFunctions({ ...settings, FUNCTIONS_DIR: join(root, "packages/functions/src") }),
  );
  expect(local.map(([name]) => name)).toEqual(expect.arrayContaining(["ingest", "reconcile", "digest"]));
  for (const [label, one] of local) {
    const declared = LAMBDA_FUNCTIONS[label as keyof typeof LAMBDA_FUNCTIONS];
    expect(one, label).toMatchObject({
      name: declared.name,
      handlerFile: sourceOf(declared),
      timeoutSeconds: declared.timeoutSeconds,
      memoryMb: declared.memoryMb,
    });
    const planned = ofType(prod, "aws:lambda/function:Function").find(
      ({ inputs }) => inputs.name === one.name,
    );
    expect(own(one.environment), label).toEqual(own(planned?.inputs.environment.variables));
  }
});

describe.each(written.map((one) => [one.name, one] as const))("%s", (name, declared) => {
  const planned = ofType(prod, "aws:lambda/function:Function").find(
    ({ inputs }) => inputs.name === name,
  )?.inputs;

  test("runs on Node 24 on ARM, with its own log group", () => {
    expect(planned).toMatchObject({
      runtime: "nodejs24.x",
      architectures: ["arm64"],
      timeout: declared.timeoutSeconds,
      memorySize: declared.memoryMb,
      loggingConfig: { logFormat: "JSON", logGroup: `/aws/lambda/${name}` },
    });
  });

  test("is below 1 MB, or 5 MB with the AWS SDK", async () => {
    const own = await bundle(declared, join(folder, `${name}-own.mjs`), ["@aws-sdk/*", "@smithy/*"], true);
    expect(own).toBeLessThan(1_000_000);
    const whole = await bundle(declared, join(folder, `${name}.mjs`), [], true);
    expect(whole).toBeLessThan(5_000_000);
  });

  test("starts cold with nothing but the plan's environment", async () => {
    const handlerFile = join(folder, `${name}-cold.mjs`);
    await bundle(declared, handlerFile, [], false);
    const lines: string[] = [];
    const instance = await startInstance(
      {
        name,
        handlerFile,
        environment: planned?.environment.variables,
        region: prod.region,
        timeoutSeconds: declared.timeoutSeconds,
        memoryMb: declared.memoryMb,
        maxConcurrency: 1,
      },
      (line) => lines.push(line),
    );
    try {
      expect(instance.alive(), lines.join("\n")).toBe(true);
      expect(instance.initMs).toBeLessThan(10_000);
    } finally {
      await instance.stop();
    }
  });

  test("does not start when the plan's environment is missing, so the test above says something", async () => {
    const handlerFile = join(folder, `${name}-cold.mjs`);
    const settings = {
      name,
      handlerFile,
      environment: {},
      region: prod.region,
      timeoutSeconds: 1,
      memoryMb: 128,
      maxConcurrency: 1,
    };
    // Each has variables of its own; SST's and Powertools' names are not ours.
    const own = Object.keys(planned?.environment.variables ?? {}).filter((one) =>
      /^(TABLE|AUDIT|INGEST)_/.test(one),
    );
    expect(own).not.toEqual([]);
    await expect(startInstance(settings, () => {})).rejects.toThrow(new RegExp(own.join("|")));
  });
});
