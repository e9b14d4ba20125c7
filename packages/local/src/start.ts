/** `npm start`: the whole platform on this machine. Ctrl-C stops it. */
import "./node-version.ts";
import { mkdirSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { CENTRAL_PLAN, GENEROUS_PLAN, USAGE_PLANS } from "@central-llm/core/usage-plan";
import { Command, Option } from "commander";
import { z } from "zod";
import { loadApiKeys } from "./api-key.ts";
import { accountsFile, loadAccounts } from "./console-accounts.ts";
import { ensureDemoKey, loadGatewayKeys } from "./gateway-keys.ts";
import { localFolder, lock, wipe, writeEnv } from "./local-folder.ts";
import { portsAt, takenPorts } from "./local-ports.ts";
import { platformPrograms, platformVariables, STOP_ORDER } from "./platform-programs.ts";
import { type SupervisedProcess, supervise } from "./supervised-process.ts";
import { welcome } from "./welcome.ts";

const GRACE_MS = 6_000;

const Environment = z.object({
  LOCAL_DIR: z.string().min(1).optional(),
  PORT_OFFSET: z.coerce.number("PORT_OFFSET must be a number").int().min(-3000).max(57_000).default(0),
  UPSTREAM_URL: z.url({ protocol: /^https?$/, error: "UPSTREAM_URL must be an http(s) URL" }).optional(),
});

const { fresh, seedLimits } = new Command("npm start --")
  .description("Runs Central LLM on this machine. Data, keys and logs live in .local/.")
  .option("--fresh", "delete the data, keys and logs of earlier runs first")
  .addOption(
    new Option("--seed-limits [plan]", "put the API key under a usage plan of the seeds")
      .choices(USAGE_PLANS.map((plan) => plan.name))
      .preset(CENTRAL_PLAN.name),
  )
  .addHelpText(
    "after",
    "\nEnvironment:\n  PORT_OFFSET=n     shift every port by n\n  UPSTREAM_URL=url  an OpenAI-compatible server in place of the demo model\n  LOCAL_DIR=folder  in place of .local/",
  )
  .parse()
  .opts<{ fresh?: boolean; seedLimits?: string }>();

/** Short when it lies below the working folder. */
function shown(path: string): string {
  const below = relative(process.cwd(), path);
  return below.startsWith("..") || below === "" ? path : below;
}

const say = (line: string) => console.log(line);

function fail(error: unknown): never {
  console.error(
    error instanceof z.ZodError ? error.issues[0]?.message : error instanceof Error ? error.message : error,
  );
  process.exit(1);
}

async function main(): Promise<void> {
  const environment = Environment.parse(process.env);
  const folder = localFolder(environment.LOCAL_DIR);
  const unlock = lock(folder);
  process.once("exit", unlock);
  if (fresh) wipe(folder);
  rmSync(folder.env, { force: true });
  mkdirSync(folder.logs, { recursive: true });
  const ports = portsAt(environment.PORT_OFFSET);
  const usagePlan = seedLimits ?? GENEROUS_PLAN.name;
  const gatewayKeys = loadGatewayKeys(join(folder.edge, "gateway-keys.json"));
  const programs = platformPrograms({
    folder,
    ports,
    usagePlan,
    masterKey: gatewayKeys.master,
    upstreamUrl: environment.UPSTREAM_URL,
    environment: process.env,
  });
  const { edge, centralProxy, demoModel, aws, gateway, bedrock, postgres, issuer, console: page } = ports;
  const needed = {
    edge,
    centralProxy,
    aws,
    gateway,
    bedrock,
    postgres,
    console: page,
    issuer,
    ...(environment.UPSTREAM_URL ? {} : { demoModel }),
  };
  const taken = await takenPorts(needed);
  if (taken.length > 0) {
    const list = taken.map((name) => `${needed[name as keyof typeof needed]} (${name})`).join(", ");
    throw new Error(`Taken by another program: port ${list}. PORT_OFFSET=100 npm start uses others.`);
  }
  const [key] = loadApiKeys(join(folder.edge, "api-keys.json"), "central-llm-client");

  const running: SupervisedProcess[] = [];
  let stopping: Promise<void> | undefined;
  async function stop(): Promise<void> {
    rmSync(folder.env, { force: true });
    for (const name of STOP_ORDER) await running.find((one) => one.name === name)?.stop(GRACE_MS);
  }
  const onSignal = (signal: string) => {
    if (stopping) {
      // A second Ctrl-C: their channels to this process close, and they end by themselves.
      process.exit(1);
    }
    say(`\n${signal === "SIGINT" ? "Ctrl-C" : signal}: stopping …`);
    stopping = stop();
    stopping.then(() => {
      say("Stopped.");
      process.exit(0);
    }, fail);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => onSignal(signal));

  try {
    for (const row of programs) {
      const started = await Promise.allSettled(row.map((program) => supervise(program, folder.logs, say)));
      for (const one of started) if (one.status === "fulfilled") running.push(one.value);
      if (stopping) return;
      const failed = started.find((one) => one.status === "rejected");
      if (failed) throw failed.reason;
    }
    await ensureDemoKey(`http://127.0.0.1:${gateway}`, gatewayKeys);
  } catch (error) {
    await stop();
    throw error;
  }
  const variables = platformVariables(ports, key?.value ?? "", gatewayKeys);
  const accounts = loadAccounts(accountsFile(folder));
  say(welcome(variables, { ...environment, usagePlan, folder: shown(folder.path), accounts }));
  writeEnv(folder, variables);
  say("ready");
}

main().catch(fail);
