/** The ledger as a page for docs/. */
import { verdict } from "@central-llm/core/reconcile-report";
import { type Evidence, type Ledger, percent } from "./ledger.ts";

const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
const table = (head: string[], rows: (string | number)[][]) =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
const bullets = (lines: string[]) => lines.map((line) => `- ${line}`).join("\n");

export function ledgerPage(evidence: Evidence, ledger: Ledger): string {
  const { settings, startedAt, endedAt, book } = evidence;
  const minutes = ((endedAt - startedAt) / 60_000).toFixed(1);
  const result =
    ledger.broken.length === 0 ? "**Every promise was kept.**" : `**Broken:**\n\n${bullets(ledger.broken)}`;
  return `${[
    "# Soak ledger",
    `\`npm run soak -- --minutes ${settings.minutes} --rate ${settings.rate} --seed ${settings.seed}\`, ${minutes} minutes of load from ${new Date(startedAt).toISOString()} on Node ${process.version}, ${process.platform}. What the words mean: \`packages/local/src/soak/ledger.ts\`.`,
    result,
    "## What callers saw",
    callers(evidence),
    book.details.length > 0 ? `Unexplained:\n\n${bullets(book.details)}` : null,
    "## What the audit holds",
    audit(evidence, ledger),
    ledger.contradictions.length > 0 ? bullets(ledger.contradictions.slice(0, 20)) : null,
    "## The proxy that lived through it",
    memory(evidence, ledger),
    "## What went wrong, by design",
    faults(evidence),
  ]
    .filter((part) => part !== null)
    .join("\n\n")}\n`;
}

function callers({ book, lives }: Evidence): string {
  const statuses = [...book.statuses()].map(([status, count]) => `${count} × ${status}`).join(", ");
  const kills = lives.filter(({ killedAt }) => killedAt !== null).length;
  return table(
    ["requests", "count", ""],
    [
      ["sent", book.sent, ""],
      ["answered", book.count("answered"), statuses],
      [
        "failed by the upstream",
        book.count("upstream"),
        "broken-off answers, and its process standing still",
      ],
      ["left by the caller", book.count("left"), ""],
      ["broken by a kill -9", book.count("killed"), `${kills} proxies were killed`],
      ["unexplained", book.count("unexplained"), "must be 0"],
    ],
  );
}

function audit({ objects, rows, reconciled, settlement, lives }: Evidence, ledger: Ledger): string {
  const letters = Object.entries(settlement.deadLetters).map(([reason, count]) => `${count} × ${reason}`);
  const losers = lives.flatMap(({ writer, mayLose }) => (mayLose === null ? [] : `${writer} (${mayLose})`));
  const named = [
    ...reconciled.gaps.map(({ writer, first, last }) => `${writer}: numbers ${first} to ${last}`),
    ...reconciled.silent.map(({ writer, sequence }) => `${writer}: silent after its number ${sequence}`),
  ];
  const figures = table(
    ["", "count", ""],
    [
      ["objects in S3", objects.length, `of ${lives.length} writers`],
      ["rows in DynamoDB", rows.length, ""],
      ["interrupted records", ledger.interrupted, "requests that were open when their proxy was killed"],
      ["missing", ledger.missing.length, "must be 0"],
      [
        "lost with a disk or for want of room",
        ledger.lost.length,
        losers.join(", ") || "none was made to lose",
      ],
      ["duplicates", ledger.duplicateObjects + ledger.duplicateRows, "objects and rows; must be 0"],
      [
        "objects without a row, rows without an object",
        ledger.objectsWithoutRow + ledger.rowsWithoutObject,
        "must be 0",
      ],
      [
        "contradictions",
        ledger.contradictions.length,
        "another status or size than the caller saw; must be 0",
      ],
      ["breaks in hash chains", ledger.chainProblems.length, "must be 0"],
      [
        "dead letters on the way",
        letters.length === 0 ? 0 : letters.join(", "),
        `replayed; left: ${settlement.unsettled.deadLetters}`,
      ],
    ],
  );
  const says = `Reconcile over the soak's time says: ${verdict(reconciled)}.`;
  const which = named.length > 0 ? `It names:\n\n${bullets(named.slice(0, 40))}` : "";
  return [figures, says, which].filter((part) => part !== "").join("\n\n");
}

function memory({ watch, leftOverProcesses }: Evidence, ledger: Ledger): string {
  const rss = watch.samples.map(({ rssBytes }) => rssBytes);
  const tenths = Array.from({ length: 10 }, (_, at) => mib(watch.median("rssBytes", at / 10, (at + 1) / 10)));
  const of = (name: "heapBytes" | "externalBytes" | "openFiles" | "handles", from: number, to: number) =>
    watch.median(name, from, to);
  return [
    table(
      ["", "after warm-up", "at the end of the load", "idle, after it"],
      [
        [
          "RSS",
          mib(watch.median("rssBytes", 0.1, 0.3)),
          mib(watch.median("rssBytes", 0.8, 0.98)),
          mib(watch.last?.rssBytes ?? 0),
        ],
        [
          "V8 heap in use",
          mib(of("heapBytes", 0.1, 0.3)),
          mib(of("heapBytes", 0.8, 0.98)),
          mib(watch.last?.heapBytes ?? 0),
        ],
        [
          "external memory",
          mib(of("externalBytes", 0.1, 0.3)),
          mib(of("externalBytes", 0.8, 0.98)),
          mib(watch.last?.externalBytes ?? 0),
        ],
        ["open files", of("openFiles", 0.1, 0.3), of("openFiles", 0.8, 0.98), watch.last?.openFiles ?? ""],
        ["handles", of("handles", 0.1, 0.3), of("handles", 0.8, 0.98), watch.last?.handles ?? ""],
      ],
    ),
    `Peak RSS ${mib(Math.max(...rss))}. Median of each tenth of the time: ${tenths.join(", ")}. Slope over the last two thirds: ${percent(ledger.rssDrift)} of the mean. Processes left over: ${leftOverProcesses.length}.`,
  ].join("\n\n");
}

function faults({ journal }: Evidence): string {
  const byName = Map.groupBy(journal, ({ name }) => name);
  return table(
    ["fault", "times", "seconds, all in all", "the last time"],
    [...byName].map(([name, entries]) => [
      name,
      entries.length,
      entries.reduce((sum, { lasted }) => sum + lasted, 0),
      entries.at(-1)?.note ?? "",
    ]),
  );
}
