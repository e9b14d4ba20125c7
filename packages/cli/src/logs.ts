/** `central-llm logs central|gateway|ingest|api`: a deployed stage's logs, once or followed. */
import { setTimeout as sleep } from "node:timers/promises";
import { Command, Argument as CommandArgument } from "commander";
import * as Argument from "./argument.ts";
import { withConnection } from "./command.ts";
import type { Connection } from "./connection.ts";
import { type DeployedStage, deployedStage } from "./deployed-stage.ts";
import { EXIT, Failure } from "./failure.ts";

type Source = keyof DeployedStage["logGroups"];
const SOURCES: Source[] = ["central", "gateway", "ingest", "api"];

const INTERVAL_MS = 2_000;

interface Options {
  stage: string;
  since: string;
  filter?: string;
  follow?: boolean;
}

export function logsCommand(): Command {
  return new Command("logs")
    .summary("show or follow a stage's logs")
    .addArgument(new CommandArgument("<source>", "whose").choices(SOURCES))
    .option("-s, --stage <stage>", "of this stage", "prod")
    .option("--since <time>", "from then on", (text) => Argument.instant(text), Argument.instant("5m"))
    .option("--filter <pattern>", "lines that match, in CloudWatch's filter syntax")
    .option("-f, --follow", "go on until interrupted")
    .action(
      withConnection((connection, source: Source, options: Options) => logs(connection, source, options)),
    );
}

async function logs(connection: Connection, source: Source, options: Options): Promise<void> {
  if (connection.settings.AWS_ENDPOINT_URL) {
    throw new Failure(EXIT.usage, "The local platform's logs are in .local/logs: use --aws for a stage's.");
  }
  const { LogFollower } = await import("./log-follower.ts");
  const { logsClient } = await import("./stage-clients.ts");
  const client = logsClient(connection.settings);
  const group = deployedStage(options.stage).logGroups[source];
  const follower = new LogFollower(client, group, Date.parse(options.since), options.filter);
  do {
    for await (const line of follower.next()) process.stdout.write(`${line}\n`);
    if (options.follow) await sleep(INTERVAL_MS);
  } while (options.follow);
}
