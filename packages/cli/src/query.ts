/** `central-llm query`: every way to find rows. */
import * as AuditQuery from "@central-llm/core/audit-query";
import { toListed } from "@central-llm/core/listed-row";
import * as RequestLookUp from "@central-llm/core/request-look-up";
import { Command, Option } from "commander";
import * as Argument from "./argument.ts";
import { withConnection } from "./command.ts";
import type { Connection } from "./connection.ts";
import { EXIT, Failure } from "./failure.ts";
import { FORMATS, type Format } from "./output.ts";
import { progress } from "./progress.ts";
import { patternOf, type RowFilter, withRowFilter } from "./row-filter.ts";
import * as RowOutput from "./row-output.ts";

const EXAMPLES = `
Examples:
  central-llm query                                      the last 24 hours of every project, newest first
  central-llm query --project smoke-test --from 7d
  central-llm query --user qa --from 2026-11-01 --to 2026-11-08 --format csv --all-pages > qa.csv
  central-llm query --status 404          central-llm query --status 5xx --from 1h
  central-llm query --project smoke-test --slowest --limit 3
  central-llm query --request-id 01999999-6a3b-7c4d-8e5f-0123456789ab
`;

interface Options extends RowFilter {
  requestId?: string;
  limit: number;
  cursor?: string;
  pages: number;
  allPages?: boolean;
  format: Format;
}

export function queryCommand(): Command {
  return withRowFilter(new Command("query"))
    .summary("find audited requests")
    .description(
      "Finds audited requests, newest first. Times are UTC; a range includes --from and excludes --to.",
    )
    .option("-r, --request-id <id>", "this request: our id, or the client's x-request-id")
    .option("-n, --limit <rows>", "rows a page", Argument.count(500), 50)
    .option("--cursor <text>", "go on where a page ended")
    .addOption(
      new Option("--pages <number>", "pages to read").argParser(Argument.count(1_000_000)).default(1),
    )
    .option("--all-pages", "read to the end")
    .addOption(new Option("-f, --format <format>", "output").choices(FORMATS).default("table"))
    .addHelpText("after", EXAMPLES)
    .action(withConnection(query));
}

async function query(connection: Connection, options: Options): Promise<void> {
  const output = RowOutput.writer(options.format, (text) => process.stdout.write(text));
  if (options.requestId !== undefined) {
    const items = await RequestLookUp.find(connection.table, options.requestId);
    if (items.length === 0) throw notFound(options.requestId);
    output.rows(items.map(toListed));
    return output.end({ cursor: null, searchedUntil: null });
  }
  const wanted = patternOf(options);
  const pages = options.allPages ? Number.POSITIVE_INFINITY : options.pages;
  const bar = progress("{value} rows, searched until {until}", { until: options.to });
  let found = 0;
  let last: AuditQuery.Page | undefined;
  try {
    for (let read = 0; read < pages && last?.cursor !== null; ) {
      last = await AuditQuery.page(connection.table, wanted, {
        limit: options.limit,
        cursor: last?.cursor ?? options.cursor,
      });
      output.rows(last.rows);
      found += last.rows.length;
      // A page that came back empty because its work is bounded does not count: the reader wants rows.
      if (last.rows.length > 0) read++;
      bar.update(found, { until: last.searchedUntil ?? "" });
    }
  } finally {
    bar.stop();
  }
  output.end({ cursor: last?.cursor ?? null, searchedUntil: last?.searchedUntil ?? null });
  if (last?.cursor) {
    const same = `--from ${wanted.from} --to ${wanted.to} --cursor ${last.cursor}`;
    process.stderr.write(`There is more: repeat with ${same}\n`);
  }
}

export const notFound = (requestId: string) =>
  new Failure(
    EXIT.notFound,
    `No row for the request id ${requestId}. Rows appear about a second after the answer; \`central-llm dlq\` lists those that could not be stored.`,
  );
