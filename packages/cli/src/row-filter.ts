/** The options by which `query` and `export` choose rows. */
import * as AuditQuery from "@central-llm/core/audit-query";
import type { Command } from "commander";
import * as Argument from "./argument.ts";
import { EXIT, Failure } from "./failure.ts";

export interface RowFilter {
  project?: string;
  user?: string;
  status?: ReturnType<typeof Argument.status>;
  slowest?: boolean;
  all?: boolean;
  from: string;
  to: string;
}

export function withRowFilter(command: Command): Command {
  return command
    .option("-p, --project <id>", "of this project")
    .option("-u, --user <id>", "of this user")
    .option("-s, --status <code>", "with this status (404) or class (4xx)", Argument.status)
    .option("--slowest", `slowest first; with --project, ${AuditQuery.MAX_SLOWEST_DAYS} days at most`)
    .option("--all", "of every project (the default)")
    .option(
      "--from <time>",
      "ISO 8601, or how long ago: 30m, 24h, 7d",
      (text) => Argument.instant(text),
      Argument.instant("24h"),
    )
    .option("--to <time>", "as --from", (text) => Argument.instant(text), Argument.instant("now"));
}

/** @throws {Failure} when the options contradict each other */
export function patternOf({
  project,
  user,
  status,
  slowest,
  all,
  from,
  to,
}: RowFilter): AuditQuery.AuditQuery {
  const span = { from, to };
  const chosen = [project, user, status, all].filter((value) => value !== undefined);
  if (chosen.length > 1) {
    throw new Failure(EXIT.usage, "Choose one of --project, --user, --status, --all and --request-id.");
  }
  if (slowest && project === undefined) throw new Failure(EXIT.usage, "--slowest needs --project.");
  if (project !== undefined) return { by: slowest ? "slowest" : "project", projectId: project, ...span };
  if (user !== undefined) return { by: "user", userId: user, ...span };
  if (status === undefined) return { by: "all", ...span };
  return "statusCode" in status
    ? { by: "status", ...status, ...span }
    : { by: "statusClass", ...status, ...span };
}
