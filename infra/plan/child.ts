/**
 * `node child.ts <root> <stage> <result file>`: evaluates sst.config.ts for a stage and writes the {@link Plan}.
 * A process of its own, because Pulumi's and SST's state is global to one, SST changes the directory, and an empty
 * event loop is the only exact sign that every resource has been registered.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundleProgram, evaluateApp } from "./bundle.ts";
import { mocks, type Recording, record } from "./mock-engine.ts";
import { ACCOUNT } from "./mock-state.ts";
import type { Inputs, Plan } from "./resource.ts";

const [root = "", stage = "", resultFile = ""] = process.argv.slice(2);
const platformRequire = createRequire(join(root, ".sst/platform/package.json"));
// The very instances that the bundle's imports resolve to.
const pulumi = platformRequire("@pulumi/pulumi");
const { deserializeProperties } = platformRequire("@pulumi/pulumi/runtime/rpc");
const { MockMonitor } = platformRequire("@pulumi/pulumi/runtime/mocks");
const { leakedPromises } = platformRequire("@pulumi/pulumi/runtime/debuggable");

// People set a stage's secrets; a plan has one for each. (SST looks for them in its environment.)
process.env = new Proxy(process.env, {
  get: (values, name) =>
    Reflect.get(values, name) ?? (String(name).startsWith("SST_SECRET_") ? "plan-only" : undefined),
});

// A dynamic resource serialises its provider's source, which loads a compiler; the plan wants its inputs only.
pulumi.dynamic.Resource = class extends pulumi.CustomResource {
  constructor(provider: { type: string }, name: string, props: Inputs, opts: unknown) {
    super("pulumi-nodejs:dynamic:Resource", name, { ...props, __provider: provider.type }, opts);
  }
};

const recording: Recording = { resources: [], errors: [] };
let outputs: Inputs = {};
let settled = false;
const seen = new Set<unknown>();
/** Several outputs can carry one and the same error. */
function fail(error: unknown): void {
  if (seen.has(error)) return;
  seen.add(error);
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  recording.errors.push({ message, stack: String(stack) });
}
process.on("unhandledRejection", fail); // a throw inside an .apply()

const app = await evaluateApp(root, stage);
const { region } = app.providers.aws;

process.once("beforeExit", () => {
  const [leaks] = leakedPromises() as [Set<{ _debugCtx: string }>];
  if ((!settled || leaks.size > 0) && recording.errors.length === 0) {
    const contexts = new Set([...leaks].map((promise) => promise._debugCtx));
    fail(new Error(`the program never settled: ${[...contexts].slice(0, 8).join("; ")}`));
  }
  const urns = new Set<string>();
  for (const { urn } of recording.resources) {
    if (urns.has(urn)) fail(new Error(`two resources have the name ${urn}`));
    urns.add(urn);
  }
  const plan: Plan = {
    stage,
    region,
    app: { name: app.name, protect: app.protect, removal: app.removal },
    outputs,
    ...recording,
  };
  writeFileSync(resultFile, JSON.stringify(plan));
  process.exit(0);
});

const artifacts = join(root, ".sst/artifacts/plan");
mkdirSync(artifacts, { recursive: true });
writeFileSync(join(artifacts, "index.mjs"), "");

/** The questions that SST's components put to the `sst` command. */
const replies: Record<string, (args: Inputs) => Inputs> = {
  "Provider.Aws.Bootstrap": () => ({
    asset: "sst-asset-plan",
    state: "sst-state-plan",
    assetEcrRegistryId: ACCOUNT,
    assetEcrUrl: `${ACCOUNT}.dkr.ecr.${region}.amazonaws.com/sst-asset`,
    appsyncHttp: "",
    appsyncRealtime: "",
  }),
  "Runtime.AddTarget": () => ({}),
  "Runtime.Build": (args) => {
    // A handler that SST itself brings (`args.bundle`) needs no source here; ours is bundled by a test of its own.
    const source = join(root, `${String(args.handler).replace(/\.[^./]+$/, "")}.ts`);
    const errors = args.bundle || existsSync(source) ? [] : [`there is no handler at ${source}`];
    return { handler: args.handler, out: args.bundle ?? artifacts, errors, sourcemaps: [] };
  },
};
(globalThis as Inputs).__sstRpc = async (method: string, args: Inputs) => {
  const reply = replies[method];
  if (!reply) throw new Error(`the plan has no reply to SST's call ${method}: add it to infra/plan/child.ts`);
  return reply(args);
};

const program = await bundleProgram(root, app);
await pulumi.runtime.setMocks(mocks(region, recording), app.name, stage, false, "organization");
record(MockMonitor.prototype, deserializeProperties, recording);
const { default: start } = await import(pathToFileURL(program).href);
for (const file of [program, `${program}.map`]) rmSync(file, { force: true });
// Not awaited: a pending top-level await would end the process by another path than "beforeExit".
pulumi.runtime
  .runInPulumiStack(() => start())
  .then(
    (result: Inputs) => {
      outputs = result;
      settled = true;
    },
    (error: unknown) => {
      settled = true;
      fail(error);
    },
  );
