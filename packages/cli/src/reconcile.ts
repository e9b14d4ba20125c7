/** `central-llm reconcile`: is the trail of a window complete? */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { reconcile, State } from "@central-llm/core/reconcile";
import { type Report, verdict } from "@central-llm/core/reconcile-report";
import { awsSource } from "@central-llm/core/reconcile-source";
import { Command, Option } from "commander";
import { withConnection } from "./command.ts";
import type { Connection } from "./connection.ts";
import { EXIT, Failure } from "./failure.ts";
import { progress } from "./progress.ts";
import { refuseEmpty, type Window, withWindow } from "./window.ts";

interface Options extends Window {
  dryRun?: boolean;
  state?: string;
  format: "text" | "json";
}

export function reconcileCommand(): Command {
  return withWindow(new Command("reconcile"))
    .summary("show whether a window of the trail is complete")
    .description(
      "Holds objects, rows and the writers' sequences against each other. Sends objects without a row to ingest again, names " +
        "missing objects and gaps. Requests of the last minutes may still be on their way.",
    )
    .option("--dry-run", "find only; send nothing to ingest")
    .option("--state <file>", "keep how far it is in this file; a run that was cut off goes on from it")
    .addOption(new Option("-f, --format <format>", "output").choices(["text", "json"]).default("text"))
    .addHelpText(
      "after",
      `
Exit codes: 0 the window is complete, 4 something is missing (run it again later: what lacked a row was sent to ingest).

Examples:
  central-llm reconcile
  central-llm reconcile --from 2026-11-01 --to 2026-11-02 --state november-1.json
  central-llm reconcile --from 2h --to now --dry-run --format json
`,
    )
    .action(withConnection(run));
}

async function run(connection: Connection, options: Options): Promise<void> {
  refuseEmpty(options);
  const window = { from: Date.parse(options.from), to: Date.parse(options.to) };
  const { settings, s3, sqs, table } = connection;
  const { ingestQueueUrl } = await connection.queues();
  const source = awsSource({
    s3,
    sqs,
    table,
    bucket: settings.AUDIT_BUCKET,
    prefix: settings.AUDIT_PREFIX,
    ingestQueueUrl,
  });
  const resume = options.state === undefined ? undefined : savedState(options.state, window);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  const bar = progress(
    "{bar} {percentage} % of the window, {objects} objects, {missing} missing",
    { objects: 0, missing: 0 },
    window.to - window.from,
  );
  let report: Report | null;
  try {
    report = await reconcile(source, window, {
      ...(resume && { resume }),
      ...(options.dryRun && { dryRun: true }),
      signal: stop.signal,
      onProgress(state) {
        bar.update(state.next - state.from, {
          objects: state.objects,
          missing: state.missingRows.count + state.missingObjects.count,
        });
        if (options.state !== undefined) writeFileSync(options.state, JSON.stringify(state));
      },
    });
  } finally {
    bar.stop();
  }
  if (report === null) {
    const how = options.state === undefined ? "" : ` The same command goes on from ${options.state}.`;
    throw new Failure(EXIT.failed, `Cut off before the end.${how}`);
  }
  if (options.state !== undefined) rmSync(options.state, { force: true });
  process.stdout.write(
    options.format === "json"
      ? `${JSON.stringify(report, null, 2)}\n`
      : text(report, options.dryRun === true),
  );
  if (!report.complete) process.exitCode = EXIT.incomplete;
}

/** @throws {Failure} when the file is not a state, or one of another window */
function savedState(file: string, window: { from: number; to: number }): State | undefined {
  let content: string;
  try {
    content = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const state = State.safeParse(JSON.parse(content));
  if (!state.success) throw new Failure(EXIT.usage, `${file} is no state of a reconcile run.`);
  if (state.data.from !== window.from || state.data.to !== window.to) {
    const [from, to] = [state.data.from, state.data.to].map((time) => new Date(time).toISOString());
    throw new Failure(
      EXIT.usage,
      `${file} belongs to the window ${from} to ${to}: give that one, or another file.`,
    );
  }
  return state.data;
}

const SHOWN = 20;

function text(report: Report, dryRun: boolean): string {
  const { from, to, objects, rows, missingRows, missingObjects, gaps, silent } = report;
  const lines = [`${from} to ${to}: ${verdict(report)}`, `${objects} objects, ${rows} rows`];
  const list = (title: string, items: string[], count = items.length) => {
    if (count === 0) return;
    lines.push("", `${title} (${count}):`, ...items.slice(0, SHOWN).map((item) => `  ${item}`));
    if (count > SHOWN) lines.push(`  … and ${count - SHOWN} more; --format json lists up to 1,000`);
  };
  list(
    dryRun ? "Objects without a row" : "Objects without a row, sent to ingest again",
    missingRows.keys,
    missingRows.count,
  );
  list("Rows without an object, by request id", missingObjects.requestIds, missingObjects.count);
  list(
    "Numbers that a writer gave and no record has",
    gaps.map(({ writer, first, last }) => `${writer}: ${first === last ? first : `${first} to ${last}`}`),
  );
  list(
    "Writers that fell silent without closing; what their disk held is unknown",
    silent.map(({ writer, since, sequence }) => `${writer}: since ${since}, at number ${sequence}`),
  );
  return `${lines.join("\n")}\n`;
}
