/** `central-llm tail`: rows as they come. */
import { setTimeout as sleep } from "node:timers/promises";
import * as AuditQuery from "@central-llm/core/audit-query";
import type { ListedRow } from "@central-llm/core/listed-row";
import { Command, Option } from "commander";
import * as Argument from "./argument.ts";
import { withConnection } from "./command.ts";
import type { Connection } from "./connection.ts";
import { json } from "./output.ts";
import { tableLine } from "./row-output.ts";

/** A row may appear this long after its request came: long answers, and ingest. */
const LATE_MS = 10 * 60_000;

interface Options {
  project?: string;
  interval: number;
  count: number;
  format: "table" | "jsonl";
  since: string;
}

export function tailCommand(): Command {
  return new Command("tail")
    .summary("show rows as they come")
    .description("Shows new rows until interrupted, those of long requests when these end.")
    .option("-p, --project <id>", "of this project alone")
    .option(
      "--since <time>",
      "begin with rows received since",
      (text) => Argument.instant(text),
      Argument.instant("now"),
    )
    .option("--interval <duration>", "time between looks", Argument.duration, 1_000)
    .addOption(
      new Option("--count <rows>", "stop after so many")
        .argParser(Argument.count(1e9))
        .default(Number.POSITIVE_INFINITY, "none"),
    )
    .addOption(new Option("-f, --format <format>", "output").choices(["table", "jsonl"]).default("table"))
    .addHelpText(
      "after",
      "\nExamples:\n  central-llm tail\n  central-llm tail --project smoke-test --format jsonl | jq .statusCode\n",
    )
    .action(withConnection(tail));
}

async function tail(connection: Connection, options: Options): Promise<void> {
  const seen = new Set<string>();
  let left = options.count;
  let headed = false;
  while (left > 0) {
    const now = Date.now();
    const late = new Date(now - LATE_MS).toISOString();
    const from = [late, options.since].sort()[1] as string; // The later one: ISO sorts as text.
    const rows = (await newRows(connection, options.project, from, seen)).slice(0, left);
    left -= rows.length;
    for (const row of rows) seen.add(row.createdAt);
    // What lies before the window can never come again.
    for (const place of seen) if (place < from) seen.delete(place);
    if (rows.length > 0) {
      const lines = options.format === "jsonl" ? rows.map((row) => json(row)) : tableLine(rows).split("\n");
      process.stdout.write(`${lines.slice(options.format === "table" && headed ? 1 : 0).join("\n")}\n`);
      headed = true;
    }
    if (left > 0) await sleep(options.interval);
  }
}

/** Oldest first. */
async function newRows(
  connection: Connection,
  projectId: string | undefined,
  from: string,
  seen: Set<string>,
) {
  // A clock ahead of ours may stamp rows in our future.
  const to = new Date(Date.now() + 60_000).toISOString();
  const query: AuditQuery.AuditQuery = projectId
    ? { by: "project", projectId, from, to }
    : { by: "all", from, to };
  const fresh: ListedRow[] = [];
  let cursor: string | null = null;
  do {
    const page: AuditQuery.Page = await AuditQuery.page(connection.table, query, { limit: 200, cursor });
    fresh.push(...page.rows.filter(({ createdAt }) => !seen.has(createdAt)));
    cursor = page.cursor;
  } while (cursor !== null);
  return fresh.reverse();
}
