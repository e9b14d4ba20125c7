/** `central-llm dlq` and `central-llm replay`: what could not become a row, and another try. */
import { GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import { type ListedLetter, REASONS, type Reason } from "@central-llm/core/dead-letter";
import * as DeadLetterQueue from "@central-llm/core/dead-letter-queue";
import { Command, Option } from "commander";
import * as Argument from "./argument.ts";
import { withConnection } from "./command.ts";
import type { Connection } from "./connection.ts";
import { EXIT, Failure } from "./failure.ts";
import * as Output from "./output.ts";
import { progress } from "./progress.ts";

interface Filter {
  reason?: Reason;
  prefix?: string;
  limit?: number;
}

const COLUMNS: Output.Column<ListedLetter>[] = [
  { title: "FIRST FAILED (UTC)", text: ({ firstFailedAt }) => firstFailedAt ?? "" },
  { title: "REASON", text: ({ reason }) => reason },
  { title: "DETAIL", text: ({ detail }) => detail },
  {
    title: "OBJECT",
    text: ({ objects }) =>
      objects.map(({ bucket, key }) => `s3://${bucket}/${key}`).join(" ") || "(no S3 event)",
  },
];

const reason = () => new Option("--reason <reason>", "only these").choices(REASONS);
const prefix = () => new Option("--prefix <key>", "only objects whose key begins so, e.g. logs/2026/11/21/");
const queueOf = async (connection: Connection) => ({ sqs: connection.sqs, ...(await connection.queues()) });

export function dlqCommand(): Command {
  return new Command("dlq")
    .summary("show what could not become a row, and why")
    .description("Counts the dead letters by reason, and lists them. Takes none away.")
    .addOption(reason())
    .addOption(prefix())
    .option("-n, --limit <letters>", "look at so many at most", Argument.count(100_000), 1_000)
    .addOption(new Option("-f, --format <format>", "output").choices(Output.FORMATS).default("table"))
    .addHelpText(
      "after",
      "\nExamples:\n  central-llm dlq\n  central-llm dlq --reason malformed_json --format jsonl\n",
    )
    .action(withConnection(dlq));
}

async function dlq(
  connection: Connection,
  { format, ...filter }: Filter & { format: Output.Format },
): Promise<void> {
  const { letters, complete } = await DeadLetterQueue.list(await queueOf(connection), filter);
  const counts = DeadLetterQueue.countByReason(letters);
  const write = (text: string) => process.stdout.write(text);
  if (format === "json") return void write(`${Output.json({ counts, complete, letters }, 2)}\n`);
  if (format === "jsonl") return void write(letters.map((letter) => `${Output.json(letter)}\n`).join(""));
  if (format === "csv") {
    const rows = letters.flatMap(({ messageId, objects, ...letter }) =>
      (objects.length > 0 ? objects : [{ bucket: "", key: "" }]).map(({ bucket, key }) => [
        letter.firstFailedAt,
        letter.reason,
        letter.detail,
        letter.receives,
        bucket,
        key,
        messageId,
      ]),
    );
    return void write(
      Output.csv([["firstFailedAt", "reason", "detail", "receives", "bucket", "key", "messageId"], ...rows]),
    );
  }
  if (letters.length === 0) return void write("no dead letters\n");
  const total = `${letters.length}${complete ? "" : " or more"} dead letters: `;
  const parts = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  write(
    `${total}${parts.join(", ")}\n\n${Output.table(COLUMNS, letters)}\n\nRepair the objects, then: central-llm replay --all\n`,
  );
}

export function replayCommand(): Command {
  return new Command("replay")
    .summary("try dead letters again")
    .description("Sends dead letters back to the ingest queue. What fails again returns with its reason.")
    .option("--all", "every letter")
    .addOption(reason())
    .addOption(prefix())
    .option("-n, --limit <letters>", "so many at most", Argument.count(1_000_000))
    .option("--dry-run", "say what would be replayed, and change nothing")
    .addHelpText(
      "after",
      "\nExamples:\n  central-llm replay --all --dry-run\n  central-llm replay --reason throttled\n  central-llm replay --prefix logs/2026/11/21/\n",
    )
    .action(withConnection(replay));
}

async function replay(
  connection: Connection,
  { all, ...filter }: Filter & { all?: boolean; dryRun?: boolean },
): Promise<void> {
  if (!all && filter.reason === undefined && filter.prefix === undefined) {
    throw new Failure(EXIT.usage, "Say what to replay: --all, --reason or --prefix.");
  }
  const queue = await queueOf(connection);
  const { Attributes } = await connection.sqs.send(
    new GetQueueAttributesCommand({
      QueueUrl: queue.deadLetterQueueUrl,
      AttributeNames: ["ApproximateNumberOfMessages"],
    }),
  );
  const bar = progress(
    "{bar} {value}/{total} dead letters, {matched} match",
    { matched: 0 },
    Number(Attributes?.ApproximateNumberOfMessages ?? 0),
  );
  try {
    const done = await DeadLetterQueue.replay(queue, filter, ({ seen, matched }) =>
      bar.update(seen, { matched }),
    );
    bar.stop();
    const what = filter.dryRun ? `would replay ${done.matched}` : `replayed ${done.replayed}`;
    process.stdout.write(`${what} of ${done.seen} dead letters\n`);
  } finally {
    bar.stop();
  }
}
