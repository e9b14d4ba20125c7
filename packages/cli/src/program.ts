/** The command line as a whole, and how a run of it ends. */
import { Command, CommanderError } from "commander";
import { dlqCommand, replayCommand } from "./dlq.ts";
import { exportCommand } from "./export.ts";
import { EXIT, Failure } from "./failure.ts";
import { getCommand } from "./get.ts";
import { gpuCommand } from "./gpu.ts";
import { keysCommand } from "./keys.ts";
import { logsCommand } from "./logs.ts";
import { queryCommand } from "./query.ts";
import { reconcileCommand } from "./reconcile.ts";
import { smokeCommand } from "./smoke.ts";
import { spendCommand } from "./spend.ts";
import { statusCommand } from "./status.ts";
import { tailCommand } from "./tail.ts";
import { verifyCommand } from "./verify.ts";

const HELP = `
Settings come from the environment (AWS_ENDPOINT_URL, AWS_REGION, TABLE_NAME, AUDIT_BUCKET …), else from .local/env of a
running \`npm start\` in this folder or above, else AWS's usual places (profile, SSO, role).

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 the trail is not complete.

Examples:
  central-llm status
  central-llm query --project smoke-test --from 1h
  central-llm get <requestId>
  central-llm dlq
  central-llm keys generate --user jane --tier standard
  central-llm spend users
`;

function program(): Command {
  const all = new Command("central-llm")
    .description("Finds, shows and repairs audited language model calls; keys and spend of the gateway.")
    .option("--aws", "use AWS though a local platform is running")
    .addHelpText("after", HELP)
    .showHelpAfterError("(--help shows what there is)");
  for (const command of [
    queryCommand(),
    exportCommand(),
    getCommand(),
    tailCommand(),
    dlqCommand(),
    replayCommand(),
    reconcileCommand(),
    verifyCommand(),
    statusCommand(),
    smokeCommand(),
    logsCommand(),
    gpuCommand(),
    keysCommand(),
    spendCommand(),
  ]) {
    all.addCommand(command);
  }
  for (const command of [all, ...all.commands, ...all.commands.flatMap(({ commands }) => commands)])
    command.exitOverride().configureHelp({ helpWidth: 110 });
  return all;
}

/** @param args without node and the script @returns the exit code; what went wrong has been said on stderr */
export async function run(args: string[]): Promise<number> {
  try {
    await program().parseAsync(args, { from: "user" });
    return EXIT.ok;
  } catch (error) {
    return exitCode(error);
  }
}

function exitCode(error: unknown): number {
  // Commander has printed its message, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof Failure) {
    process.stderr.write(`${error.message}\n`);
    return error.exitCode;
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return EXIT.failed;
}
