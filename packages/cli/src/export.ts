/** `central-llm export`: all rows of a query into a file. */
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { finished } from "node:stream/promises";
import * as AuditQuery from "@central-llm/core/audit-query";
import { Command, Option } from "commander";
import { withConnection } from "./command.ts";
import type { Connection } from "./connection.ts";
import { EXIT, Failure } from "./failure.ts";
import { progress } from "./progress.ts";
import { patternOf, type RowFilter, withRowFilter } from "./row-filter.ts";
import * as RowOutput from "./row-output.ts";

interface Options extends RowFilter {
  format: "csv" | "jsonl";
  out?: string;
}

/** Rows asked for at a time: what is in memory. */
const PAGE = 500;

export function exportCommand(): Command {
  return withRowFilter(new Command("export"))
    .summary("write all rows of a query to a file")
    .description("Writes every audited request that a query finds, newest first, as CSV or JSON lines.")
    .addOption(new Option("-f, --format <format>", "output").choices(["csv", "jsonl"]).default("csv"))
    .option("-o, --out <file>", "where to; it appears when it is whole (default: standard output)")
    .addHelpText(
      "after",
      `
A CSV cell that a spreadsheet would take for a formula begins with an apostrophe.

Examples:
  central-llm export --from 2026-11-01 --to 2026-12-01 --out november.csv
  central-llm export --project smoke-test --from 7d --format jsonl | gzip > week.jsonl.gz
`,
    )
    .action(withConnection(exportRows));
}

async function exportRows({ table }: Connection, options: Options): Promise<void> {
  const wanted = patternOf(options);
  const partial = options.out === undefined ? null : `${options.out}.part`;
  const stream = partial === null ? process.stdout : createWriteStream(partial);
  // An error is thrown where the stream is waited for; without a listener it would end the process before that.
  let failed: Error | undefined;
  stream.once("error", (error) => {
    failed = error;
  });
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  const bar = progress("{value} rows, exported until {until}", { until: options.to });
  const output = RowOutput.writer(options.format, (text) => void stream.write(text));
  let rows = 0;
  let cursor: string | null = null;
  try {
    do {
      const page: AuditQuery.Page = await AuditQuery.page(table, wanted, { limit: PAGE, cursor });
      output.rows(page.rows);
      rows += page.rows.length;
      cursor = page.cursor;
      bar.update(rows, { until: page.searchedUntil ?? "" });
      if (stream.writableNeedDrain && !failed) await once(stream, "drain");
      if (failed) throw new Failure(EXIT.failed, `Cannot write: ${failed.message}`);
      if (stop.signal.aborted) throw new Failure(EXIT.failed, `Cut off after ${rows} rows.`);
    } while (cursor !== null);
    output.end({ cursor: null, searchedUntil: null });
    if (partial !== null && options.out !== undefined) {
      stream.end();
      await finished(stream);
      await rename(partial, options.out);
    }
  } catch (error) {
    if (partial !== null) {
      stream.destroy();
      await rm(partial, { force: true });
    }
    throw error;
  } finally {
    bar.stop();
  }
  process.stderr.write(`${rows} rows${options.out === undefined ? "" : ` in ${options.out}`}\n`);
}
