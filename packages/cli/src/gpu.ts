/** `central-llm gpu up|down|status`: the GPU capacity of a deployed stage, as seeds 002 and 003 did it by hand. */
import { Command } from "commander";
import * as Argument from "./argument.ts";
import { withConnection } from "./command.ts";
import type { Connection } from "./connection.ts";
import { deployedStage } from "./deployed-stage.ts";
import { EXIT, Failure } from "./failure.ts";

const INTERVAL_MS = 10_000;
const say = (line: string) =>
  void process.stderr.write(`${new Date().toISOString().slice(11, 19)}  ${line}\n`);

interface Options {
  stage: string;
  timeout: number;
  tasks: number;
}

export function gpuCommand(): Command {
  const gpu = new Command("gpu")
    .summary("start, stop and show a stage's GPU capacity")
    .description("Starts and stops the model service of a stage on AWS, and its hosts with it.")
    .addHelpText(
      "after",
      "\nExamples:\n  central-llm --aws gpu up\n  central-llm --aws gpu down --stage dev\n",
    );
  const stage = (command: Command) => command.option("-s, --stage <stage>", "of this stage", "prod");
  const waiting = (command: Command, timeout: string) =>
    stage(command).option(
      "--timeout <duration>",
      "give up waiting after",
      Argument.duration,
      Argument.duration(timeout),
    );
  waiting(gpu.command("up"), "30m")
    .summary("start tasks and wait until their targets are healthy")
    .option("--tasks <count>", "so many", Argument.count(100), 1)
    .action(withConnection((connection, options: Options) => up(connection, options)));
  waiting(gpu.command("down"), "40m")
    .summary("stop all tasks and wait until no host is billed")
    .action(withConnection((connection, options: Options) => down(connection, options)));
  stage(gpu.command("status"))
    .summary("show tasks, targets and hosts")
    .action(withConnection((connection, options: Options) => status(connection, options)));
  return gpu;
}

/** What works on a stage, loaded only now. @throws {Failure} on the local platform */
async function on({ settings }: Connection) {
  if (settings.AWS_ENDPOINT_URL) {
    throw new Failure(EXIT.usage, "The local platform has no GPU: use --aws and a stage's credentials.");
  }
  const { gpuClients } = await import("./stage-clients.ts");
  return { clients: gpuClients(settings), GpuCapacity: await import("./gpu-capacity.ts") };
}

async function up(connection: Connection, { stage, tasks, timeout }: Options): Promise<void> {
  const { clients, GpuCapacity } = await on(connection);
  const deployed = deployedStage(stage);
  await GpuCapacity.scale(clients, deployed, tasks);
  const look = () => GpuCapacity.state(clients, deployed);
  await GpuCapacity.waitUntil((now) => GpuCapacity.isUp(now, tasks), look, {
    timeoutMs: timeout,
    intervalMs: INTERVAL_MS,
    say,
  });
  process.stdout.write(`up: ${tasks} tasks behind healthy targets\n`);
}

async function down(connection: Connection, { stage, timeout }: Options): Promise<void> {
  const { clients, GpuCapacity } = await on(connection);
  const deployed = deployedStage(stage);
  await GpuCapacity.scale(clients, deployed, 0);
  const look = () => GpuCapacity.state(clients, deployed);
  await GpuCapacity.waitUntil(GpuCapacity.isDown, look, { timeoutMs: timeout, intervalMs: INTERVAL_MS, say });
  process.stdout.write("down: no task runs, and no host is billed\n");
}

async function status(connection: Connection, { stage }: Options): Promise<void> {
  const { clients, GpuCapacity } = await on(connection);
  const now = await GpuCapacity.state(clients, deployedStage(stage));
  process.stdout.write(`${GpuCapacity.inWords(now)}\n`);
  for (const { id, type, launchedAt } of now.hosts) {
    const hours = launchedAt && (Date.now() - launchedAt.getTime()) / 3_600_000;
    process.stdout.write(`${id}  ${type}  ${hours === undefined ? "" : `${hours.toFixed(1)} h`}\n`);
  }
}
