/** `central-llm status`: is the audit trail up, and how far behind is it. */
import { HeadBucketCommand } from "@aws-sdk/client-s3";
import { GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import * as AuditQuery from "@central-llm/core/audit-query";
import { Command, Option } from "commander";
import * as Argument from "./argument.ts";
import { withConnection } from "./command.ts";
import type { Connection } from "./connection.ts";
import { advice, EXIT, Failure } from "./failure.ts";
import * as Output from "./output.ts";

interface Check {
  name: string;
  ok: boolean;
  detail: string;
}

const TIMEOUT_MS = 5_000;

export function statusCommand(): Command {
  return new Command("status")
    .summary("show whether everything answers, and how far ingest is")
    .description("Asks every part that is configured. Ends with 1 when one does not answer.")
    .addOption(new Option("-f, --format <format>", "output").choices(["table", "json"]).default("table"))
    .addHelpText(
      "after",
      "\nExamples:\n  central-llm status\n  central-llm status --format json | jq '.checks[] | select(.ok | not)'\n",
    )
    .action(withConnection(status));
}

async function status(connection: Connection, { format }: { format: "table" | "json" }): Promise<void> {
  const { settings, target } = connection;
  const services = {
    "edge (API Gateway)": settings.CENTRAL_URL && new URL("/health", settings.CENTRAL_URL),
    "central proxy": settings.CENTRAL_PROXY_URL && new URL("/ready", settings.CENTRAL_PROXY_URL),
    gateway: settings.GATEWAY_URL && new URL("/health", settings.GATEWAY_URL),
    console: settings.CONSOLE_URL && new URL(settings.CONSOLE_URL),
  };
  const checks = await Promise.all([
    check("audit bucket", target, () => bucket(connection)),
    check("audit table", target, () => newestRow(connection)),
    check("ingest queue", target, async () => depth(connection, (await connection.queues()).ingestQueueUrl)),
    check("dead-letter queue", target, async () =>
      depth(connection, (await connection.queues()).deadLetterQueueUrl),
    ),
    ...Object.entries(services).flatMap(([name, url]) =>
      url ? [check(name, url.origin, () => answers(url))] : [],
    ),
  ]);
  const ok = checks.every((one) => one.ok);
  const columns: Output.Column<Check>[] = [
    { title: "PART", text: ({ name }) => name },
    { title: "STATE", text: (one) => (one.ok ? "ok" : "FAILED") },
    { title: "", text: ({ detail }) => detail },
  ];
  process.stdout.write(
    format === "json"
      ? `${Output.json({ ok, target, checks }, 2)}\n`
      : `${target} (settings from ${settings.source})\n\n${Output.table(columns, checks)}\n`,
  );
  const failed = checks.filter((one) => !one.ok).map(({ name }) => name);
  if (!ok) throw new Failure(EXIT.failed, `Not answering: ${failed.join(", ")}.`);
}

async function check(name: string, target: string, ask: () => Promise<string>): Promise<Check> {
  try {
    return { name, ok: true, detail: await ask() };
  } catch (error) {
    const { message } = error instanceof Error ? error : new Error(String(error));
    return { name, ok: false, detail: advice(error, target) ?? message };
  }
}

async function bucket({ s3, settings }: Connection): Promise<string> {
  await s3.send(new HeadBucketCommand({ Bucket: settings.AUDIT_BUCKET }));
  return settings.AUDIT_BUCKET;
}

async function newestRow({ table, settings }: Connection): Promise<string> {
  const span = { from: Argument.instant("7d"), to: new Date(Date.now() + 60_000).toISOString() };
  // Seven days touch eight of the table's, with twelve ranges each.
  const { rows } = await AuditQuery.page(table, { by: "all", ...span }, { limit: 1, maxQueries: 8 * 12 });
  const age = rows[0] && Math.max(Date.now() - Date.parse(rows[0].receivedAt), 0) / 1000;
  return `${settings.TABLE_NAME}, ${age === undefined ? "no rows in the last 7 days" : `newest row ${ageText(age)} old`}`;
}

const ageText = (seconds: number) =>
  seconds < 120
    ? `${seconds.toFixed(1)} s`
    : seconds < 7_200
      ? `${(seconds / 60).toFixed(0)} min`
      : `${(seconds / 3_600).toFixed(0)} h`;

async function depth({ sqs }: Connection, QueueUrl: string): Promise<string> {
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({
      QueueUrl,
      AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    }),
  );
  return `${Attributes.ApproximateNumberOfMessages} waiting, ${Attributes.ApproximateNumberOfMessagesNotVisible} in work`;
}

/** Any answer below 500 means that somebody is there: the edge wants a key. */
async function answers(url: URL): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: "manual" });
  await response.body?.cancel();
  if (response.status >= 500) throw new Error(`${url.href} answers ${response.status}`);
  return url.origin;
}
